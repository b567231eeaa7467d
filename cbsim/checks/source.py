"""An output in pieces, each of which can be read by itself, and read again."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Protocol

from cbsim.checks.line import parsed
from cbsim.checks.record import Record, of_lines, records
from cbsim.errors import InputError, WireError
from cbsim.wire.line import lines_of

__all__ = ["Held", "Piece", "Source", "held", "pieces", "spooled"]

_SIZE = 8 << 20
"""Bytes of a piece: little enough for a process to hold what it says."""
_HELD = 5000


class Source(Protocol):
    """Part of an output."""

    @property
    def size(self) -> int:
        """How large it is, in bytes; 0 where that is not known."""

    def records(self) -> Iterator[Record]:
        """What it holds; the same each time."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A file, or some of its lines."""

    file: str
    start: int = 0
    """The byte at which the first of the lines begins."""
    end: int | None = None
    """The byte after the last of them; None for the whole file, whatever it holds."""
    shown: str = ""
    """What the file is called for a person, where that is not its path."""

    @property
    def size(self) -> int:
        """Bytes."""
        if self.end is not None:
            return self.end - self.start
        return Path(self.file).stat().st_size if Path(self.file).is_file() else 0

    def lines(self) -> Iterator[bytes]:
        """The lines; raises InputError."""
        try:
            with Path(self.file).open("rb") as file:
                at = file.seek(self.start)
                end = at + self.size
                for line in lines_of(file):
                    yield line if at + len(line) <= end else line[: end - at]
                    at = file.tell()
                    if at >= end:
                        return
        except OSError as error:
            raise InputError(f"cannot read {self.file}: {error.strerror}") from None

    def records(self) -> Iterator[Record]:
        """The records; lines are counted from the beginning of the file. Raises InputError."""
        if self.end is None:
            yield from records(self.file, shown=self.shown or None)
        else:
            first = 1 + _line_ends(self.file, self.start)
            yield from of_lines(self.shown or self.file, self.lines(), first)


def _line_ends(path: str, end: int) -> int:
    count, left = 0, end
    with Path(path).open("rb") as file:
        while left > 0 and (block := file.read(min(left, 1 << 24))):
            count += block.count(b"\n")
            left -= len(block)
    return count


@dataclass(frozen=True, slots=True)
class Held:
    """Records that are in memory."""

    content: Sequence[Record]
    size: int = 0

    def records(self) -> Iterator[Record]:
        """The records."""
        return iter(self.content)


def held(content: Iterable[Record]) -> list[Held]:
    """Records in pieces."""
    source = iter(content)
    found = []
    while batch := tuple(islice(source, _HELD)):
        found.append(Held(batch))
    return found


def pieces(path: str, shown: str = "") -> list[Piece]:
    """A file in pieces of whole lines, where its lines are JSON; else the file in one."""
    if not Path(path).is_file():
        return [Piece(path, shown=shown)]
    cuts = [0]
    with Path(path).open("rb") as file:
        if not _is_object(file.readline(1 << 24)):
            return [Piece(path, shown=shown)]
        end = file.seek(0, os.SEEK_END)
        while cuts[-1] + _SIZE < end:
            file.seek(cuts[-1] + _SIZE)
            while (line := file.readline(1 << 20)) and line[-1:] != b"\n":
                pass
            cuts.append(file.tell())
    if cuts[-1] < end:
        cuts.append(end)
    return [Piece(path, *ends, shown) for ends in pairwise(cuts)]


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(parsed(line), dict)
    except WireError:
        return False


def spooled() -> tuple[str, tempfile._TemporaryFileWrapper[bytes]]:
    """Standard input as a file, since an output is read more than once; it goes when closed."""
    file = tempfile.NamedTemporaryFile(prefix="cbsim-")  # noqa: SIM115 - closed by the caller
    shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
    file.flush()
    return file.name, file
