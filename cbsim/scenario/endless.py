"""Runs a scenario on and on: a server never stops speaking."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

from cbsim.bus.sink import Sink
from cbsim.scenario.model import Scenario
from cbsim.scenario.runner import Progress, Report, run

__all__ = ["repeated", "run_endlessly"]

_LIFE = 4 * 3600.0
_MOST_ROUNDS = 2000


def run_endlessly(
    scenario: Scenario,
    sink: Sink,
    start: datetime,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Report:
    """Publish a scenario, its phases again and again, until a KeyboardInterrupt.

    The world and the clock inside messages go on from round to round. After some hours the server
    begins a new life: a world from the next seed, from the time that it is by then.
    """
    whole, began = Report(), time.monotonic()
    for life in count():

        def tell(progress: Progress) -> None:
            on_progress(
                replace(
                    progress,
                    sent=whole.sent + progress.sent,
                    confirmed=whole.confirmed + progress.confirmed,
                    total=None,
                    seconds=whole.seconds + progress.seconds,
                )
            )

        moment = start + timedelta(seconds=time.monotonic() - began)
        lived = repeated(scenario).model_copy(update={"seed": scenario.seed + life})
        report = run(lived, sink, moment, on_progress=tell)
        whole.add(report)
        whole.behind = report.behind
        whole.seconds = time.monotonic() - began
        if report.interrupted:
            whole.interrupted = True
            return whole
    raise AssertionError("unreachable")


def repeated(scenario: Scenario) -> Scenario:
    """The scenario with its phases repeated for some hours, each under a name of its own."""
    length = sum(phase.duration or 1.0 for phase in scenario.phases)
    rounds = min(math.ceil(_LIFE / length), _MOST_ROUNDS)
    phases = [
        phase.model_copy(update={"name": f"{phase.name}, round {number}"})
        for number in range(1, rounds + 1)
        for phase in scenario.phases
    ]
    return scenario.model_copy(update={"phases": tuple(phases)})
