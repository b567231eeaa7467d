"""Paths of files and registry keys as their events hold them: encoded once, but for a few words."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from random import Random
from typing import NamedTuple

from cbsim.wire.event import varint
from cbsim.world.drawing import one_of
from cbsim.world.words import HOLE, WIDTHS, pool

__all__ = ["FilePath", "KeyPath", "Paths"]

_MORE = bytes(byte | 0x80 for byte in range(256))
"""Turns bytes into groups of a varint that goes on."""
_SID = "{sid}"
_WORDS = 4096
"""How many names a path with a hole has."""
_FEW = 512
"""How many a path with more than two holes has."""
_COMPILED = 4096
"""How many lists of paths are kept."""

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
        self._rng = rng
        self._pools = {kind: pool(rng, kind, _WORDS) for kind in WIDTHS}
        # Four groups that follow from the words: the same path always has the same guid.
        self._groups = [varint(1 << 28 | number)[:4] for number in range(_WORDS)]
        self._draw = lru_cache(maxsize=None)(self._drawing)
        self.files = lru_cache(maxsize=_COMPILED)(self._files)
        """The paths of files of a user's, by templates, account name and security identifier."""
        self.keys = lru_cache(maxsize=_COMPILED)(self._keys)
        """The paths of registry keys, by templates, account name and the length of a security
        identifier.
        """

    def _files(self, templates: tuple[str, ...], user: str, sid: str) -> tuple[FilePath, ...]:
        return tuple(
            [self.own_file(one.replace("{user}", user).replace("{sid}", sid)) for one in templates]
        )

    def _keys(self, templates: tuple[str, ...], user: str, sid: int) -> tuple[KeyPath, ...]:
        return tuple([self._key(one.replace("{user}", user), sid) for one in templates])

    def _drawing(self, kinds: tuple[str, ...], texts: tuple[str, ...]) -> Callable[[], Words]:
        """Fills holes of these kinds: `texts` stand between all but the last two."""
        columns = [self._column(kind, kinds[:at]) for at, kind in enumerate(kinds)]
        groups = self._groups
        if not columns:
            return one_of(self._rng, [(b"", b"", groups[0])])
        if len(columns) == 1:
            first, second = columns[0], [b""] * _WORDS
        else:
            *several, second = columns
            first = several.pop(0)
            for text, column in zip(texts, several, strict=True):
                pairs = zip(first[:_FEW], column[:_FEW], strict=True)
                first = [text.encode().join(pair) for pair in pairs]
        filled = [*zip(first, second, strict=False)]
        places = {words: place for place, words in enumerate(filled)}
        return one_of(self._rng, [(*words, groups[places[words]]) for words in filled])

    def _column(self, kind: str, before: tuple[str, ...]) -> list[bytes]:
        """What fills a hole, in the order of the groups. A word is the same in one path, and of
        the others each is another one.
        """
        column = self._pools[kind]
        shift = 0 if kind == "word" else 97 * before.count(kind)
        return column[shift:] + column[:shift]

    def own_file(self, template: str) -> FilePath:
        """The path of a file that is one process's alone."""
        start, draw, middle, end, width = self._parts(template)
        length = len(start) + width
        guid, deed_guid = _guids(template)
        text = varint(length)
        size = 1 + 4 + len(guid) + 1 + len(text) + length + 2
        return FilePath(
            wide=len(guid) - 5,
            draw=draw,
            guid=guid,
            deed_guid=deed_guid,
            entry=b"\x12" + varint(size) + b"\x08",
            start=b"\x12" + text + start,
            middle=middle,
            end=end + b"\x18\x01",
        )

    def _key(self, template: str, sid: int) -> KeyPath:
        before, _, rest = template.rpartition(_SID)
        after, draw, middle, end, width = self._parts(rest)
        if not before:
            before, after = after.decode(), b""
            sid = 0
        length = len(before) + sid + len(after) + width
        _, guid = _guids(template)
        text = varint(length)
        size = 1 + 4 + len(guid) + 2 + 1 + len(text) + length + 2
        return KeyPath(
            draw=draw,
            lead=b"\x3a" + varint(size) + b"\x08",
            guid=guid,
            start=b"\x22" + text + before.encode(),
            personal=sid > 0,
            after=after,
            middle=middle,
            end=end + b"\x28\x00",
        )

    def _parts(self, template: str) -> tuple[bytes, Callable[[], Words], bytes, bytes, int]:
        """What stands before the holes, draws what belongs in them, and stands between the two
        halves of that and behind; and how long all of it is but for the start.
        """
        start, *rest = HOLE.split(template)
        kinds, texts = rest[::2], rest[1::2]
        *between, end = texts or [""]
        middle = between.pop() if between else ""
        width = sum(map(len, map(str.encode, texts))) + sum(map(WIDTHS.__getitem__, kinds))
        draw = self._draw((*kinds,), (*between,))
        return start.encode(), draw, middle.encode(), end.encode(), width


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
