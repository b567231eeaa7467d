"""Chance in bulk: values drawn from a seeded generator a block at a time.

A call to the generator costs more than all the rest of an event's making; a block of random bytes
costs as much as one call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from random import Random
from struct import Struct
from typing import TypeVar

__all__ = ["BLOCK", "drawn", "one_of", "picks", "weighted"]

T = TypeVar("T")

BLOCK = 1000
"""How many values are drawn at once."""

_TABLE = 4096
"""Slots that weights share out: few enough to stay near the processor."""
_NUMBERS = Struct(f"<{BLOCK}H")


def drawn(block: Callable[[], Sequence[T]]) -> Callable[[], T]:
    """Gives the values of `block()` one at a time, then those of the next, without end.

    What comes out depends on the generator alone; a call costs no more than taking from a list.
    """
    # No block is None, so that the stream never ends.
    return chain.from_iterable(iter(block, None)).__next__


def picks(rng: Random, values: Sequence[T]) -> list[T]:
    """A block of values out of 256."""
    return [*map(values.__getitem__, rng.randbytes(BLOCK))]


def one_of(rng: Random, values: Sequence[T]) -> Callable[[], T]:
    """Without end, one of several values, their number a power of two up to 65,536."""
    mask = len(values) - 1
    if len(values) & mask:
        raise ValueError(f"{len(values)} values: expected a power of two")
    return drawn(lambda: [values[at & mask] for at in _NUMBERS.unpack(rng.randbytes(2 * BLOCK))])


def weighted(rng: Random, weights: Mapping[T, float]) -> Callable[[], T]:
    """Without end, one of several values, each as often as its weight says."""
    values, total = [*weights], sum(weights.values())
    shares = [weight / total * _TABLE for weight in weights.values()]
    table: list[T | None] = []
    for value, share in zip(values, shares, strict=True):
        table += [value] * int(share)
    # What does not fill a slot is drawn in a second step, so that no weight is rounded.
    fractions = [share % 1.0 for share in shares]
    table += [None] * (_TABLE - len(table))

    def block() -> list[T]:
        found = [table[at % _TABLE] for at in _NUMBERS.unpack(rng.randbytes(2 * BLOCK))]
        return [rng.choices(values, fractions)[0] if value is None else value for value in found]

    return drawn(block)
