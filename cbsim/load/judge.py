"""The judge of a run: which of its thresholds hold, while it goes on and at its end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from cbsim.load.course import Course
from cbsim.load.watch import Watch
from cbsim.printable import printable
from cbsim.scenario.lag import Lags
from cbsim.scenario.runner import Progress, Report
from cbsim.scenario.threshold import Threshold

__all__ = ["Breach", "Judge", "Verdict"]


@dataclass(frozen=True, slots=True)
class Breach:
    """A threshold that did not hold, and how the run stood when that was seen first."""

    threshold: Threshold
    value: float
    queue: str | None
    """The queue that it shows by, for what is of queues."""
    progress: Progress | None
    """None for what is known at the end only."""

    def __str__(self) -> str:
        text = f"threshold {self.threshold.text}: it was {self.threshold.shown(self.value)}"
        if self.queue is not None:
            text += f" of queue {printable(self.queue)!r}"
        if (progress := self.progress) is not None:
            text += f" {progress.seconds:.0f} s into the run, in phase {printable(progress.phase)}"
            if progress.asked is not None:
                text += f" at {progress.asked:,.0f}/s"
        return text


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a threshold."""

    threshold: Threshold
    value: float | None
    """As it was when it was broken, else at the end; None if nothing was measured."""
    breach: Breach | None

    def __str__(self) -> str:
        if self.value is None:
            return f"threshold {self.threshold.text}: nothing was measured"
        said = "held" if self.breach is None else "broken"
        return f"threshold {self.threshold.text}: {said}, {self.threshold.shown(self.value)}"


class Judge:
    """Judges thresholds whenever it is told how the run stands, about once a second.

    What is a maximum is judged at once. A percentile is one of all values so far, and judged once
    there are so many that no single one decides, or at the end.
    """

    def __init__(self, thresholds: Iterable[Threshold], watch: Watch | None = None) -> None:
        self.thresholds = tuple(thresholds)
        self.watch = watch
        self.breaches: dict[Threshold, Breach] = {}
        """What was broken, in the order in which that was seen."""
        self._confirms = Lags()
        self._behind = 0.0
        self._final: dict[str, float] = {}

    def note(self, progress: Progress) -> list[Breach]:
        """Judge how the run stands; what is broken now and was not before."""
        self._confirms.merge(progress.confirms)
        self._behind = max(self._behind, progress.lag)
        return self._judged(progress)

    def attend(self, progress: Progress) -> None:
        """Judge how the run stands; KeyboardInterrupt, once, where a breach is to end it."""
        before = any(threshold.ends for threshold in self.breaches)
        if any(breach.threshold.ends for breach in self.note(progress)) and not before:
            raise KeyboardInterrupt

    def end(self, report: Report) -> list[Verdict]:
        """Judge what the run did, and say what became of each threshold."""
        self._confirms, self._behind = report.confirms, report.lag
        self._final["lost"] = report.sent - report.confirmed
        if report.seconds:
            self._final["sent_rate"] = report.sent / report.seconds
        self._judged(None)
        return [*map(self._verdict, self.thresholds)]

    def _judged(self, progress: Progress | None) -> list[Breach]:
        found = []
        for threshold in self.thresholds:
            value, queue = self._worst(threshold, ended=progress is None)
            if value is not None and threshold not in self.breaches and not threshold.holds(value):
                found.append(Breach(threshold, value, queue, progress))
        self.breaches.update({breach.threshold: breach for breach in found})
        return found

    def _verdict(self, threshold: Threshold) -> Verdict:
        breach = self.breaches.get(threshold)
        value = breach.value if breach else self._worst(threshold, ended=True)[0]
        return Verdict(threshold, value, breach)

    def _worst(self, threshold: Threshold, *, ended: bool) -> tuple[float | None, str | None]:
        """The value that decides, and the queue that it is of; None where there is none yet."""
        name = threshold.name
        if not threshold.metric.watched:
            return self._of_run(name, ended=ended), None
        courses = {} if self.watch is None else self.watch.courses
        values = ((_of_queue(course, name, ended), queue) for queue, course in courses.items())
        known = [(value, queue) for value, queue in values if value is not None]
        broken = [(value, queue) for value, queue in known if not threshold.holds(value)]
        return max(broken or known, default=(None, None))

    def _of_run(self, name: str, *, ended: bool) -> float | None:
        if name == "behind":
            return self._behind
        if name.startswith("confirm"):
            return _of(self._confirms, name, ended)
        return self._final.get(name)


def _of_queue(course: Course, name: str, ended: bool) -> float | None:
    if name == "depth":
        return course.deepest
    if name == "consumers":
        return course.state.consumers if course.there else 0
    return _of(course.lags, name, ended)


def _of(lags: Lags, name: str, ended: bool) -> float | None:
    """The worst, or the percentile that a name ends in; None with too few values to say."""
    _, _, percent = name.partition("_p")
    if not percent:
        return lags.worst if lags.total else None
    share = int(percent) / 100
    least = 1 if ended else ceil(1 / (1 - share))
    return lags.percentile(share) if lags.total >= least else None
