"""What a watch over queues has seen, in words."""

from __future__ import annotations

from cbsim.load.course import Course
from cbsim.load.watch import Watch
from cbsim.printable import printable

__all__ = ["beside", "last_words"]


def beside(watch: Watch) -> str:
    """How the queues stand, to stand beside how the run does; empty before there is one."""
    said = [f"{printable(name)}: {_standing(course)}" for name, course in watch.courses.items()]
    if watch.trouble is not None:
        said.append(f"not watched: {watch.trouble}")
    return "; ".join(said)


def last_words(watch: Watch) -> list[str]:
    """A sentence on each queue at the end of a run, and on what kept us from watching."""
    said = []
    for name, course in watch.courses.items():
        text = f"queue {printable(name)}: {_standing(course)} at the end, "
        text += f"{course.deepest:,} at most"
        if course.lag is not None:
            text += f", {course.lags.worst:.1f} s behind at worst"
        said.append(text)
    if watch.trouble is not None:
        said.append(f"the queues could not be watched to the end: {watch.trouble}")
    elif not said:
        said.append("no queue was there to be watched")
    return said


def _standing(course: Course) -> str:
    if not course.there:
        return "gone"
    state = course.state
    text = f"{state.depth:,} deep"
    if state.depth and course.lag is not None:
        text += f", {course.lag:.1f} s behind"
    if course.rates is not None:
        text += f", {course.rates.acked:,.0f}/s consumed"
    if not state.consumers:
        text += ", no consumer"
    return text
