"""Paths of files and registry keys as their events hold them: encoded once, but for a few words."""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import blake2b
from random import Random
from typing import NamedTuple

from cbsim.wire.event import varint
from cbsim.world.drawing import one_of

__all__ = ["FilePath", "KeyPath", "Paths"]

_HOLE = re.compile(r"\{([hn])\}")
_MORE = bytes(byte | 0x80 for byte in range(256))
"""Turns bytes into groups of a varint that goes on."""
_SID = "{sid}"
_WORDS = 4096
"""How many names a path with a hole has."""

Words = tuple[bytes, bytes, bytes]
"""What fills a path's two holes, and four groups of a varint that go with it."""


class FilePath(NamedTuple):
    """A file's path. Its guid is four groups that follow its words, and `guid` or `deed_guid`."""

    wide: int
    """0 where its guid is nine bytes, 1 where it is ten."""
    draw: Callable[[], Words]
    guid: bytes
    """The rest of `header.filepath_string_guid`, and of its entry in `strings`."""
    deed_guid: bytes
    """The rest of `filemod.guid`."""
    entry: bytes
    """The start of the entry in `strings`, up to its guid."""
    start: bytes
    middle: bytes
    end: bytes


class KeyPath(NamedTuple):
    """A registry key's path within a `regmod`."""

    draw: Callable[[], Words]
    lead: bytes
    """The start of `regmod`, up to its guid."""
    guid: bytes
    """The rest of its guid."""
    start: bytes
    sid: bytes
    after: bytes
    middle: bytes
    end: bytes


class Paths:
    """Makes paths from the templates of the vocabulary."""

    def __init__(self, rng: Random) -> None:
        self._files: dict[tuple[str, str], FilePath] = {}
        self._keys: dict[tuple[str, int], KeyPath] = {}
        numbers = [b"%d" % number for number in range(1000, 1000 + _WORDS)]
        raw = rng.randbytes(4 * _WORDS)
        hashes = [raw[at : at + 4].hex().encode() for at in range(0, len(raw), 4)]
        # Four groups that follow from the words: the same path always has the same guid.
        groups = [varint(1 << 28 | number)[:4] for number in range(_WORDS)]
        nothing = [b""] * _WORDS
        fillings = {
            "": [(b"", b"", groups[0])],
            "n": [*zip(numbers, nothing, groups, strict=True)],
            "h": [*zip(hashes, nothing, groups, strict=True)],
            "hh": [*zip(hashes, hashes, groups, strict=True)],
            "hn": [*zip(hashes, numbers, groups, strict=True)],
        }
        self._draws: dict[str, Callable[[], Words]] = {
            holes: one_of(rng, words) for holes, words in fillings.items()
        }

    def file(self, template: str, user: str) -> FilePath:
        """The path of a file of that user's."""
        if "{user}" not in template:
            user = ""
        found = self._files.get((template, user))
        if found is None:
            found = self._files[template, user] = self.own_file(template.replace("{user}", user))
        return found

    def key(self, template: str, sid: bytes) -> KeyPath:
        """The path of a registry key, for the user with that security identifier."""
        found = self._keys.get((template, len(sid)))
        if found is None:
            found = self._keys[template, len(sid)] = self._key(template, len(sid))
        return found._replace(sid=sid) if _SID in template else found

    def own_file(self, template: str) -> FilePath:
        """The path of a file that is one process's alone."""
        start, middle, end, holes = _parts(template)
        length = _length(start, middle, end, holes)
        guid, deed_guid = _guids(template)
        text = varint(length)
        size = 1 + 4 + len(guid) + 1 + len(text) + length + 2
        return FilePath(
            wide=len(guid) - 5,
            draw=self._draws[holes],
            guid=guid,
            deed_guid=deed_guid,
            entry=b"\x12" + varint(size) + b"\x08",
            start=b"\x12" + text + start,
            middle=middle,
            end=end + b"\x18\x01",
        )

    def _key(self, template: str, sid: int) -> KeyPath:
        before, _, rest = template.rpartition(_SID)
        after, middle, end, holes = _parts(rest)
        if not before:
            before, after = after.decode(), b""
            sid = 0
        length = len(before) + sid + _length(after, middle, end, holes)
        _, guid = _guids(template)
        text = varint(length)
        size = 1 + 4 + len(guid) + 2 + 1 + len(text) + length + 2
        return KeyPath(
            draw=self._draws[holes],
            lead=b"\x3a" + varint(size) + b"\x08",
            guid=guid,
            start=b"\x22" + text + before.encode(),
            sid=b"",
            after=after,
            middle=middle,
            end=end + b"\x28\x00",
        )


def _parts(template: str) -> tuple[bytes, bytes, bytes, str]:
    """What stands before, between and after the holes, and what belongs in them."""
    start, *rest = _HOLE.split(template)
    holes, texts = "".join(rest[::2]), [text.encode() for text in rest[1::2]]
    middle, end = (texts + [b"", b""])[:2]
    if len(texts) == 1:
        middle, end = b"", texts[0]
    return start.encode(), middle, end, holes


def _length(start: bytes, middle: bytes, end: bytes, holes: str) -> int:
    """The bytes of a path with its holes filled: eight for a hash, four for a number."""
    return len(start) + len(middle) + len(end) + sum(8 if hole == "h" else 4 for hole in holes)


def _guids(template: str) -> tuple[bytes, bytes]:
    """What follows the four groups in the guids of a path's string and of the file: both as long.

    Bits 28 to 62, and in half of the paths bit 63.
    """
    digest = blake2b(template.encode(), digest_size=10).digest()
    tail = b"\x01" if digest[0] & 1 else b""
    first, second = digest[:5].translate(_MORE), digest[5:].translate(_MORE)
    if not tail:
        first, second = (one[:4] + bytes((one[4] & 0x7F | 0x40,)) for one in (first, second))
    return first + tail, second + tail
