"""The course of one queue: what readings of it, one after the other, say of its consumers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from cbsim.bus.queue_state import QueueState, Reading, Totals
from cbsim.scenario.lag import Lags

__all__ = ["Course", "Rates"]

_WINDOW = 1.0
"""Seconds over which rates are taken where counts are as of now."""
_COARSE = 6.0
"""The same where the broker counts every 5 s."""
_NOTHING = QueueState(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Rates:
    """Messages a second, lately."""

    arrived: float
    delivered: float
    acked: float


@dataclass(slots=True)
class Course:
    """Follows one queue; readings are added in the order of time.

    `lag` is how long the oldest message that consumers are not done with has been there, in
    seconds: the moment at which so many had arrived as are done with now is looked up. Where the
    broker does not count what arrives, everything that was published is taken to have. None is
    what cannot be known.
    """

    exact: bool
    """Whether counts are as of the moment of the reading."""
    state: QueueState = _NOTHING
    totals: Totals | None = None
    lag: float | None = 0.0
    rates: Rates | None = None
    there: bool = False
    """Whether there was such a queue at the last reading."""
    deepest: int = 0
    """The most messages that there ever were."""
    lags: Lags = field(default_factory=Lags)
    """All lags, one a reading."""
    _arrivals: deque[tuple[float, int]] = field(default_factory=deque)
    """Moments, and how many messages had arrived by then: from before the oldest message on."""
    _recent: deque[tuple[float, Totals]] = field(default_factory=deque)

    def add(self, at: float, reading: Reading, published: int | None = None) -> None:
        """A reading at a moment (monotonic); `published` is how many messages were by then."""
        self.state, totals = reading
        self.there = True
        self.deepest = max(self.deepest, self.state.depth)
        if totals is not None:
            self.totals = totals
            self._rate(at, totals)
        # A count that is not of this moment says nothing of the messages of this moment.
        self.lag = self._lag(at, totals.arrived if totals and self.exact else published)
        if self.lag is not None:
            self.lags.count(self.lag)

    def _rate(self, at: float, totals: Totals) -> None:
        recent = self._recent
        recent.append((at, totals))
        window = _WINDOW if self.exact else _COARSE
        while len(recent) > 2 and recent[1][0] <= at - window:
            recent.popleft()
        since, before = recent[0]
        if at - since >= window / 2:
            pairs = zip(totals, before, strict=True)
            self.rates = Rates(*(max(0, now - was) / (at - since) for now, was in pairs))

    def _lag(self, at: float, arrived: int | None) -> float | None:
        if arrived is None:
            return None if self.state.depth else 0.0
        arrivals = self._arrivals
        # Of a time without arrivals the ends are enough.
        if len(arrivals) > 1 and arrivals[-2][1] == arrived:
            arrivals.pop()
        arrivals.append((at, arrived))
        if not self.state.depth:
            # What comes next is no older than this moment.
            arrivals.clear()
            arrivals.append((at, arrived))
            return 0.0
        oldest = arrived - self.state.depth + 1
        while len(arrivals) > 1 and arrivals[1][1] < oldest:
            arrivals.popleft()
        since, total = arrivals[0]
        if total >= oldest or len(arrivals) == 1:
            return at - since
        until, more = arrivals[1]
        return at - (since + (until - since) * (oldest - total) / (more - total))
