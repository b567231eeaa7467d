"""Runs a scenario: what the world says, at the rate that was asked, into a sink."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from cbsim.bus.sink import Sink
from cbsim.scenario import rate as rates
from cbsim.scenario.model import Scenario
from cbsim.scenario.stream import messages

__all__ = ["Progress", "Report", "run"]


@dataclass(slots=True)
class Report:
    """What a run did."""

    sent: int = 0
    confirmed: int = 0
    seconds: float = 0.0
    per_name: Counter[str] = field(default_factory=Counter)
    lag: float = 0.0
    """The most it ever was behind schedule, in seconds."""
    behind: float = 0.0
    """How far it was behind at its end, in seconds."""
    interrupted: bool = False
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How a run stands, told about once a second."""

    phase: str
    sent: int
    confirmed: int
    rate: float
    """Messages sent in the last second."""
    asked: float | None
    """Messages that were due in that second; None at `max`."""
    lag: float
    total: float | None
    """How much of the run is done, 0 to 1, when that is known."""


def run(
    scenario: Scenario,
    sink: Sink,
    start: datetime,
    *,
    count: int | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Report:
    """Publish a scenario on schedule, open loop, and wait for the last confirm.

    A KeyboardInterrupt ends it cleanly: what was handed over is still confirmed.
    """
    report = Report()
    stream = messages(scenario, start, count)
    phases = {phase.name: phase for phase in scenario.phases}
    known = [phase.duration for phase in scenario.phases if phase.rate != rates.MAX]
    length = sum(filter(None, known)) if all(known) and len(known) == len(phases) else None
    first = next(stream, None)
    began = told = time.monotonic()
    told_sent = due_sent = 0
    phase_began: dict[str, float] = {}
    skip: str | None = None
    per_name = report.per_name
    try:
        while first is not None:
            due, message, name, phase_name = first
            now = time.monotonic()
            if due is not None:
                ahead = began + due - now
                if ahead > 0.0005:
                    time.sleep(ahead)
                    now += ahead
                elif -ahead > report.lag:
                    report.lag = -ahead
                report.behind = max(0.0, -ahead)
                due_sent += 1
            else:
                limit = phases[phase_name].duration
                if limit is not None and phases[phase_name].rate == rates.MAX:
                    opened = phase_began.setdefault(phase_name, now)
                    if now - opened >= limit:
                        skip = phase_name
            if skip is not None:
                if phase_name == skip and due is None and name != "bundle":
                    if phase_name == scenario.phases[-1].name:
                        break
                    first = next(stream, None)
                    continue
                skip = None
            sink.publish(message)
            report.sent += 1
            per_name[name] += 1
            if now - told >= 1.0:
                passed = now - told
                done = (
                    (now - began) / length if length else (report.sent / count if count else None)
                )
                on_progress(
                    Progress(phase_name, report.sent, sink.confirmed,
                             (report.sent - told_sent) / passed,
                             None if due is None else due_sent / passed, report.behind, done)
                )  # fmt: skip
                told, told_sent, due_sent = now, report.sent, 0
            first = next(stream, None)
    except KeyboardInterrupt:
        report.interrupted = True
    sink.flush()
    report.confirmed = sink.confirmed
    report.seconds = time.monotonic() - began
    return report
