"""A crew: worker processes that share a run, begin it together and are reported as one."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.resource_tracker import ensure_running

from cbsim.bus.sink import Sink
from cbsim.errors import CbsimError
from cbsim.scenario.lag import Lags
from cbsim.scenario.model import Scenario
from cbsim.scenario.runner import Progress, Report
from cbsim.scenario.worker import READY, Failure, Orders, Telling, work

__all__ = ["run"]

_PATIENCE = 10.0
"""Seconds that the others have to end when one has failed."""
_SILENCE = 1.5
"""Seconds after which progress is shown even if some worker has told of none."""


def run(
    scenario: Scenario,
    sink: Callable[[], Sink],
    start: datetime,
    workers: int,
    *,
    count: int | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Report:
    """Publish a scenario as `runner.run` does, shared out to so many processes.

    `sink` is pickled, and called in each of them. SIGINT and SIGTERM end the run cleanly, a second
    one at once, with a KeyboardInterrupt. Raises ScenarioError for too many workers, and CbsimError
    when one of them failed: the others are stopped then.
    """
    with _Crew(workers) as crew, _signals(crew.stop):
        crew.start(
            Orders(scenario, start, number, workers, count, sink) for number in range(workers)
        )
        return crew.report(on_progress)


@dataclass(slots=True, eq=False)
class _Member:
    """A worker, as the crew knows it."""

    number: int
    process: SpawnProcess
    pipe: Connection
    ready: bool = False
    progress: Progress | None = None
    told: bool = False
    """Whether it told of its progress since that was shown."""
    report: Report | None = None
    gone: bool = False


class _Crew:
    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._members: list[_Member] = []
        self._stopping = False
        self._failure = ""
        self._until = float("inf")
        """When the patience with those that were stopped ends."""
        self._shown = 0.0

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self._members:
            member.process.kill()
            member.process.join()
            member.pipe.close()

    def start(self, orders: Iterator[Orders]) -> None:
        """Start the workers."""
        context = get_context("spawn")
        ensure_running()
        # The terminal's Ctrl-C is for us alone: they inherit that they do not hear of it.
        with _blocked(signal.SIGINT):
            for order in orders:
                ours, theirs = context.Pipe()
                process = context.Process(target=work, args=(theirs, order), daemon=True)
                process.start()
                theirs.close()
                self._members.append(_Member(order.number, process, ours))
        if self._stopping:
            self._stop_all()

    def stop(self, *_: object) -> None:
        """End the run cleanly; asked a second time, at once."""
        if self._stopping:
            raise KeyboardInterrupt
        self._stopping = True
        self._stop_all()

    def report(self, on_progress: Callable[[Progress], None]) -> Report:
        """What all of them did, once they have; raises CbsimError when one failed."""
        while left := [member for member in self._members if not member.gone]:
            if time.monotonic() > self._until:
                break
            for pipe in wait([member.pipe for member in left], 0.25):
                self._hear(next(member for member in left if member.pipe is pipe))
            self._show(on_progress)
        if self._failure:
            raise CbsimError(self._failure)
        whole = Report()
        for member in self._members:
            if (one := member.report) is not None:
                whole.add(one)
                whole.seconds = max(whole.seconds, one.seconds)
                whole.behind = max(whole.behind, one.behind)
        whole.interrupted = self._stopping
        return whole

    def _hear(self, member: _Member) -> None:
        try:
            telling: Telling = member.pipe.recv()
        except (EOFError, OSError):
            self._part_with(member)
            return
        if isinstance(telling, Progress):
            member.progress, member.told = telling, True
        elif isinstance(telling, Report):
            member.report = telling
            if telling.interrupted and not self._stopping:
                self.stop()
        elif isinstance(telling, Failure):
            self._fail(telling.why)
        else:
            member.ready = telling == READY
            if all(one.ready for one in self._members):
                self._shown = began = time.monotonic()
                for one in self._members:
                    with suppress(OSError):
                        one.pipe.send(began)

    def _part_with(self, member: _Member) -> None:
        """A worker has ended."""
        member.gone = True
        member.process.join()
        code = member.process.exitcode or 0
        # One that is told to end before it can listen just does.
        expected = self._stopping and code == -signal.SIGTERM
        if member.report is None and not expected:
            how = f"was killed by signal {-code}" if code < 0 else "ended"
            self._fail(
                f"worker {member.number + 1} of {self._workers} {how} in the midst of the run; "
                "the others were stopped"
            )

    def _fail(self, why: str) -> None:
        if not self._failure:
            self._failure = why
            self._until = time.monotonic() + _PATIENCE
        self._stopping = True
        self._stop_all()

    def _stop_all(self) -> None:
        for member in self._members:
            if member.report is None:
                member.process.terminate()

    def _show(self, on_progress: Callable[[Progress], None]) -> None:
        """Tell of the run's progress, once every worker that is at it has told of its own."""
        at_it = [member for member in self._members if member.report is None and not member.gone]
        silent = time.monotonic() - self._shown > _SILENCE
        if self._shown and at_it and (silent or all(member.told for member in at_it)):
            done = [member.report for member in self._members if member.report is not None]
            known = [member.progress for member in at_it if member.progress is not None]
            confirms = Lags()
            for member in at_it:
                if member.told and member.progress is not None:
                    confirms.merge(member.progress.confirms)
            self._shown = time.monotonic()
            for member in at_it:
                member.told = False
            if known:
                self._tell(on_progress, _together(known, done, confirms))

    def _tell(self, on_progress: Callable[[Progress], None], progress: Progress) -> None:
        try:
            on_progress(progress)
        except KeyboardInterrupt:
            # It was enough; somebody who had interrupted before wants it to end at once.
            self.stop()


def _together(known: Sequence[Progress], done: Sequence[Report], confirms: Lags) -> Progress:
    """How a run stands, of how some workers stand and what others did."""
    asked = [it.asked for it in known if it.asked is not None]
    totals = [it.total for it in known if it.total is not None]
    whole = (sum(totals) + len(done)) / (len(known) + len(done))
    return Progress(
        phase=known[0].phase,
        sent=sum(it.sent for it in known) + sum(it.sent for it in done),
        confirmed=sum(it.confirmed for it in known) + sum(it.confirmed for it in done),
        rate=sum(it.rate for it in known),
        asked=sum(asked) if asked else None,
        lag=max(it.lag for it in known),
        total=whole if len(totals) == len(known) else None,
        seconds=max(it.seconds for it in known),
        confirms=confirms,
    )


@contextmanager
def _signals(handler: Callable[..., None]) -> Iterator[None]:
    """SIGINT and SIGTERM go to a handler, where we may say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {one: signal.signal(one, handler) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, was in before.items():
            signal.signal(one, was or signal.SIG_DFL)


@contextmanager
def _blocked(one: signal.Signals) -> Iterator[None]:
    """A signal waits meanwhile, and does not reach processes that are started."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {one})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
