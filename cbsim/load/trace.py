"""What a queue did while something was published: its readings, and what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cbsim.load.course import Course

__all__ = ["Point", "Trace", "growth"]


class Point(NamedTuple):
    """A reading of a queue."""

    at: float
    """Seconds (monotonic)."""
    ready: int
    depth: int
    """What consumers are not done with; where nobody tells what they hold at that moment, what is
    ready: as long as some wait, consumers hold as many as they ever do."""
    lag: float | None
    consumers: int
    """0 also for a queue that is gone."""
    arrived: int | None


class Trace:
    """The readings of one queue since `clear`, in the order of time; another thread adds them."""

    def __init__(self) -> None:
        self._points: list[Point] = []

    def add(self, at: float, course: Course | None) -> None:
        """A reading at a moment; None for a queue that is not there."""
        if course is None or not course.there:
            self._points.append(Point(at, 0, 0, None, 0, None))
            return
        ready, _, consumers = course.state
        depth = course.state.depth if course.exact else ready
        arrived = course.totals and course.totals.arrived
        self._points.append(Point(at, ready, depth, course.lag, consumers, arrived))

    def clear(self) -> None:
        """Forget all but the last reading."""
        self._points = self._points[-1:]

    @property
    def last(self) -> Point | None:
        """The latest reading."""
        return self._points[-1] if self._points else None

    def since(self, moment: float) -> Sequence[Point]:
        """The readings from a moment on."""
        return [point for point in self._points if point.at >= moment]


def growth(points: Sequence[Point]) -> float:
    """By how many messages a second the depth grew: the slope of the line nearest to it."""
    if len(points) < 2:
        return 0.0
    middle = sum(point.at for point in points) / len(points)
    mean = sum(point.depth for point in points) / len(points)
    spread = sum((point.at - middle) ** 2 for point in points)
    rise = sum((point.at - middle) * (point.depth - mean) for point in points)
    return rise / spread if spread else 0.0
