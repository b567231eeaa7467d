"""Thresholds: what must hold of a run, as its author writes it (`lag_p99 < 2s`)."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum

from cbsim.errors import ScenarioError
from cbsim.printable import printable
from cbsim.quantity import parse_duration, parse_rate

__all__ = ["METRICS", "Metric", "Threshold", "Unit", "parse_threshold"]


class Unit(Enum):
    """What a metric counts in."""

    SECONDS = "a time such as 2s or 50ms"
    MESSAGES = "a number of messages"
    RATE = "a rate such as 500/s"
    CONSUMERS = "a number"

    def parse(self, text: str) -> float:
        """The value that is written; raises ScenarioError."""
        if self is Unit.SECONDS:
            return parse_duration(text)
        if self is Unit.RATE:
            return parse_rate(text)
        digits = text.replace("_", "")
        if not digits.isdecimal() or len(digits) > 15:
            raise ScenarioError(f"{printable(text)!r}: expected {self.value}")
        return float(digits)

    def shown(self, value: float) -> str:
        """A value, for a person."""
        if self is Unit.SECONDS:
            return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.2f} s"
        return f"{value:,.0f}/s" if self is Unit.RATE else f"{value:,.0f}"


@dataclass(frozen=True, slots=True)
class Metric:
    """Something that is measured of a run."""

    unit: Unit
    about: str
    watched: bool = False
    """Whether it is of queues, which somebody has to watch."""
    final: bool = False
    """Whether it is known at the end only."""


def _percentiles(name: str, about: str, *, watched: bool) -> dict[str, Metric]:
    shares = {f"{name}_p{share}": f"{about}; {share} % are below" for share in (50, 95, 99)}
    return {
        one: Metric(Unit.SECONDS, said, watched=watched)
        for one, said in {name: f"{about}, at worst", **shares}.items()
    }


METRICS = {
    "depth": Metric(Unit.MESSAGES, "messages that wait in a queue, at most", watched=True),
    **_percentiles("lag", "how far consumers are behind", watched=True),
    "consumers": Metric(Unit.CONSUMERS, "consumers of a queue, at least", watched=True),
    **_percentiles("confirm", "how long the broker takes to confirm", watched=False),
    "behind": Metric(Unit.SECONDS, "how far the run is behind its schedule, at worst"),
    "lost": Metric(Unit.MESSAGES, "messages that were sent and never confirmed", final=True),
    "sent_rate": Metric(Unit.RATE, "messages sent a second, on average", final=True),
}
"""All that a threshold may be of, by name."""

_HOLDS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
    "<": operator.lt, ">": operator.gt,
}  # fmt: skip
_FORM = re.compile(rf"\s*(\w+)\s*({'|'.join(_HOLDS)})\s*(\S(?:.*\S)?)\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Threshold:
    """What must hold of a run; `parse_threshold` makes one."""

    text: str
    name: str
    sign: str
    bound: float
    ends: bool = False
    """Whether the run ends when it does not hold any more."""

    @property
    def metric(self) -> Metric:
        """What it is of."""
        return METRICS[self.name]

    def shown(self, value: float) -> str:
        """A value, for a person."""
        return self.metric.unit.shown(value)

    def holds(self, value: float) -> bool:
        """Whether it does for a value, in the metric's unit."""
        return _HOLDS[self.sign](value, self.bound)


def parse_threshold(text: str, *, ends: bool = False) -> Threshold:
    """The threshold of `depth < 10000`, `lag_p99 < 2s`, `lost == 0`; raises ScenarioError."""
    shown = printable(text, limit=60)
    if len(text) > 100 or not (match := _FORM.fullmatch(text)):
        raise ScenarioError(f"threshold {shown!r}: expected a metric, <, <=, >, >=, == or !=, and "
                            "a value: lag_p99 < 2s")  # fmt: skip
    name, sign, bound = match.groups()
    if name not in METRICS:
        near = get_close_matches(name, METRICS, n=1)
        expected = f"did you mean {near[0]!r}?" if near else f"expected {', '.join(METRICS)}"
        raise ScenarioError(f"threshold {shown!r}: there is no metric {name!r}; {expected}")
    try:
        value = METRICS[name].unit.parse(bound)
    except ScenarioError:
        raise ScenarioError(
            f"threshold {shown!r}: expected {METRICS[name].unit.value} after {sign}"
        ) from None
    return Threshold(f"{name} {sign} {bound}", name, sign, value, ends)
