"""How a run went from its beginning to its end: what came and how late, a stretch at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cbsim.checks.matching import Matching

__all__ = ["Stretch", "course_of"]

_WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)
_MOST = 60
_SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was published in some seconds of a run, and what became of it."""

    begins: float
    """Seconds since the run's beginning."""
    lasts: float
    sent: int
    missing: int
    """Of those, the messages that have no item of their own, damaged ones among them."""
    latency: dict[str, float] = field(default_factory=dict)
    """As in a Comparison."""
    names: dict[str, int] = field(default_factory=dict)
    """Of the missing, how many are of each name."""


def course_of(
    matching: Matching, published: NDArray[np.float64], seconds: NDArray[np.float64]
) -> list[Stretch]:
    """The stretches of a run, at most 60; `seconds` is how late each matched item was."""
    if not len(matching.entries.keys):
        return []
    at = matching.published(np.arange(len(matching.entries.keys)))
    begin, end = float(at.min()), float(at.max())
    span = end - begin
    width = next((width for width in _WIDTHS if span / width < _MOST), span / (_MOST - 1))
    count = int((end - begin) // width) + 1
    places = ((at - begin) // width).astype(np.int64)
    sent = np.bincount(places, minlength=count)
    gone = matching.missing
    missing = np.bincount(places[gone], minlength=count)
    names: list[dict[str, int]] = [{} for _ in range(count)]
    for number in np.flatnonzero(missing).tolist():
        names[number] = dict(matching.counts(gone[places[gone] == number]))
    late: list[dict[str, float]] = [{} for _ in range(count)]
    if len(seconds):
        theirs = ((published - begin) // width).astype(np.int64)
        order = np.argsort(theirs, kind="stable")
        cuts = np.searchsorted(theirs[order], np.arange(1, count))
        for number, part in enumerate(np.split(seconds[order], cuts)):
            if len(part):
                shares = np.quantile(part, [*_SHARES.values()], method="higher")
                late[number] = dict(zip(_SHARES, shares.tolist(), strict=True))
    return [
        Stretch(
            number * width,
            width,
            int(sent[number]),
            int(missing[number]),
            late[number],
            names[number],
        )
        for number in range(count)
    ]
