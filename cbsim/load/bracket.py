"""The search for a limit between two rates: one that was kept up with, and one that was not."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt

__all__ = ["Bracket"]

_CLOSE = 1.045
"""How far apart the bounds are at most in the end, as a ratio."""
_FIRST = 0.98
"""The first rate that is tried, of the one that is guessed: to keep up with it is the good news."""
_NEXT = 1.02
"""The next one, just above the guess: that they do not keep up with it closes the bracket."""
_STEP = 0.035
_WIDER = 2.0
"""Each further step in one direction is so much wider."""


@dataclass(slots=True)
class Bracket:
    """The bounds of a limit, and which rate to try next; rates are messages a second."""

    guess: float
    """About where it is, as far as is known; to be told again as that is better known."""
    low: float = 0.0
    """The highest rate that was kept up with."""
    high: float = inf
    """The lowest that was not."""
    _step: float = _STEP

    @property
    def closed(self) -> bool:
        """Whether the bounds are close enough."""
        return self.low > 0 and self.high <= self.low * _CLOSE

    def rate(self) -> float:
        """The rate to try next."""
        if self.low and self.high < inf:
            return min(sqrt(self.low * self.high), max(self.guess, self.low) * _NEXT)
        if self.low:
            return self.low * (1 + self._widened())
        if self.high < inf:
            return min(self.high / (1 + self._widened()), self.guess * _FIRST)
        return self.guess * _FIRST

    def tried(self, rate: float, *, kept: bool) -> None:
        """What became of a rate; what contradicts an earlier finding takes its place."""
        if kept:
            self.low = max(self.low, rate)
            if rate >= self.guess:
                self.guess = inf
            if self.high <= rate:
                self.high = inf
        else:
            self.high = min(self.high, rate)
            if self.low >= rate:
                self.low = 0.0

    def _widened(self) -> float:
        step = self._step
        self._step *= _WIDER
        return step
