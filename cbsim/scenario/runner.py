"""Runs a scenario: what the world says, at the rate that was asked, into a sink."""

from __future__ import annotations

import gc
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING

from cbsim.bus.confirm_times import ConfirmTimes
from cbsim.bus.sink import Sink
from cbsim.interrupt import heed, note, whole
from cbsim.scenario import rate as rates
from cbsim.scenario.lag import Lags
from cbsim.scenario.model import Phase, Scenario
from cbsim.scenario.stream import Batch, Stream

if TYPE_CHECKING:
    from cbsim.load.course import Course

__all__ = ["Progress", "Report", "conduct", "few_collections", "run"]

_QUANTUM = 0.001
"""Seconds that the loop sleeps at least: what came due meanwhile goes out together."""

_YOUNG = 20_000
"""How many new objects the collector of garbage waits for during a run."""


@dataclass(slots=True)
class Report:
    """What a run did."""

    sent: int = 0
    confirmed: int = 0
    seconds: float = 0.0
    per_name: Counter[str] = field(default_factory=Counter)
    lags: Lags = field(default_factory=Lags)
    """How far behind schedule messages were handed over."""
    behind: float = 0.0
    """How far it was behind at its end, in seconds."""
    interrupted: bool = False
    republished: int = 0
    """How many messages were sent again after a lost connection."""
    confirms: Lags = field(default_factory=Lags)
    """How long the broker took to confirm messages."""
    queues: Mapping[str, Course] = field(default_factory=dict)
    """What became of the queues that were watched."""

    @property
    def lag(self) -> float:
        """The most it ever was behind schedule, in seconds."""
        return self.lags.worst

    def add(self, other: Report) -> None:
        """Count what another run sent, too; the rest is for the caller to say."""
        self.sent += other.sent
        self.confirmed += other.confirmed
        self.republished += other.republished
        self.per_name += other.per_name
        self.lags.merge(other.lags)
        self.confirms.merge(other.confirms)


@dataclass(frozen=True, slots=True)
class Progress:
    """How a run stands, told about once a second."""

    phase: str
    sent: int
    confirmed: int
    rate: float
    """Messages sent in the last second."""
    asked: float | None
    """Messages a second that are due around now; None at `max`."""
    lag: float
    total: float | None
    """How much of the run is done, 0 to 1, when that is known."""
    seconds: float = 0.0
    """Since the run began."""
    confirms: Lags = field(default_factory=Lags)
    """How long the broker took to confirm messages since it was last told of."""


