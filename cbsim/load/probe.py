"""One trial of a rate: publish at it for a while, and see whether the queue's consumers keep up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import count
from math import inf

from cbsim.bus.sink import Sink
from cbsim.errors import CbsimError
from cbsim.load.pace import Pace
from cbsim.load.trace import Point, Trace, growth
from cbsim.load.valve import Valve
from cbsim.load.watch import Watch
from cbsim.scenario.model import Phase, Scenario
from cbsim.scenario.rate_profile import RateProfile, Stair
from cbsim.scenario.runner import conduct
from cbsim.scenario.stream import Stream

__all__ = ["GoneError", "Probe", "Prober", "Reason"]

_TICK = 0.05
_SETTLING = 0.15
"""The share of a trial that goes by before it counts."""
_GROWTH = 0.01
"""The share of what comes by which the depth may seem to grow without growing."""
_HOPELESS = 0.6
"""A queue that is so many seconds' messages deeper than at the start will not be emptied."""
_BEHIND = 0.5
"""A publisher that is so many seconds behind will not make up for it."""
_WAITING = 0.5
"""The share of its time that a publisher waits for a broker that is slower."""
_BACKLOG = 1.0
"""Seconds of messages that show how fast they are consumed when no more come."""
_FEW = 10
_STANDING = 0.3
"""Seconds of messages that wait before a trial where nobody tells what consumers hold: as long as
some wait, the others are with the consumers, and their number does not change."""
_ABSENT = 1.5
"""Seconds without a consumer after which there is none."""
_STUCK = 10.0
"""Seconds without a message consumed after which consumers take no more."""
_RESIDUE = 2.0
"""Seconds after which what consumers keep back, to acknowledge it with what comes next, is kept."""


class Reason(StrEnum):
    """What a rate was too much for, and by what it shows."""

    DEPTH = "depth"
    LAG = "lag"
    CONSUMER = "consumer"
    PUBLISHER = "publisher"
    BROKER = "broker"


class GoneError(CbsimError):
    """Nobody consumes the queue any more, or takes messages from it."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What came of a trial; rates are messages a second."""

    rate: float
    """What was asked for."""
    seconds: float
    done: float
    """What was done: less, where the publisher or the broker could do no more."""
    growth: float
    """By how much the depth of the queue grew."""
    lag: float | None
    """The most that consumers were behind, in seconds."""
    share: float | None
    """How many messages came to the queue for each that was asked for, where that is known."""
    reason: Reason | None
    """Why it was too much; None if it was not."""

    @property
    def consumed(self) -> float:
        """At which rate as much would have come as was consumed."""
        return self.done - self.growth / (self.share or 1.0)


