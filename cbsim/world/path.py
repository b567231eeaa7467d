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
    personal: bool
    """Whether the user's security identifier stands between `start` and `after`."""
    after: bytes
    middle: bytes
    end: bytes


class Paths:
    """Makes paths from the templates of the vocabulary."""

    def __init__(self, rng: Random) -> None:
        self._files: dict[tuple[tuple[str, ...], str], tuple[FilePath, ...]] = {}
        self._keys: dict[tuple[tuple[str, ...], int], tuple[KeyPath, ...]] = {}
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

    def files(self, templates: tuple[str, ...], user: str) -> tuple[FilePath, ...]:
        """The paths of files of that user's."""
        found = self._files.get((templates, user))
        if found is None:
            found = tuple([self.own_file(one.replace("{user}", user)) for one in templates])
            self._files[templates, user] = found
        return found

    def keys(self, templates: tuple[str, ...], sid: int) -> tuple[KeyPath, ...]:
        """The paths of registry keys, for a user whose security identifier is that long."""
        found = self._keys.get((templates, sid))
        if found is None:
            found = self._keys[templates, sid] = tuple([self._key(one, sid) for one in templates])
        return found

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
            personal=sid > 0,
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
