"""The pace of a trial: what is due by when, and what has been done of it."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Pace"]


class Pace:
    """Steps, each a rate (moments of the scenario a second) and its seconds, and how a run keeps
    to them. A moment may be one message on the bus, several, or part of a bundle.
    """

    def __init__(self, steps: Sequence[tuple[float, float]]) -> None:
        self.steps = steps
        self.since = self.behind = 0.0
        """When it began (monotonic), and how far the publisher was behind when last heard of."""
        self._told: tuple[float, float] = (0.0, 0.0)
        self.rate = 0.0
        """At which rate moments went by, lately."""

    @property
    def length(self) -> float:
        """Seconds in all."""
        return sum(seconds for _, seconds in self.steps)

    def asked(self, at: float) -> float:
        """The rate that is asked for at a moment."""
        left = at - self.since
        for rate, seconds in self.steps:
            if left < seconds:
                return rate
            left -= seconds
        return self.steps[-1][0]

    def done(self, at: float) -> float:
        """How many moments have gone by, the publisher being as far behind as it was."""
        left, total = at - self.since - self.behind, 0.0
        for rate, seconds in self.steps:
            if left <= 0:
                break
            total += rate * min(left, seconds)
            left -= seconds
        return total

    def begin(self, at: float) -> None:
        """From here on time counts."""
        self.since, self.behind, self._told = at, 0.0, (at, 0.0)
        self.rate = self.steps[0][0]

    def note(self, at: float, behind: float) -> None:
        """How far the publisher is behind, in seconds."""
        self.behind = behind
        before, count = self._told
        done = self.done(at)
        if at > before:
            self.rate = max(0.0, done - count) / (at - before)
        self._told = at, done