def run(
    scenario: Scenario,
    sink: Sink,
    start: datetime,
    *,
    count: int | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Report:
    """Publish a scenario on schedule, open loop, and wait for the last confirm.

    A KeyboardInterrupt, also of `on_progress`, ends it cleanly: what was handed over is still
    confirmed. A signal that is
    `interrupt.taken` waits for the end of the batch in hand, and the last confirm; a second does
    not.
    """
    phases = Stream(scenario, start).phases(count)
    return conduct(scenario, phases, sink, count=count, on_progress=on_progress)


def conduct(
    scenario: Scenario,
    phases: Iterator[Iterator[Batch]],
    sink: Sink,
    *,
    count: int | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    begin: Callable[[], float] = time.monotonic,
) -> Report:
    """Publish the batches of a scenario, or of a part of it, as `run` does.

    `begin` is called when everything is ready, and says when the run begins (monotonic).
    """
    with few_collections():
        return _Run(scenario, phases, sink, count, on_progress, begin).report


@contextmanager
def few_collections() -> Iterator[None]:
    """Look for garbage in cycles less often, and not among what is there already.

    Messages are in no cycles, and there are very many; a look at a whole estate takes as long as
    hundreds of messages, which would be late.
    """
    before = gc.get_threshold()
    gc.set_threshold(_YOUNG, *before[1:])
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


class _Run:
    def __init__(
        self,
        scenario: Scenario,
        phases: Iterator[Iterator[Batch]],
        sink: Sink,
        count: int | None,
        on_progress: Callable[[Progress], None],
        begin: Callable[[], float],
    ) -> None:
        self._sink, self._count, self._on_progress = sink, count, on_progress
        self.report = report = Report()
        known = [phase.duration for phase in scenario.phases if phase.rate != rates.MAX]
        bounded = all(known) and len(known) == len(scenario.phases)
        self._length = sum(filter(None, known)) if bounded else None
        phases = _begun(phases)
        self._began = self._told = self._since = begin()
        """When the run began, when it was told of, and since when the schedule runs."""
        self._told_sent = 0
        self._asked: float | None = None
        self._before = 0.0, 0
        """When the batch before was due, and how many messages it had."""
        self._confirmed_before = sink.confirmed
        self._confirm_times: ConfirmTimes | None = getattr(sink, "confirm_times", None)
        self._confirms_taken()
        republished_before = getattr(sink, "republished", 0)
        self._in_hand: list[str] = []
        """The names of what is being handed over."""
        try:
            heed()
            for batches in phases:
                opened, unpaced = time.monotonic(), False
                for batch in batches:
                    if batch.dues is not None:
                        self._on_schedule(batch, batch.dues)
                        continue
                    unpaced = True
                    # What was made has happened: it goes out even if the phase is over by now.
                    self._hand_over(batch, 0, len(batch.messages))
                    if _is_over(batch.phase, time.monotonic() - opened):
                        break
                if unpaced:
                    self._since += time.monotonic() - opened
            note()
        except KeyboardInterrupt:
            report.interrupted = True
        report.interrupted |= whole(sink.flush)
        report.confirms.merge(self._confirms_taken())
        report.confirmed = sink.confirmed - self._confirmed_before
        if report.confirmed > report.sent:
            # An interrupt that nobody had taken came while a batch was half handed over.
            report.per_name.update(self._in_hand[: report.confirmed - report.sent])
            report.sent = report.confirmed
        report.seconds = time.monotonic() - self._began
        report.republished = getattr(sink, "republished", 0) - republished_before

    def _on_schedule(self, batch: Batch, dues: list[float]) -> None:
        first, count = self._before
        if dues[0] > first:
            self._asked = count / (dues[0] - first)
        self._before = dues[0], len(dues)
        at, end = 0, len(dues)
        while at < end:
            now = time.monotonic()
            upto = bisect_right(dues, now - self._since, at)
            if upto == at:
                ahead = max(self._since + dues[at] - now, _QUANTUM)
                time.sleep(min(ahead, max(self._told + 1.0 - now, _QUANTUM)))
                self._tell(batch, time.monotonic())
                continue
            self._hand_over(batch, at, upto)
            self.report.lags.add(time.monotonic() - self._since, dues, at, upto)
            at = upto
        self.report.behind = max(0.0, time.monotonic() - self._since - dues[-1])

    def _hand_over(self, batch: Batch, at: int, upto: int) -> None:
        if whole(partial(self._publish, batch, at, upto)):
            raise KeyboardInterrupt
        self._tell(batch, time.monotonic())

    def _publish(self, batch: Batch, at: int, upto: int) -> None:
        everything = at == 0 and upto == len(batch.messages)
        self._in_hand = batch.names if everything else batch.names[at:upto]
        self._sink.publish_many(batch.messages if everything else batch.messages[at:upto])
        self.report.sent += upto - at
        self.report.per_name.update(self._in_hand)

    def _tell(self, batch: Batch, now: float) -> None:
        passed = now - self._told
        if passed < 1.0:
            return
        report = self.report
        asked = None if batch.dues is None else self._asked
        done = None
        if self._length:
            done = (now - self._began) / self._length
        elif self._count:
            done = report.sent / self._count
        rate = (report.sent - self._told_sent) / passed
        confirms = self._confirms_taken()
        report.confirms.merge(confirms)
        self._told, self._told_sent = now, report.sent
        self._on_progress(
            Progress(batch.phase.name, report.sent, self._sink.confirmed - self._confirmed_before,
                     rate, asked, report.behind, done, now - self._began, confirms)
        )  # fmt: skip

    def _confirms_taken(self) -> Lags:
        return Lags() if self._confirm_times is None else self._confirm_times.taken()


def _is_over(phase: Phase, seconds: float) -> bool:
    """Whether a phase at `max` has lasted as long as it should."""
    return phase.rate == rates.MAX and phase.duration is not None and seconds >= phase.duration


def _begun(phases: Iterator[Iterator[Batch]]) -> Iterator[Iterator[Batch]]:
    """The same phases with the first batch made: much of the world is made with it, which takes
    longer than any schedule has.
    """
    first = next(phases)
    return chain([chain([*islice(first, 1)], first)], phases)
