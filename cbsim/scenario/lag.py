"""How far behind schedule messages went out: a histogram that costs next to nothing to keep."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from math import inf
from operator import add

__all__ = ["Lags"]

_BOUNDS = tuple(0.0001 * 1.25**step for step in range(64))
"""Seconds, from a tenth of a millisecond to two minutes, each a quarter more than the last."""


class Lags:
    """Counts lags by their size, to a quarter's precision."""

    __slots__ = ("_counts", "sum", "worst")

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS) + 1)
        self.worst = 0.0
        """The largest lag, in seconds."""
        self.sum = 0.0
        """All of those that were counted one by one, together."""

    def add(self, now: float, dues: Sequence[float], start: int, end: int) -> None:
        """Messages `start` to `end` went out now; `dues` never run backwards."""
        later = end - start
        self.worst = max(self.worst, now - dues[start])
        for number, bound in enumerate(_BOUNDS):
            beyond = bisect_left(dues, now - bound, start, end) - start
            self._counts[number] += later - beyond
            later = beyond
            if not later:
                return
        self._counts[-1] += later

    def count(self, seconds: float, messages: int = 1) -> None:
        """So many messages were so late."""
        self.worst = max(self.worst, seconds)
        self.sum += seconds * messages
        self._counts[bisect_left(_BOUNDS, seconds)] += messages

    def merge(self, others: Lags) -> None:
        """Count the lags of another run too."""
        self.worst = max(self.worst, others.worst)
        self.sum += others.sum
        self._counts = [*map(add, self._counts, others._counts)]

    @property
    def total(self) -> int:
        """How many were counted."""
        return sum(self._counts)

    def buckets(self) -> list[tuple[float, int]]:
        """How many were at most so long, for every third bound, and in all (infinity)."""
        bounds = [*_BOUNDS, inf]
        below = [*accumulate(self._counts)]
        return [*zip(bounds, below, strict=True)][::3] + [(inf, below[-1])] * (len(bounds) % 3 != 1)

    def percentile(self, share: float) -> float:
        """Seconds by which at most that share of all messages (0 to 1) was late; 0 for none."""
        total, seen = self.total, 0
        for count, bound in zip(self._counts, _BOUNDS, strict=False):
            seen += count
            if seen and seen >= share * total:
                return min(bound, self.worst)
        return self.worst
