"""The stream of a scenario: every message it makes, in order, and when each is due."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice, repeat
from random import Random
from typing import NamedTuple

from cbsim.errors import ScenarioError
from cbsim.scenario import rate as rates
from cbsim.scenario.corpus import BUNDLE, corpora_of, drawn_by
from cbsim.scenario.export import Exporter
from cbsim.scenario.mix import Mix, weights
from cbsim.scenario.model import Injection, Phase, RateModel, Scenario
from cbsim.wire.clock import TICKS, filetime
from cbsim.wire.message import Message
from cbsim.world.estate import Estate, EstateSize
from cbsim.world.server import Latency, Server
from cbsim.world.world import World

__all__ = ["FIXED_START", "Batch", "Stream", "Timed", "messages", "profile"]

FIXED_START = datetime(2024, 1, 1, tzinfo=UTC)
"""When the clock inside messages starts if the sink is no broker."""

_BATCH = 2048
_SPAN = 0.01
"""Seconds of a schedule that a batch spans at most: making one must not make the next late."""
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)

Timed = tuple[float | None, Message, str, str]
"""Seconds after the start at which it is due (None: at once), message, name, phase."""


Maker = Callable[[list[int]], tuple[list[Message], list[str], Sequence[int]]]
"""Of moments (FILETIME): messages, their names, and for each the place of its moment."""


class Batch(NamedTuple):
    """Messages that follow one another: `dues` and `names` are as long as `messages`."""

    phase: Phase
    dues: list[float] | None
    """Seconds after the start at which each is due, never backwards; None: all at once."""
    messages: list[Message]
    names: list[str]


def messages(scenario: Scenario, start: datetime, count: int | None = None) -> Iterator[Timed]:
    """Every message of a scenario in order; the same scenario and start give the same bytes."""
    for phase in Stream(scenario, start).phases(count):
        for batch in phase:
            dues = repeat(None) if batch.dues is None else batch.dues
            yield from zip(dues, batch.messages, batch.names, repeat(batch.phase.name))


class Stream:
    """A scenario's messages by the batch; the same scenario and start give the same ones.

    Raises ScenarioError for what the estate cannot do.
    """

    def __init__(self, scenario: Scenario, start: datetime) -> None:
        if start < _EARLIEST:
            raise ScenarioError(f"start {start.isoformat()}: expected a time after 1970")
        wanted = scenario.server
        server = Server(
            wanted.version, wanted.dialect, wanted.name, Latency(**wanted.latency.model_dump())
        )
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
        self._scenario = scenario
        self._shares = [
            weights(phase.mix, wanted.version, wanted.broadcast) if phase.source == "world" else {}
            for phase in scenario.phases
        ]
        self._corpora = corpora_of(scenario)
        published = frozenset(name for share in self._shares for name in share)
        self._origin = filetime(start)
        self._world = World(estate, server, published, scenario.seed, self._origin)
        self._exporter = Exporter(wanted.raw, wanted.bundle, zipped=wanted.zipped)
        self._began = 0.0
        _check(scenario, self._world)

    def phases(self, count: int | None = None) -> Iterator[Iterator[Batch]]:
        """The batches of each phase; who stops in the midst of one goes on with the next.

        `count`: how many messages there are in all, at most.
        """
        left = [count]
        for number in range(len(self._scenario.phases)):
            yield _up_to(self._phase(number), left)
        last = self._scenario.phases[-1]
        rest = [*self._exporter.rest(self._origin + int(self._began * TICKS))]
        if rest:
            yield _up_to(iter([Batch(last, None, rest, [BUNDLE] * len(rest))]), left)

    def _phase(self, number: int) -> Iterator[Batch]:
        phase, seed = self._scenario.phases[number], self._scenario.seed
        world, began = self._world, self._began
        make = self._maker(number)
        pending = sorted(phase.inject, key=lambda injection: injection.at)
        unpaced = phase.rate == rates.MAX
        ends = phase.duration if phase.duration is not None and not unpaced else None
        # A phase lasts as long as it says, even if its last message comes before its end.
        self._began = began + (ends or 0.0)
        for ats in _blocks(phase, ends, Random(f"{seed}:rate:{number}")):
            while ats:
                while pending and pending[0].at <= ats[0]:
                    moment = self._origin + int((began + ats[0]) * TICKS)
                    _inject(world, pending.pop(0), moment)
                cut = bisect_left(ats, pending[0].at) if pending else len(ats)
                dues, ats = [began + at for at in ats[:cut]], ats[cut:]
                origin, ticks = self._origin, float(TICKS)
                moments = [origin + int(due * ticks) for due in dues]
                sent, names, positions = make(moments)
                if ends is None:
                    self._began = dues[-1]
                if not sent:
                    # All of it waits in bundles.
                    continue
                if unpaced:
                    yield Batch(phase, None, sent, names)
                else:
                    yield Batch(phase, [dues[at] for at in positions], sent, names)

    def _maker(self, number: int) -> Maker:
        """What makes the messages of a phase for the moments at which they are sent."""
        phase, seed = self._scenario.phases[number], self._scenario.seed
        if phase.source == "strategies":
            return self._corpora[drawn_by(phase)].take
        mix = Mix(
            self._world, self._shares[number], Random(f"{seed}:mix:{number}"), cover=phase.cover
        )
        export = self._exporter.export
        return lambda moments: export(mix.take(moments), moments)


def _blocks(phase: Phase, ends: float | None, rng: Random) -> Iterator[list[float]]:
    """When the messages of a phase are due, seconds after it began, a block at a time."""
    schedule = islice(profile(phase)(rng), phase.count)
    while ats := [*islice(schedule, _BATCH)]:
        over = ends is not None and ats[-1] >= ends
        if over:
            del ats[bisect_left(ats, ends or 0.0) :]
        while ats:
            cut = len(ats) if phase.rate == rates.MAX else bisect_right(ats, ats[0] + _SPAN)
            yield ats[:cut]
            del ats[:cut]
        if over:
            return


def _up_to(batches: Iterator[Batch], left: list[int | None]) -> Iterator[Batch]:
    """Batches up to so many messages; how many are left is counted down."""
    for batch in batches:
        if (count := left[0]) is not None:
            if count <= 0:
                return
            if len(batch.messages) > count:
                dues = None if batch.dues is None else batch.dues[:count]
                batch = Batch(batch.phase, dues, batch.messages[:count], batch.names[:count])
            left[0] = count - len(batch.messages)
        yield batch


def profile(phase: Phase) -> rates.Profile:
    """When the messages of a phase are due."""
    rate = phase.rate
    if rate == rates.MAX:
        return rates.constant(phase.usual)
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
        world.spread(injection.spread.sensors)
