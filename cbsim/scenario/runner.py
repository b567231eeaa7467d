"""Runs a scenario: what the world says, at the rate that was asked, into a sink."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from cbsim.bus.sink import Sink
from cbsim.scenario import rate as rates
from cbsim.scenario.export import Exporter
from cbsim.scenario.mix import Mix, weights
from cbsim.scenario.model import Injection, Phase, RateModel, Scenario
from cbsim.wire.clock import TICKS, filetime
from cbsim.wire.message import Message
from cbsim.world.estate import Estate, EstateSize
from cbsim.world.world import Latency, Server, World

__all__ = ["FIXED_START", "Progress", "Report", "messages", "run"]

FIXED_START = datetime(2024, 1, 1, tzinfo=UTC)
"""When the clock inside messages starts if the sink is no broker."""


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


Timed = tuple[float | None, Message, str, str]
"""Seconds after the start at which it is due (None: at once), message, name, phase."""


def messages(scenario: Scenario, start: datetime, count: int | None = None) -> Iterator[Timed]:
    """Every message of a scenario in order; the same scenario and start give the same bytes."""
    estate = Estate(
        EstateSize(
            sensors=scenario.estate.sensors,
            binaries=scenario.estate.binaries,
            groups=scenario.estate.groups,
            os_mix=scenario.estate.os.model_dump(),
            spread=scenario.estate.spread,
        ),
        scenario.seed,
    )
    wanted = scenario.server
    server = Server(
        wanted.version, wanted.dialect, wanted.name, Latency(**wanted.latency.model_dump())
    )
    shares = [weights(phase.mix, wanted.version, wanted.broadcast) for phase in scenario.phases]
    published = frozenset(name for share in shares for name in share)
    origin = filetime(start)
    world = World(estate, server, published, scenario.seed, origin)
    _check(scenario, world)
    exporter = Exporter(wanted.raw, wanted.bundle, zipped=wanted.zipped)
    began, sent = 0.0, 0
    for number, (phase, share) in enumerate(zip(scenario.phases, shares, strict=True)):
        rng = Random(f"{scenario.seed}:phase:{number}")
        mix = Mix(world, share, rng, cover=phase.cover)
        pending = sorted(phase.inject, key=lambda injection: injection.at)
        unpaced = phase.rate == rates.MAX
        at = 0.0
        for done, at in enumerate(profile(phase)(rng)):
            if phase.count is not None and done >= phase.count:
                break
            if phase.duration is not None and at >= phase.duration and not unpaced:
                break
            moment = origin + int((began + at) * TICKS)
            while pending and pending[0].at <= at:
                _inject(world, pending.pop(0), moment)
            happening = mix.next(moment)
            due = None if unpaced else began + at
            for message in exporter.export(happening, moment):
                yield due, message, happening.name, phase.name
                sent += 1
                if count is not None and sent >= count:
                    return
        # A phase lasts as long as it says, even if its last message comes before its end.
        began += phase.duration if phase.duration is not None and not unpaced else at
    for message in exporter.rest(origin + int(began * TICKS)):
        yield None, message, "bundle", scenario.phases[-1].name


def profile(phase: Phase) -> rates.Profile:
    """When the messages of a phase are due."""
    rate = phase.rate
    if rate == rates.MAX:
        return rates.constant(rates.NOMINAL)
    if not isinstance(rate, RateModel):
        assert isinstance(rate, float | int)
        return rates.constant(rate)
    if rate.poisson is not None:
        return rates.poisson(rate.poisson)
    if rate.ramp is not None:
        length = phase.duration or 60.0
        return rates.varying(rates.ramp(rate.ramp.start, rate.ramp.end, length))
    if rate.sine is not None:
        return rates.varying(rates.sine(rate.sine.mean, rate.sine.amplitude, rate.sine.period))
    if rate.burst is not None:
        it = rate.burst
        return rates.varying(rates.burst(it.base, it.peak, it.every, it.length))
    return rates.varying(rates.steps([(step.length, step.rate) for step in rate.steps or ()]))


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


def _check(scenario: Scenario, world: World) -> None:
    for phase in scenario.phases:
        for injection in phase.inject:
            if injection.hit is not None:
                world.sensor(injection.hit.sensor)
                world.report(injection.hit.report)
            if injection.ransomware is not None:
                world.sensor(injection.ransomware.sensor)


def _inject(world: World, injection: Injection, moment: int) -> None:
    if injection.hit is not None:
        feed, report = world.report(injection.hit.report)
        world.hit(world.sensor(injection.hit.sensor), feed, report, moment)
    elif injection.ransomware is not None:
        ransomware = injection.ransomware
        world.infect(world.sensor(ransomware.sensor), ransomware.files, moment)
    elif injection.spread is not None:
        world.spread(moment, injection.spread.sensors)
