"""The stream of a scenario: every message it makes, in order, and when each is due."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import repeat
from random import Random
from typing import NamedTuple

from cbsim.errors import ScenarioError
from cbsim.scenario import rate as rates
from cbsim.scenario.corpus import BUNDLE, corpora_of, drawn_by
from cbsim.scenario.export import Exporter
from cbsim.scenario.impairment import Impairment, Inserted
from cbsim.scenario.mix import Mix, weights
from cbsim.scenario.model import Injection, Phase, Scenario
from cbsim.scenario.schedule import Schedule, batches, end, schedules
from cbsim.scenario.shard import WHOLE, Shard
from cbsim.wire.clock import TICKS, filetime
from cbsim.wire.message import Message
from cbsim.world.estate import Estate
from cbsim.world.world import World

__all__ = [
    "FIXED_START",
    "Batch",
    "Setting",
    "Stream",
    "Timed",
    "estate_of",
    "messages",
    "published_by",
]

FIXED_START = datetime(2024, 1, 1, tzinfo=UTC)
"""When the clock inside messages starts if the sink is no broker."""

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)

Timed = tuple[float | None, Message, str, str]
"""Seconds after the start at which it is due (None: at once), message, name, phase."""


Maker = Callable[[list[int]], tuple[list[Message], list[str], Sequence[int]]]
"""Of moments (FILETIME): messages, their names, and for each the place of its moment."""


class Batch(NamedTuple):
    """Messages that follow one another: `dues` and `names` are as long as `messages`."""

    phase: Phase
    dues: list[float] | None
    """Seconds after the start at which each is due, never backwards; None: all at once. The time
    that phases at `max` take does not count.
    """
    messages: list[Message]
    names: list[str]


def messages(scenario: Scenario, start: datetime, count: int | None = None) -> Iterator[Timed]:
    """Every message of a scenario in order; the same scenario and start give the same bytes."""
    for phase in Stream(scenario, start).phases(count):
        for batch in phase:
            dues = repeat(None) if batch.dues is None else batch.dues
            yield from zip(dues, batch.messages, batch.names, repeat(batch.phase.name))


class Setting:
    """What the shards of a scenario have in common; raises ScenarioError for what cannot be."""

    def __init__(self, scenario: Scenario) -> None:
        self.server = scenario.server
        self.estate = estate_of(scenario)
        self.shares = [_shares(phase, scenario) for phase in scenario.phases]
        """For each phase, the weights of the names that the world makes."""
        self.corpora = corpora_of(scenario)
        self.inserted = Inserted(scenario)
        self.published = published_by(scenario)
        _check(scenario, self.estate)


def estate_of(scenario: Scenario) -> Estate:
    """The endpoints of a scenario and what is on them."""
    return Estate(scenario.estate, scenario.seed)


def published_by(scenario: Scenario) -> frozenset[str]:
    """The names that the world of a scenario makes; raises ScenarioError for what is not sent."""
    return frozenset(name for phase in scenario.phases for name in _shares(phase, scenario))


def _shares(phase: Phase, scenario: Scenario) -> dict[str, float]:
    server = scenario.server
    return weights(phase.mix, server.version, server.broadcast) if phase.source == "world" else {}


class Stream:
    """A scenario's messages by the batch, or a shard's part of them.

    The same scenario, start and shard give the same ones. Raises ScenarioError for what the estate
    cannot do. `schedule` is as `schedules` gives it.
    """

    def __init__(
        self,
        scenario: Scenario,
        start: datetime,
        setting: Setting | None = None,
        shard: Shard = WHOLE,
        schedule: Sequence[Schedule] | None = None,
    ) -> None:
        if start < _EARLIEST:
            raise ScenarioError(f"start {start.isoformat()}: expected a time after 1970")
        setting = setting or Setting(scenario)
        self._scenario, self._shard, self._seed = scenario, shard, shard.seed(scenario.seed)
        self._schedule = schedule or schedules(scenario)
        self._shares = setting.shares
        self._corpora = {
            by: corpus.dealt(shard.number, shard.of) for by, corpus in setting.corpora.items()
        }
        self._origin = filetime(start)
        self._impairment = Impairment(scenario, setting.inserted, self._origin)
        self._estate = shard.estate(setting.estate)
        self._world = World(
            self._estate, setting.server, setting.published, self._seed, self._origin
        )
        wanted = scenario.server
        self._exporter = Exporter(wanted.raw, wanted.bundle, zipped=wanted.zipped)
        self._began = self._due = 0.0
        """Seconds of the clock inside messages, and of the schedule, before the phase."""

    def phases(self, count: int | None = None) -> Iterator[Iterator[Batch]]:
        """The batches of each phase; who stops in the midst of one goes on with the next.

        `count`: how many messages there are in all, at most, but for what faults add.
        """
        left = [count]
        for number in range(len(self._scenario.phases)):
            yield self._impairment.applied(_up_to(self._phase(number), left))
        last = self._scenario.phases[-1]
        rest = [*self._exporter.rest(self._origin + int(self._began * TICKS))]
        if rest:
            whole = Batch(last, None, rest, [BUNDLE] * len(rest))
            yield self._impairment.applied(_up_to(iter([whole]), left))
        held, names = self._impairment.rest()
        if held:
            yield iter([Batch(last, None, held, names)])

    def _phase(self, number: int) -> Iterator[Batch]:
        phase, world = self._scenario.phases[number], self._world
        began, due = self._began, self._due
        make = self._maker(number)
        pending = sorted(self._injected(phase), key=lambda injection: injection.at)
        unpaced, ends = phase.rate == rates.MAX, end(phase)
        # A phase lasts as long as it says, even if its last message comes before its end.
        self._began, self._due = began + (ends or 0.0), due + (ends or 0.0)
        for block in self._schedule[number]:
            if ends is None:
                self._began = began + block[-1]
                # Nobody knows when a phase at `max` ends: the schedule waits for it.
                self._due = due if unpaced else due + block[-1]
            for ats in batches(block, self._shard, unpaced=unpaced):
                while ats:
                    while pending and pending[0].at <= ats[0]:
                        moment = self._origin + int((began + ats[0]) * TICKS)
                        _inject(world, pending.pop(0), moment)
                    cut = bisect_left(ats, pending[0].at) if pending else len(ats)
                    these, ats = ats[:cut], ats[cut:]
                    origin, ticks = self._origin, float(TICKS)
                    moments = [origin + int((began + at) * ticks) for at in these]
                    sent, names, positions = make(moments)
                    if not sent:
                        # All of it waits in bundles.
                        continue
                    if unpaced:
                        yield Batch(phase, None, sent, names)
                    else:
                        dues = [due + these[position] for position in positions]
                        yield Batch(phase, dues, sent, names)

    def _injected(self, phase: Phase) -> Iterator[Injection]:
        """What happens to this shard: to a sensor of its own, or where it does not matter."""
        for number, injection in enumerate(phase.inject):
            endpoint = injection.hit or injection.ransomware
            if endpoint is None:
                if number % self._shard.of == self._shard.number:
                    yield injection
            elif self._estate.owns(endpoint.sensor):
                yield injection

    def _maker(self, number: int) -> Maker:
        """What makes the messages of a phase for the moments at which they are sent."""
        phase, shares = self._scenario.phases[number], self._shares[number]
        if phase.source == "strategies":
            return self._corpora[drawn_by(phase)].take
        cover = self._shard.slice([*shares]) if phase.cover else []
        mix = Mix(self._world, shares, Random(f"{self._seed}:mix:{number}"), cover)
        export = self._exporter.export
        return lambda moments: export(mix.take(moments), moments)


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


def _check(scenario: Scenario, estate: Estate) -> None:
    for phase in scenario.phases:
        for injection in phase.inject:
            try:
                if injection.hit is not None:
                    estate.sensor(injection.hit.sensor)
                    estate.report(injection.hit.report)
                if injection.ransomware is not None:
                    estate.sensor(injection.ransomware.sensor)
            except ScenarioError as error:
                raise ScenarioError(f"{injection.where}{error}") from None


def _inject(world: World, injection: Injection, moment: int) -> None:
    estate = world.estate
    if injection.hit is not None:
        feed, report = estate.report(injection.hit.report)
        world.hit(estate.sensor(injection.hit.sensor), feed, report, moment)
    elif injection.ransomware is not None:
        ransomware = injection.ransomware
        world.infect(estate.sensor(ransomware.sensor), ransomware.files, moment)
    elif injection.spread is not None:
        world.spread(injection.spread.sensors)
