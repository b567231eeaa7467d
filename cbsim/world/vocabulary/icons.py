"""Small icons, as servers keep them of binaries: real PNG and ICO files, made from a seed."""

from __future__ import annotations

import struct
import zlib
from random import Random

__all__ = ["ico", "png"]


def png(seed: int, size: int = 32) -> bytes:
    """A PNG file of `size` x `size` pixels, RGBA: a mirrored pattern in a colour of its own."""
    header = struct.pack(">IIBBBBB", size, size, 8, 6, 0, 0, 0)
    pixels = b"".join(b"\0" + row for row in _rows(seed, size))
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(pixels, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def ico(seed: int, size: int = 32) -> bytes:
    """An ICO file with the one picture `png(seed, size)`."""
    picture = png(seed, size)
    directory = struct.pack("<HHH", 0, 1, 1)
    entry = struct.pack("<BBBBHHII", size % 256, size % 256, 0, 0, 1, 32, len(picture), 22)
    return directory + entry + picture


def _rows(seed: int, size: int) -> list[bytes]:
    random = Random(seed)
    colour = bytes([*(random.randrange(32, 224) for _ in range(3)), 255])
    clear = bytes(4)
    cells = [[random.random() < 0.5 for _ in range(4)] for _ in range(8)]
    places = [x * 8 // size for x in range(size)]
    lines = []
    for half in cells:
        pixels = [colour if cell else clear for cell in (*half, *reversed(half))]
        lines.append(b"".join([pixels[place] for place in places]))
    return [lines[place] for place in places]