class Prober:
    """Tries rates of one scenario with the consumers of one queue, which `watch` follows.

    Every trial is a run of its own, of the next seed: nothing that was new is new again. Methods
    raise GoneError when there is no consumer left, KeyboardInterrupt when the user ends it, and
    CbsimError.
    """

    def __init__(
        self, scenario: Scenario, sink: Sink, watch: Watch, queue: str, max_lag: float | None
    ) -> None:
        self._phase, self._scenario = _main(scenario), scenario
        self._sink, self._watch, self._queue, self._max_lag = sink, watch, queue, max_lag
        self._seeds = count(scenario.seed)
        self._trace = Trace()
        self._seen = time.monotonic()
        self.capacity: float | None = None
        """Messages of the queue that are consumed a second when many wait, once that is known."""
        watch.on_reading(self._read)

    def await_consumer(self, patience: float) -> None:
        """Wait for a consumer; raises GoneError when there is none in time."""
        until = time.monotonic() + patience
        while self._consumers() == 0:
            if time.monotonic() > until:
                raise GoneError(f"nobody consumes queue {self._queue!r} after {patience:g} s")
            time.sleep(_TICK)

    def ramp(self, start: float, step: float = 1.0, most: float = 1e6) -> Probe:
        """Twice as much every `step` seconds, until it is too much for somebody."""
        rates = [start]
        while rates[-1] < most:
            rates.append(rates[-1] * 2)
        pace = Pace([(rate, step) for rate in rates])
        return self._trial(pace, lambda: self._overrun(pace.asked(time.monotonic())))

    def measure(self, rate: float) -> float:
        """How many messages are consumed a second when many wait: `rate` is to be too much."""
        self.drain()
        self._trial(Pace([(rate, 10.0)]), lambda: self._overrun(self.capacity or rate))
        return self._drained()

    def hold(self, rate: float, seconds: float) -> Probe:
        """Publish at a rate for a while, from a queue with nothing in it, and judge."""
        self.drain()
        pace, first = Pace([(rate, seconds)]), [0]

        def begin() -> float:
            if not self._watch.exact and self._max_lag is None and self.capacity:
                self._stand(rate)
            first[0] = self._depth()
            return time.monotonic()

        def shut() -> Reason | None:
            if time.monotonic() - pace.since > seconds * _SETTLING and self._lagging():
                return Reason.LAG
            hopeless = self._depth() - first[0] > _HOPELESS * (self.capacity or rate)
            return Reason.DEPTH if hopeless else None

        return self._trial(pace, shut, begin)

    def drain(self) -> None:
        """Wait until consumers have taken what is there."""
        self._wait_below(0)

    # Trials.

    def _trial(
        self,
        pace: Pace,
        shut: Callable[[], Reason | None],
        begin: Callable[[], float] = time.monotonic,
    ) -> Probe:
        found: list[Reason] = []

        def enough(valve: Valve) -> bool:
            self._check()
            reason = shut()
            if reason is None and pace.behind > _BEHIND:
                reason = Reason.BROKER if valve.waiting > _WAITING else Reason.PUBLISHER
            found.extend([reason] if reason else [])
            return reason is not None

        def started() -> float:
            pace.begin(begin())
            self._trace.clear()
            return pace.since

        valve = Valve(self._sink, enough)
        scenario = self._paced(pace)
        report = conduct(
            scenario,
            Stream(scenario, datetime.now(UTC)).phases(),
            valve,
            begin=started,
            on_progress=lambda progress: pace.note(time.monotonic(), progress.lag),
        )
        if report.interrupted and not valve.closed:
            raise KeyboardInterrupt
        return self._judged(pace, found[0] if found else None)

    def _judged(self, pace: Pace, reason: Reason | None) -> Probe:
        now = time.monotonic()
        rate = pace.asked(now) if len(pace.steps) == 1 or reason is None else pace.rate
        points = self._trace.since(pace.since + (now - pace.since) * _SETTLING)
        lags = [point.lag for point in points if point.lag is not None]
        share = self._share(points, pace) if self._watch.exact else None
        grown = growth(points)
        if reason is None and grown > _GROWTH * (self.capacity or rate * (share or 1.0)):
            reason = Reason.DEPTH
        done = pace.rate if reason in (Reason.BROKER, Reason.PUBLISHER) else rate
        return Probe(rate, now - pace.since, done, grown, max(lags, default=None), share, reason)

    @staticmethod
    def _share(points: Sequence[Point], pace: Pace) -> float | None:
        counted = [(point.at, point.arrived) for point in points if point.arrived is not None]
        if len(counted) < 2:
            return None
        (since, before), (until, after) = counted[0], counted[-1]
        done = pace.done(until) - pace.done(since)
        return (after - before) / done if done > 0 and after > before else None

    def _paced(self, pace: Pace) -> Scenario:
        """The scenario's main phase at these rates, each for so many seconds."""
        steps = tuple(Stair(rate=rate, **{"for": length}) for rate, length in pace.steps)
        rate = steps[0].rate if len(steps) == 1 else RateProfile(steps=steps)
        changed = {"rate": rate, "duration": pace.length, "count": None, "inject": (),
                   "cover": False}  # fmt: skip
        phase = self._phase.model_copy(update=changed)
        return self._scenario.model_copy(update={"phases": (phase,), "seed": next(self._seeds)})

    # What is seen of the queue.

    def _read(self, at: float) -> None:
        course = self._watch.courses.get(self._queue)
        self._trace.add(at, course)
        if course is not None and course.there and course.state.consumers:
            self._seen = at

    def _consumers(self) -> int:
        last = self._trace.last
        return last.consumers if last else 0

    def _depth(self) -> int:
        last = self._trace.last
        return last.depth if last else 0

    def _check(self) -> None:
        if self._consumers() == 0 and time.monotonic() - self._seen > _ABSENT:
            raise GoneError(f"nobody consumes queue {self._queue!r} any more")

    def _lagging(self) -> bool:
        last = self._trace.last
        return bool(self._max_lag and last and last.lag and last.lag > self._max_lag)

    def _overrun(self, rate: float) -> Reason | None:
        """Whether there is enough in the queue to see how fast it is consumed."""
        last = self._trace.last
        if last is None or last.depth < _FEW:
            return None
        deep = last.depth > _BACKLOG * rate
        # What consumers hold may be behind too, and says nothing of what they can take.
        late = self._watch.exact and (last.lag or 0.0) > _BACKLOG
        return Reason.DEPTH if deep or late else None

    def _stand(self, rate: float) -> None:
        """Have a few messages wait, so that consumers hold as many as they ever do."""
        assert self.capacity is not None
        self._trial(Pace([(rate * 3, 10.0)]), lambda: self._overrun(self.capacity or rate))
        self._wait_below(int(self.capacity * _STANDING))

    def _drained(self) -> float:
        """Wait until most of what waits is consumed, and say how fast it was."""
        since = time.monotonic()
        self._wait_below(self._depth() // 8)
        return max(0.0, -growth(self._trace.since(since)))

    def _wait_below(self, depth: int) -> None:
        before, since = inf, time.monotonic()
        while True:
            self._check()
            last, now = self._trace.last, time.monotonic()
            left = last.depth if last else 0
            if left <= depth and last is not None and last.at > now - 1.0:
                return
            # What was still on its way comes first, so that it may be more than it was at first.
            if left < before:
                since = now
            before = left
            if now - since > _RESIDUE and last is not None and not last.ready:
                return
            if now - since > _STUCK:
                raise GoneError(
                    f"the consumers of queue {self._queue!r} take no more: {left:,} messages wait "
                    f"unchanged for {_STUCK:g} s"
                )
            time.sleep(_TICK)


def _main(scenario: Scenario) -> Phase:
    """The phase in which most is sent."""
    return max(scenario.phases, key=lambda phase: phase.usual * phase.length)
