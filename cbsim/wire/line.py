"""Lines of files from outside, which may be of any length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

__all__ = ["LONGEST", "lines_of"]

LONGEST = 64 << 20
"""Bytes of a line, or of a JSON text, that is read; none of the bus comes near."""


def lines_of(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of a file; of one that is longer than LONGEST, a beginning that is longer, too."""
    while line := file.readline(LONGEST + 1):
        yield line
        if len(line) > LONGEST:
            while line and line[-1:] != b"\n":
                line = file.readline(1 << 20)
