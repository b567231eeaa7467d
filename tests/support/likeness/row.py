"""A figure of real traffic, and how far a generated run may be from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["LEAST", "Row", "Sample", "between", "quantiles", "share", "spread"]

LEAST = 30
"""Of so few things no figure is told."""
_PLACES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured: one number, or the 5, 25, 50, 75 and 95 % quantiles."""

    values: tuple[float, ...]
    count: int
    """Of how many things."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure."""

    name: str
    captured: tuple[float, ...]
    bounds: tuple[tuple[float, float], ...]
    """For each value, the least and the most it may be."""
    least: int = LEAST
    anywhere: bool = False
    """Whether it holds whatever a scenario asks for: it says how, not how much."""

    def judge(self, sample: Sample | None) -> str:
        """What is wrong, as a sentence; empty when nothing is. None and too few are wrong."""
        if sample is None or sample.count < self.least:
            count = 0 if sample is None else sample.count
            return f"{self.name}: of {count}, expected at least {self.least}"
        for place, (value, (low, high)) in enumerate(zip(sample.values, self.bounds, strict=True)):
            if not low <= value <= high:
                where = f" at {_PLACES[place]:.0%}" if len(self.bounds) > 1 else ""
                return (
                    f"{self.name}{where}: {value:.4g}, expected {low:.4g} to {high:.4g} "
                    f"(captured: {self.captured[place]:.4g}; of {sample.count})"
                )
        return ""


def share(
    name: str, captured: float, off: float = 0.1, *, least: int = LEAST, anywhere: bool = False
) -> Row:
    """A share, up to `off` more or less."""
    bounds = (max(0.0, captured - off), min(1.0, captured + off))
    return Row(name, (captured,), (bounds,), least, anywhere)


def between(
    name: str, captured: float, low: float, high: float, *,
    least: int = LEAST, anywhere: bool = False,
) -> Row:  # fmt: skip
    """A number within bounds of its own."""
    return Row(name, (captured,), ((low, high),), least, anywhere)


def spread(
    name: str,
    captured: Sequence[float],
    factor: float = 4,
    slack: float = 0.05,
    *,
    least: int = LEAST,
    anywhere: bool = False,
) -> Row:
    """Quantiles, each up to `factor` times as much or little, and `slack` more; twice that factor
    at 5 and 95 %.
    """
    bounds = tuple(
        (value / wide - slack, value * wide + slack)
        for value, wide in zip(captured, (2 * factor, factor, factor, factor, 2 * factor),
                               strict=True)
    )  # fmt: skip
    return Row(name, tuple(captured), bounds, least, anywhere)


def quantiles(values: Sequence[float]) -> Sample:
    """Of what was measured."""
    ranked = sorted(values)
    last = len(ranked) - 1
    found = tuple(ranked[round(place * last)] for place in _PLACES) if ranked else ()
    return Sample(found, len(ranked))
