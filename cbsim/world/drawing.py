"""Chance in bulk: values drawn from a seeded generator a block at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TypeVar

__all__ = ["BLOCK", "drawn"]

T = TypeVar("T")

BLOCK = 1000
"""How many values are drawn at once."""


def drawn(block: Callable[[], Sequence[T]]) -> Callable[[], T]:
    """Gives the values of `block()` one at a time, then those of the next, without end.

    What comes out depends on the generator alone; a call costs no more than taking from a list.
    """
    # No block is None, so that the stream never ends.
    return chain.from_iterable(iter(block, None)).__next__
