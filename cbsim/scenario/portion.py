"""A worker's portion of a run: the streams of its shards, merged by when they are due."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice, tee, zip_longest
from operator import itemgetter

from cbsim.errors import ScenarioError
from cbsim.scenario.model import Scenario
from cbsim.scenario.schedule import schedules
from cbsim.scenario.shard import SHARDS, dealt
from cbsim.scenario.stream import Batch, Setting, Stream, estate_of, published_by
from cbsim.wire.message import Message

__all__ = ["Portion", "check", "merged"]


_FEW = 10_000
"""Sensors of an estate that is made at once; of a larger one, there are enough of any kind."""


class Portion:
    """What one of so many workers sends, the first being 0; raises ScenarioError.

    It owns every so many-th shard, and gives the messages of each in the order in which that shard
    alone would.
    """

    def __init__(
        self, scenario: Scenario, start: datetime, worker: int = 0, workers: int = 1
    ) -> None:
        setting = Setting(scenario)
        shards = dealt(setting.estate, setting.published)
        if workers > len(shards):
            raise _too_many(workers, len(shards))
        self.shards = shards[worker::workers]
        # Each schedule is worked out once, whatever the number of shards.
        rows = [tee(it, len(self.shards)) for it in schedules(scenario, len(shards))]
        self.streams = [
            Stream(scenario, start, setting, shard, [row[at] for row in rows])
            for at, shard in enumerate(self.shards)
        ]

    def share(self, count: int | None) -> int | None:
        """How many of so many messages are of this portion."""
        return None if count is None else sum(shard.share(count) for shard in self.shards)

    def phases(self, count: int | None = None) -> Iterator[Iterator[Batch]]:
        """The batches of each phase; `count`: how many messages there are in all portions."""
        each = [
            stream.phases(None if count is None else shard.share(count))
            for shard, stream in zip(self.shards, self.streams, strict=True)
        ]
        # Not every shard has something left for the end.
        for parts in zip_longest(*each, fillvalue=iter(())):
            yield parts[0] if len(parts) == 1 else merged(parts)


def check(scenario: Scenario, workers: int) -> None:
    """Raises ScenarioError for more workers than the scenario's estate can have."""
    most = min(SHARDS, scenario.estate.sensors)
    if scenario.estate.sensors <= _FEW:
        most = len(dealt(estate_of(scenario), published_by(scenario)))
    if workers > most:
        raise _too_many(workers, most)


def merged(parts: Sequence[Iterator[Batch]]) -> Iterator[Batch]:
    """The batches of several streams: by when messages are due, else one of each in turn."""
    turns, waiting = [*parts], list[tuple[Iterator[Batch], Batch, list[float]]]()
    while turns or waiting:
        unpaced = []
        for part in turns:
            if (batch := next(part, None)) is None:
                continue
            if batch.dues is None:
                unpaced.append(part)
                yield batch
            else:
                waiting.append((part, batch, batch.dues))
        turns = unpaced
        if waiting:
            until = min(dues[-1] for _, _, dues in waiting)
            yield _until(until, [(batch, dues) for _, batch, dues in waiting])
            turns += [part for part, _, dues in waiting if dues[-1] <= until]
            waiting = [
                (part, batch._replace(messages=batch.messages[at:], names=batch.names[at:]), later)
                for part, batch, dues in waiting
                if (later := dues[(at := bisect_right(dues, until)) :])
            ]


def _until(until: float, batches: Sequence[tuple[Batch, list[float]]]) -> Batch:
    """What is due up to a moment, in the order in which it is."""
    taken: list[tuple[float, Message, str]] = []
    for batch, dues in batches:
        upto = bisect_right(dues, until)
        taken += islice(zip(dues, batch.messages, batch.names, strict=True), upto)
    taken.sort(key=itemgetter(0))
    moments, messages, names = zip(*taken, strict=True)
    return Batch(batches[0][0].phase, [*moments], [*messages], [*names])


def _too_many(workers: int, most: int) -> ScenarioError:
    shards = "1 shard" if most == 1 else f"{most} shards"
    return ScenarioError(
        f"{workers} workers: expected at most {most}, since this estate is dealt to {shards}"
    )
