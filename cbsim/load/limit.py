"""How many messages a second the consumers of a queue can take: a search that ends in a number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Protocol

from cbsim.bus.sink import Sink
from cbsim.errors import CbsimError
from cbsim.load.bracket import Bracket
from cbsim.load.probe import GoneError, Probe, Prober, Reason
from cbsim.load.watch import Watch
from cbsim.scenario.model import Scenario

__all__ = ["Hunt", "Limit", "Search", "Trials", "find_limit"]

_START = 50.0
"""Messages a second with which the ramp begins."""
_MOST = 20
"""How many trials there are at most."""
_WARM = 0.08
"""A consumer that became so much faster, as a share, is not warm yet."""
_WARMINGS = 4
_MARGIN = 0.95
"""Of what a publisher or broker can do, a consumer is asked to keep up with so much."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is to be found out, and how."""

    queue: str
    max_lag: float | None = None
    """Seconds that consumers may be behind; None: as long as the depth does not grow."""
    hold: float = 5.0
    """Seconds for which each rate is held; the one that is found, twice as long."""
    patience: float = 10.0
    """Seconds that the first consumer may take to come."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What was found; rates are messages a second that come to the queue."""

    limit: float
    low: float
    """The highest rate that was kept up with."""
    high: float | None
    """The lowest that was not; None if there was none, for `reason` says what was in the way."""
    reason: Reason
    why: str
    """The same in a sentence."""
    share: float | None
    """How many messages came to the queue for each of the scenario's; None if nobody can tell, and
    the rates are the scenario's."""

    @property
    def certain(self) -> bool:
        """Whether it is the consumers' limit, and not that of what is before them."""
        return self.reason in (Reason.DEPTH, Reason.LAG)


def find_limit(
    scenario: Scenario,
    sink: Sink,
    watch: Watch,
    search: Search,
    tell: Callable[[str], object] = lambda _: None,
) -> Limit:
    """Find the limit of the consumers of a queue that `watch` follows.

    A ramp finds about where it is, and warms the consumers up; then rates are held and the bounds
    halved until they are close; the lower one is held once more. The queue is drained in between.
    `tell` is told of each step. Raises GoneError when nobody consumes the queue from the start, and
    CbsimError.
    """
    return Hunt(Prober(scenario, sink, watch, search.queue, search.max_lag), search, tell).limit()


class Trials(Protocol):
    """What rates are tried with, one after the other, as Prober does."""

    capacity: float | None

    def await_consumer(self, patience: float) -> None:
        """Wait for the first one."""

    def drain(self) -> None:
        """Wait until the queue is empty."""

    def ramp(self, start: float) -> Probe:
        """More and more, until it is too much."""

    def measure(self, rate: float) -> float:
        """How many messages are consumed a second when many wait."""

    def hold(self, rate: float, seconds: float) -> Probe:
        """Publish at a rate, and judge."""


class Hunt:
    """The search itself: which trial comes next, and what they say together."""

    def __init__(self, trials: Trials, search: Search, tell: Callable[[str], object]) -> None:
        self._trials, self._search, self._tell = trials, search, tell
        self._share: float | None = None
        self._bracket = Bracket(0.0)
        self._worst: Probe | None = None
        """The trial that says why it is the limit."""
        self._ceiling = inf
        """What can be published at most."""
        self._obstacle: Probe | None = None

    def limit(self) -> Limit:
        """The limit; raises as `find_limit` does."""
        self._trials.await_consumer(self._search.patience)
        self._trials.drain()
        try:
            self._bracket.guess = self._guessed()
            return self._searched()
        except GoneError as error:
            if not self._bracket.guess:
                raise
            return self._found(Reason.CONSUMER, str(error))

    def _guessed(self) -> float:
        """About where the limit is, once the consumers are warm."""
        ramp = self._note("ramp", self._trials.ramp(_START))
        if ramp.reason in (Reason.PUBLISHER, Reason.BROKER):
            return ramp.done * _MARGIN
        before = 0.0
        for _ in range(_WARMINGS):
            capacity = self._trials.measure(ramp.done)
            self._tell(f"with messages waiting: {capacity:,.0f}/s consumed")
            self._trials.capacity = capacity or None
            if capacity <= before * (1 + _WARM):
                break
            before = capacity
        if self._share is not None:
            return max(before, capacity) / self._share
        # A part of what is sent may come to the queue, and nobody tells how much.
        return max(before, capacity, ramp.done / 4)

    def _searched(self) -> Limit:
        bracket, hold = self._bracket, self._search.hold
        for _ in range(_MOST):
            confirming = bracket.closed
            rate = bracket.low if confirming else bracket.rate()
            if rate > self._ceiling:
                return self._blocked()
            probe = self._trials.hold(rate, hold * 2 if confirming else hold)
            self._note("confirm" if confirming else "hold", probe)
            if probe.reason in (Reason.PUBLISHER, Reason.BROKER):
                if bracket.low >= probe.done * _MARGIN * _MARGIN:
                    return self._blocked()
                bracket.guess = probe.done * _MARGIN
                continue
            bracket.tried(rate, kept=probe.reason is None)
            if probe.reason is Reason.DEPTH:
                bracket.guess = probe.consumed
            if confirming and probe.reason is None and self._worst is not None:
                return self._found(self._worst.reason or Reason.DEPTH, self._grounds(self._worst))
        raise CbsimError(
            f"no limit of queue {self._search.queue!r} after {_MOST} trials: what its consumers "
            "can take changes all the time"
        )

    def _note(self, what: str, probe: Probe) -> Probe:
        """Keep what a trial says, and tell it."""
        self._share = probe.share if probe.share is not None else self._share
        if probe.reason in (Reason.PUBLISHER, Reason.BROKER):
            self._obstacle, self._ceiling = probe, min(self._ceiling, probe.done)
        elif probe.reason is not None and what != "ramp" and self._is_worst(probe):
            self._worst = probe
        said = "kept up" if probe.reason is None else self._grounds(probe)
        behind = "" if probe.lag is None else f", {probe.lag:.2f} s behind at most"
        self._tell(f"{what} {probe.rate:,.0f}/s for {probe.seconds:.1f} s: {said}{behind}")
        return probe

    def _is_worst(self, probe: Probe) -> bool:
        return self._worst is None or probe.rate <= self._worst.rate

    def _blocked(self) -> Limit:
        assert self._obstacle is not None
        return self._found(self._obstacle.reason or Reason.PUBLISHER, self._grounds(self._obstacle))

    def _found(self, reason: Reason, why: str) -> Limit:
        share, low, high = self._share or 1.0, self._bracket.low, self._bracket.high
        limit = low
        if self._worst is not None and reason in (Reason.DEPTH, Reason.LAG):
            limit = min(max(self._worst.consumed, low), high)
        upper = None if high == inf else high * share
        return Limit(limit * share, low * share, upper, reason, why, self._share)

    def _grounds(self, probe: Probe) -> str:
        queue = repr(self._search.queue)
        if probe.reason is Reason.LAG:
            return (
                f"at {probe.rate:,.0f}/s the consumers of queue {queue} were more than "
                f"{self._search.max_lag:g} s behind"
            )
        if probe.reason is Reason.PUBLISHER:
            return f"the publisher could send no more than {probe.done:,.0f}/s"
        if probe.reason is Reason.BROKER:
            return f"the broker took no more than {probe.done:,.0f}/s"
        return f"at {probe.rate:,.0f}/s queue {queue} grew by {probe.growth:,.0f}/s"
