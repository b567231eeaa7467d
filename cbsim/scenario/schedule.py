"""Schedules: when the messages of a phase are due, and how many of them are made at once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import islice
from random import Random

from cbsim.scenario import rate as rates
from cbsim.scenario.model import Phase, Scenario
from cbsim.scenario.rate_profile import RateProfile
from cbsim.scenario.shard import Shard

__all__ = ["Schedule", "batches", "end", "schedules"]

Schedule = Iterator[list[float]]
"""When a phase's messages are due, seconds after it began, so many for each shard at a time."""

_BATCH = 2048
_SPAN = 0.01
"""Seconds of a schedule that a batch spans at most: making one must not make the next late."""


def schedules(scenario: Scenario, shards: int = 1) -> list[Schedule]:
    """The schedule of each phase, for so many shards that take a moment each in turn."""
    return [
        _blocks(phase, f"{scenario.seed}:rate:{number}", _most(phase, shards) * shards)
        for number, phase in enumerate(scenario.phases)
    ]


def batches(block: list[float], shard: Shard, *, unpaced: bool) -> Iterator[list[float]]:
    """A shard's moments of a block by the batch: as many as the whole run's batches would have."""
    ats = shard.slice(block)
    # The first ones differ, so that shards of one process do not make theirs at the same time.
    spans = shard.number + 1
    while ats:
        cut = len(ats) if unpaced else bisect_right(ats, ats[0] + _SPAN * spans)
        yield ats[:cut]
        del ats[:cut]
        spans = shard.of


def end(phase: Phase) -> float | None:
    """When the schedule of a phase is over; one at `max` ends by the wall's clock."""
    return None if phase.rate == rates.MAX else phase.duration


def _most(phase: Phase, shards: int) -> int:
    """How many of a shard's moments are worked out at a time."""
    if shards == 1 or not isinstance(phase.rate, RateProfile):
        return _BATCH
    # A second of what changes: where it is slow, so many would take long.
    return max(1, min(_BATCH, int(phase.usual / shards)))


def _blocks(phase: Phase, seed: str, size: int) -> Schedule:
    schedule = islice(_profile(phase)(Random(seed)), phase.count)
    ends = end(phase)
    while ats := [*islice(schedule, size)]:
        over = ends is not None and ats[-1] >= ends
        if over:
            del ats[bisect_left(ats, ends or 0.0) :]
        if ats:
            yield ats
        if over:
            return


def _profile(phase: Phase) -> rates.Profile:
    """When the messages of a phase are due."""
    rate = phase.rate
    if rate == rates.MAX:
        return rates.constant(phase.usual)
    if not isinstance(rate, RateProfile):
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
