"""A guard before a parser of JSON that bounds neither depth nor size."""

from __future__ import annotations

import re
from typing import IO

import numpy as np

from cbsim.errors import WireError
from cbsim.wire.json_text import DEEPEST
from cbsim.wire.line import LONGEST

__all__ = ["Shallow"]

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_INNER = re.compile(rb'(?:[^"\\]|\\.)*+', re.DOTALL)
_STEPS = np.zeros(256, np.int64)
_STEPS[[*b"[{"]], _STEPS[[*b"]}"]] = 1, -1


class Shallow:
    """A file of JSON whose `read` raises WireError where it is too deep, or a value too large.

    `levels` is how many levels are around the values.
    """

    def __init__(self, file: IO[bytes], levels: int) -> None:
        self._file, self._levels = file, levels
        self._depth = self._size = 0
        self._inside = False
        """Whether the last block ended within a string."""
        self._cut = b""
        """What is to be read with the next block: a backslash."""

    def read(self, size: int = -1) -> bytes:
        """As files do."""
        data = self._file.read(size)
        depths = self._depth + _STEPS[np.frombuffer(self._bare(data), np.uint8)].cumsum()
        self._size += len(data)
        if len(depths):
            self._depth = int(depths[-1])
            if depths.max() > self._levels + DEEPEST:
                raise WireError(f"nested more than {DEEPEST} levels deep")
            if depths.min() <= self._levels:
                self._size = 0
        if self._size > LONGEST:
            raise WireError(f"longer than {LONGEST >> 20} MiB")
        return data

    def _bare(self, data: bytes) -> bytes:
        """A block without its strings."""
        text, self._cut = self._cut + data, b""
        if self._inside:
            text = self._after_string(text)
        bare, quote, cut = _STRING.sub(b"", text).partition(b'"')
        if quote:
            self._inside = True
            self._after_string(cut)
        return bare

    def _after_string(self, text: bytes) -> bytes:
        """What comes after the string in which a text begins."""
        end = _INNER.match(text).end()  # type: ignore[union-attr]
        self._inside = text[end : end + 1] != b'"'
        if self._inside:
            self._cut = text[end:]
            return b""
        return text[end + 1 :]
