"""The timeline of a run: how it stood, second by second, with the queues that were watched."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from cbsim.load.course import Course
from cbsim.load.watch import Watch
from cbsim.scenario.lag import Lags
from cbsim.scenario.runner import Progress

__all__ = ["SHARES", "Moment", "Standing", "Timeline"]

SHARES = (0.5, 0.95, 0.99)
"""Which percentiles of the times of confirms are kept."""
_MOST = 4000
"""How many moments are kept at most: of a long run, every second, fourth and so on."""

_RECENT = 60


@dataclass(frozen=True, slots=True)
class Standing:
    """How a queue stands; None is what nobody can tell."""

    depth: int
    consumers: int
    lag: float | None
    """Seconds that its consumers are behind."""
    arrived: float | None
    """Messages a second that come in."""
    consumed: float | None
    """Messages a second that consumers are done with."""


@dataclass(frozen=True, slots=True)
class Moment:
    """How a run stands; rates are messages a second, since the moment before."""

    seconds: float
    """Since the run began."""
    phase: str
    asked: float | None
    """None at `max`."""
    sent: float
    confirmed: float
    total_sent: int
    total_confirmed: int
    behind: float
    """Seconds behind schedule."""
    confirms: tuple[float, ...] | None
    """How long the broker took to confirm: the percentiles of SHARES, in seconds; None without."""
    queues: Mapping[str, Standing]
    left: float | None
    """Seconds until the run is over, about, when that is known."""

    @property
    def consumed(self) -> float | None:
        """Messages a second that consumers are done with, of all queues that tell."""
        known = [queue.consumed for queue in self.queues.values() if queue.consumed is not None]
        return sum(known) if known else None


@dataclass(slots=True)
class Timeline:
    """Takes down how a run stands whenever it is told."""

    watch: Watch | None = None
    moments: list[Moment] = field(default_factory=list)
    confirms: Lags = field(default_factory=Lags)
    """How long the broker took to confirm, of the whole run so far."""
    _every: int = 1
    _seen: int = 0
    recent: deque[Moment] = field(default_factory=lambda: deque(maxlen=_RECENT))
    """The last ones, all of them."""

    def note(self, progress: Progress) -> Moment:
        """Take down how it stands now."""
        moment = self._moment(progress)
        self.confirms.merge(progress.confirms)
        self.recent.append(moment)
        if self._seen % self._every == 0:
            self.moments.append(moment)
        self._seen += 1
        if len(self.moments) > _MOST:
            del self.moments[1::2]
            self._every *= 2
        return moment

    def _moment(self, progress: Progress) -> Moment:
        before = self.recent[-1] if self.recent else None
        passed = progress.seconds - (before.seconds if before else 0.0)
        more = progress.confirmed - (before.total_confirmed if before else 0)
        times = progress.confirms
        courses = {} if self.watch is None else self.watch.courses
        return Moment(
            seconds=progress.seconds,
            phase=progress.phase,
            asked=progress.asked,
            sent=progress.rate,
            confirmed=more / passed if passed > 0 else 0.0,
            total_sent=progress.sent,
            total_confirmed=progress.confirmed,
            behind=progress.lag,
            confirms=tuple(map(times.percentile, SHARES)) if times.total else None,
            queues={name: _standing(one) for name, one in courses.items() if one.there},
            left=_left(progress),
        )


def _left(progress: Progress) -> float | None:
    if not progress.total:
        return None
    return progress.seconds * max(0.0, 1 - progress.total) / progress.total


def _standing(course: Course) -> Standing:
    rates = course.rates
    return Standing(
        course.state.depth,
        course.state.consumers,
        course.lag,
        None if rates is None else rates.arrived,
        None if rates is None else rates.acked,
    )
