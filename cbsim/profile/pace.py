"""How much was said in each minute."""

from __future__ import annotations

from collections import Counter

__all__ = ["PaceTally"]

_MINUTE = 60.0


class PaceTally:
    """Counts by the minute."""

    def __init__(self) -> None:
        self._seconds: Counter[int] = Counter()

    def take(self, at: float, count: int) -> None:
        """Count what was said at a moment, seconds since 1970; 0: nobody knows when."""
        if at > 0 and count:
            self._seconds[int(at)] += count

    def add(self, other: PaceTally) -> None:
        """Count what another one did."""
        self._seconds.update(other._seconds)

    @property
    def seconds(self) -> int | None:
        """From the first to the last that was said; None where no time is known."""
        return max(self._seconds) - min(self._seconds) + 1 if self._seconds else None

    @property
    def minutes(self) -> tuple[int, ...]:
        """How much was said in each minute from the first on."""
        if not self._seconds:
            return ()
        first, counts = min(self._seconds), Counter[int]()
        for second, count in self._seconds.items():
            counts[int((second - first) // _MINUTE)] += count
        return tuple(counts[minute] for minute in range(max(counts) + 1))
