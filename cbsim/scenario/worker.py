"""A worker: a process that publishes its portion of a run and tells the crew how it goes.

It ends when it was told to (SIGTERM): what was handed over is still confirmed then. It ends at once
when the process that started it is gone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait

from cbsim.bus.sink import Sink
from cbsim.errors import CbsimError
from cbsim.interrupt import heed, note, taken, whole
from cbsim.scenario.model import Scenario
from cbsim.scenario.portion import Portion
from cbsim.scenario.runner import Progress, Report, conduct

__all__ = ["READY", "Failure", "Orders", "Telling", "work"]

READY = "ready"
"""Everything is built: it waits for the moment at which the run begins (monotonic)."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a worker has to do: its portion of a scenario."""

    scenario: Scenario
    start: datetime
    number: int
    """Of the workers, the first being 0."""
    workers: int
    count: int | None
    sink: Callable[[], Sink] = field(repr=False)
    """Opens where the messages go; pickled, it goes through a pipe, and shows nowhere."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a worker could not go on, in a sentence."""

    why: str


Telling = str | Progress | Report | Failure
"""What a worker tells: READY, how it stands, and in the end what it did or why it could not."""


def work(crew: Connection, orders: Orders) -> None:
    """Publish a portion; the last that is told is a Report or a Failure."""
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    told: Report | Failure = Report(interrupted=True)
    # Once: what is being confirmed then is confirmed in peace. And only where we catch it.
    with taken(twice=False, noting=True):
        with suppress(KeyboardInterrupt):
            heed()
            told = _outcome(crew, orders)
            note()
        # Without a crew, nobody wants to know.
        with suppress(OSError):
            whole(partial(crew.send, told))


def _outcome(crew: Connection, orders: Orders) -> Report | Failure:
    try:
        return _published(crew, orders)
    except CbsimError as error:
        return Failure(str(error))
    except Exception as unknown:  # whoever waits for us must hear of it
        return Failure(f"worker {orders.number + 1} of {orders.workers} failed: {unknown!r}")


def _published(crew: Connection, orders: Orders) -> Report:
    def ready() -> float:
        _tell(crew, READY)
        moment: float = crew.recv()
        return moment

    portion = Portion(orders.scenario, orders.start, orders.number, orders.workers)
    sink = orders.sink()
    try:
        return conduct(
            orders.scenario,
            portion.phases(orders.count),
            sink,
            count=portion.share(orders.count),
            on_progress=lambda progress: _tell(crew, progress),
            begin=ready,
        )
    finally:
        sink.close()


def _tell(crew: Connection, telling: Telling) -> None:
    # Half of a telling would be none.
    if whole(partial(crew.send, telling)):
        raise KeyboardInterrupt


def _leave_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
