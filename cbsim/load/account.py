"""The account of a run: all that is kept of it, to be shown, read by programs, and compared."""

from __future__ import annotations

import csv
import io
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import TypeAdapter, ValidationError

from cbsim import __version__
from cbsim.errors import InputError
from cbsim.load.judge import Verdict
from cbsim.load.timeline import SHARES, Moment, Timeline
from cbsim.scenario.lag import Lags

if TYPE_CHECKING:
    from cbsim.load.course import Course
    from cbsim.scenario.runner import Report

__all__ = ["Account", "Judged", "Origin", "QueueAccount", "Times", "account_of", "as_csv",
           "as_json", "read"]  # fmt: skip

_LONGEST = 64 << 20
"""Bytes that an account takes at most: with some queues, a timeline of hours has a few."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What was run, and where."""

    scenario: str
    document: str
    """The scenario with all that was changed of it, as YAML."""
    seed: int
    server: str
    target: str
    """Where it went, without a password."""
    started: datetime
    workers: int | None = None
    cbsim: str = __version__
    python: str = platform.python_version()
    system: str = platform.platform()
    processors: int = os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Times:
    """How long something took: percentiles and the worst, in seconds."""

    p50: float
    p95: float
    p99: float
    worst: float


@dataclass(frozen=True, slots=True)
class QueueAccount:
    """What became of a queue that was watched."""

    depth: int
    """At the end."""
    deepest: int
    lag: Times | None
    """How far its consumers were behind; None where nobody can tell."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a threshold."""

    threshold: str
    held: bool | None
    """None where nothing was measured."""
    value: float | None
    said: str
    seconds: float | None = None
    """When it was broken, since the run began."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a run was to do, and did."""

    kind: Literal["cbsim run"]
    origin: Origin
    sent: int
    confirmed: int
    seconds: float
    interrupted: bool
    republished: int
    behind: Times
    """How far behind schedule messages were handed over."""
    confirms: Times | None
    """How long the broker took to confirm; None where nothing was measured."""
    names: Mapping[str, int]
    """How many messages of each name were sent."""
    queues: Mapping[str, QueueAccount]
    thresholds: Sequence[Judged]
    moments: Sequence[Moment]

    @property
    def rate(self) -> float:
        """Messages sent a second."""
        return self.sent / self.seconds if self.seconds else 0.0


@cache
def _accounts() -> TypeAdapter[Account]:
    # It takes longer to make than a run has that keeps no account.
    return TypeAdapter(Account)


def account_of(
    origin: Origin, report: Report, timeline: Timeline, verdicts: Sequence[Verdict]
) -> Account:
    """The account of a run that is over."""
    courses = {} if timeline.watch is None else timeline.watch.courses
    return Account(
        kind="cbsim run",
        origin=origin,
        sent=report.sent,
        confirmed=report.confirmed,
        seconds=report.seconds,
        interrupted=report.interrupted,
        republished=report.republished,
        behind=_times(report.lags),
        confirms=_times(report.confirms) if report.confirms.total else None,
        names=dict(sorted(report.per_name.items())),
        queues={name: _queue(course) for name, course in courses.items()},
        thresholds=[*map(_judged, verdicts)],
        moments=timeline.moments,
    )


def as_json(account: Account) -> str:
    """The account as JSON; `read` is the inverse."""
    return _accounts().dump_json(account, indent=1).decode() + "\n"


def as_csv(account: Account) -> str:
    """The timeline as CSV: a line a moment, and columns of its own for each queue."""
    out = io.StringIO()
    queues = [*account.queues]
    writer = csv.writer(out, lineterminator="\n")
    columns = ("depth", "consumers", "lag", "arrived", "consumed")
    writer.writerow(
        ["seconds", "phase", "asked", "sent", "confirmed", "total_sent", "total_confirmed",
         "behind", *(f"confirm_p{share * 100:.0f}" for share in SHARES),
         *(f"{queue}: {column}" for queue in queues for column in columns)]
    )  # fmt: skip
    for moment in account.moments:
        writer.writerow([*_row(moment, queues, columns)])
    return out.getvalue()


def read(path: Path) -> Account:
    """The account in a file; raises InputError for a file that has none."""
    try:
        if path.stat().st_size > _LONGEST:
            raise InputError(f"{path}: more than {_LONGEST >> 20} MiB is no account of a run")
        return _accounts().validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(map(str, first["loc"])) or "the file"
        raise InputError(
            f"{path}: expected the JSON that `cbsim run --report` writes; {where}: {first['msg']}"
        ) from None


def _row(moment: Moment, queues: Sequence[str], columns: Sequence[str]) -> Iterator[object]:
    yield round(moment.seconds, 3)
    yield moment.phase
    yield from map(_rounded, (moment.asked, moment.sent, moment.confirmed))
    yield from (moment.total_sent, moment.total_confirmed, _rounded(moment.behind))
    yield from map(_rounded, moment.confirms or (None,) * len(SHARES))
    for queue in queues:
        standing = moment.queues.get(queue)
        yield from (_rounded(getattr(standing, column, None)) for column in columns)


def _rounded(value: float | None) -> float | str:
    return "" if value is None else round(value, 6)


def _queue(course: Course) -> QueueAccount:
    return QueueAccount(
        course.state.depth if course.there else 0,
        course.deepest,
        _times(course.lags) if course.lags.total else None,
    )


def _times(lags: Lags) -> Times:
    p50, p95, p99 = map(lags.percentile, SHARES)
    return Times(p50, p95, p99, lags.worst)


def _judged(verdict: Verdict) -> Judged:
    breach = verdict.breach
    return Judged(
        verdict.threshold.text,
        None if verdict.value is None else breach is None,
        verdict.value,
        str(verdict if breach is None else breach),
        breach.progress.seconds if breach is not None and breach.progress is not None else None,
    )
