"""Two runs beside each other: what became better or worse, and whether noise lets one say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import sqrt
from statistics import fmean, variance

from cbsim.load.account import Account
from cbsim.load.timeline import Moment

__all__ = ["Change", "Contrast", "contrasts", "differences"]

_BLOCKS = 10
"""Neighbouring seconds are alike; the means of so many blocks hardly depend on each other."""
_FEWEST = 4
_SURE = 2.1
"""How many standard errors a difference has at least that is none by chance, 19 times of 20."""
_SAME = 0.01
"""A difference that is no larger, as a share, is none that matters."""


class Change(StrEnum):
    """How the second run compares with the first."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "no difference"
    UNSURE = "within the noise"
    SHORT = "too short to say"


@dataclass(frozen=True, slots=True)
class _Measure:
    name: str
    unit: str
    """`/s`, `s` or nothing."""
    of: Callable[[Moment], float | None]
    more_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Contrast:
    """One measure of both runs: means over their time."""

    name: str
    unit: str
    before: float
    after: float
    noise: float | None
    """How large a difference may be by chance; None where nobody can tell."""
    change: Change

    @property
    def share(self) -> float | None:
        """By how much it changed, as a share of what it was; None for what was nothing."""
        return (self.after - self.before) / self.before if self.before else None


def _worst(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _confirm(number: int) -> Callable[[Moment], float | None]:
    return lambda moment: None if moment.confirms is None else moment.confirms[number]


_MEASURES = (
    _Measure("sent", "/s", lambda moment: moment.sent, more_is_better=True),
    _Measure("consumed", "/s", lambda moment: moment.consumed, more_is_better=True),
    _Measure("behind schedule", "s", lambda moment: moment.behind),
    _Measure("confirmed in, p50", "s", _confirm(0)),
    _Measure("confirmed in, p95", "s", _confirm(1)),
    _Measure("confirmed in, p99", "s", _confirm(2)),
    _Measure("depth, deepest queue", "",
             lambda moment: _worst([queue.depth for queue in moment.queues.values()])),
    _Measure("consumers behind", "s",
             lambda moment: _worst([queue.lag for queue in moment.queues.values()])),
)  # fmt: skip


def contrasts(before: Account, after: Account) -> list[Contrast]:
    """What both runs have measured, beside each other.

    Of runs of the same scenario, moments are compared with those at the same time: what the
    scenario itself makes go up and down is no noise then.
    """
    paired = before.origin.document == after.origin.document
    found = []
    for measure in _MEASURES:
        first, second = (
            [value for moment in run.moments if (value := measure.of(moment)) is not None]
            for run in (before, after)
        )
        if first and second:
            found.append(_contrast(measure, first, second, paired=paired))
    return found


def differences(before: Account, after: Account) -> list[str]:
    """In what the runs differ besides what was measured: a sentence each."""
    said = []
    for name in ("scenario", "seed", "server", "workers", "cbsim", "python", "system",
                 "processors"):  # fmt: skip
        first, second = (getattr(run.origin, name) for run in (before, after))
        if first != second:
            said.append(f"{name}: {first}, then {second}")
    if before.origin.document != after.origin.document and before.origin.seed == after.origin.seed:
        said.append("the scenario is not the same: rates, durations or the mix differ")
    return said


def _contrast(
    measure: _Measure, first: Sequence[float], second: Sequence[float], *, paired: bool
) -> Contrast:
    common = min(len(first), len(second))
    if paired:
        first, second = first[:common], second[:common]
    before, after = fmean(first), fmean(second)
    noise = None
    if common >= _FEWEST:
        apart = [late - early for early, late in zip(first, second, strict=False)]
        noise = _SURE * sqrt(_error(apart) if paired else _error(first) + _error(second))
    return Contrast(
        measure.name, measure.unit, before, after, noise,
        _change(after - before, max(before, after), noise, measure.more_is_better),
    )  # fmt: skip


def _change(difference: float, size: float, noise: float | None, more_is_better: bool) -> Change:
    if noise is None:
        return Change.SHORT
    if abs(difference) <= noise:
        return Change.SAME if noise <= _SAME * size else Change.UNSURE
    if abs(difference) <= _SAME * size:
        return Change.SAME
    return Change.BETTER if (difference > 0) == more_is_better else Change.WORSE


def _error(values: Sequence[float]) -> float:
    """The variance of the mean, of blocks of neighbours."""
    count = min(_BLOCKS, len(values))
    bounds = [number * len(values) // count for number in range(count + 1)]
    means = [fmean(values[start:end]) for start, end in pairwise(bounds)]
    return variance(means) / count
