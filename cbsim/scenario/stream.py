"""The stream of a scenario: every message it makes, in order, and when each is due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

from cbsim.scenario import rate as rates
from cbsim.scenario.export import Exporter
from cbsim.scenario.mix import Mix, weights
from cbsim.scenario.model import Injection, Phase, RateModel, Scenario
from cbsim.wire.clock import TICKS, filetime
from cbsim.wire.message import Message
from cbsim.world.estate import Estate, EstateSize
from cbsim.world.world import Latency, Server, World

__all__ = ["FIXED_START", "Timed", "messages", "profile"]

FIXED_START = datetime(2024, 1, 1, tzinfo=UTC)
"""When the clock inside messages starts if the sink is no broker."""

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
