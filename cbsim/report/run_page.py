"""The page of a run: rates, times and queues by the second, phases and broken thresholds marked."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from cbsim.errors import CbsimError
from cbsim.load.account import Account, Judged, as_csv, as_json
from cbsim.load.timeline import SHARES, Moment
from cbsim.report.chart import Mark, Points, line_chart
from cbsim.report.html import (
    BAD,
    GOOD,
    PLAIN,
    WARNING,
    Markup,
    Tile,
    Tone,
    page,
    section,
    table,
    text,
    tiles,
)

__all__ = ["run_page", "write_run"]

_LATE = 0.1
"""Seconds behind schedule that nobody minds."""
_LINES = 6
"""Queues that are drawn: those that were deepest."""


def write_run(account: Account, path: Path) -> None:
    """Write the page, and beside it the account as JSON and its timeline as CSV.

    Raises CbsimError.
    """
    if path.suffix in (".json", ".csv"):
        raise CbsimError(f"{path}: expected a name that ends in .html: the others go beside it")
    written = {path: run_page(account), path.with_suffix(".json"): as_json(account),
               path.with_suffix(".csv"): as_csv(account)}  # fmt: skip
    try:
        for at, content in written.items():
            at.write_text(content, encoding="utf-8")
    except OSError as error:
        raise CbsimError(f"cannot write {error.filename}: {error.strerror}") from None


def run_page(account: Account) -> str:
    """One HTML page that needs nothing besides itself."""
    said, tone = _verdict(account)
    return page(f"Run of {account.origin.scenario}", said, tone, _parts(account), _about(account))


def _verdict(account: Account) -> tuple[str, Tone]:
    broken = [judged for judged in account.thresholds if judged.held is False]
    if broken:
        return f"{broken[0].said[0].upper()}{broken[0].said[1:]}.", BAD
    if account.confirmed < account.sent:
        return f"{account.sent - account.confirmed:,} messages were never confirmed.", BAD
    held = len(account.thresholds)
    said = f"{account.sent:,} messages in {account.seconds:.1f} s, all confirmed"
    said += f"; {'the threshold' if held == 1 else f'all {held} thresholds'} held." if held else "."
    if account.behind.worst > 1.0:
        return f"{said} It was {_seconds(account.behind.worst)} behind its schedule.", WARNING
    return said, GOOD if held else PLAIN


def _parts(account: Account) -> Iterator[Markup]:
    yield tiles(_tiles(account))
    if account.thresholds:
        rows = [
            [judged.threshold, _outcome(judged), judged.said.partition(": ")[2]]
            for judged in account.thresholds
        ]
        yield section("Thresholds", table(["threshold", "", "in words"], rows, words=3))
    if len(account.moments) > 1:
        yield section("Over time", *_charts(account), note=_phases(account))
    if account.queues:
        yield _queues(account)
    sent, seconds = account.sent or 1, account.seconds or 1.0
    rows = [
        [name, f"{count:,}", f"{count / sent:.2%}", f"{count / seconds:,.1f}"]
        for name, count in sorted(account.names.items(), key=lambda item: -item[1])
    ]
    yield section("Messages", table(["message", "sent", "share", "a second"], rows))
    yield section("Scenario", Markup(f"<pre><code>{_lines(account.origin.document)}</code></pre>"))


def _lines(document: str) -> str:
    return "\n".join(map(text, document.splitlines()))


def _tiles(account: Account) -> Iterator[Tile]:
    lost = account.sent - account.confirmed
    yield Tile("sent", f"{account.sent:,}", f"{account.rate:,.0f}/s")
    yield Tile("confirmed", f"{account.confirmed:,}", f"{lost:,} were not" if lost else "all",
               BAD if lost else PLAIN)  # fmt: skip
    if (confirms := account.confirms) is not None:
        yield Tile("confirmed in, p99", _seconds(confirms.p99),
                   f"p50 {_seconds(confirms.p50)}, p95 {_seconds(confirms.p95)}")  # fmt: skip
    if account.queues:
        name, queue = max(account.queues.items(), key=lambda item: item[1].deepest)
        yield Tile("deepest queue", f"{queue.deepest:,}", name)
        lags = [queue.lag for queue in account.queues.values() if queue.lag is not None]
        if lags:
            worst = max(lags, key=lambda times: times.worst)
            yield Tile("consumers behind", _seconds(worst.worst), f"p99 {_seconds(worst.p99)}")
    late = account.behind.worst > _LATE
    yield Tile("behind schedule", _seconds(account.behind.worst), "at worst",
               WARNING if late else PLAIN)  # fmt: skip


def _charts(account: Account) -> Iterator[Markup]:
    moments, marks = account.moments, _marks(account)

    def chart(title: str, series: dict[str, Points], *, seconds: bool = False) -> Markup:
        drawn = {
            name: points for name, points in series.items() if any(y is not None for _, y in points)
        }
        if seconds:
            return line_chart(title, drawn, x_text=_clock, y_text=_seconds, marks=marks)
        return line_chart(title, drawn, x_text=_clock, marks=marks)

    yield chart("Messages a second", {
        "asked": [(moment.seconds, moment.asked) for moment in moments],
        "sent": [(moment.seconds, moment.sent) for moment in moments],
        "confirmed": [(moment.seconds, moment.confirmed) for moment in moments],
        "consumed": [(moment.seconds, moment.consumed) for moment in moments],
    })  # fmt: skip
    yield chart("From sent to confirmed", {
        f"p{share * 100:.0f}": [
            (moment.seconds, None if moment.confirms is None else moment.confirms[number])
            for moment in moments
        ]
        for number, share in enumerate(SHARES)
    }, seconds=True)  # fmt: skip
    queues = _deepest(account)
    yield chart("Messages that wait", {
        name: [(moment.seconds, _of(moment, name, "depth")) for moment in moments]
        for name in queues
    })  # fmt: skip
    yield chart("How far consumers are behind", {
        name: [(moment.seconds, _of(moment, name, "lag")) for moment in moments]
        for name in queues
    }, seconds=True)  # fmt: skip
    if account.behind.worst > _LATE:
        yield chart("How far the run is behind its schedule", {
            "behind": [(moment.seconds, moment.behind) for moment in moments]
        }, seconds=True)  # fmt: skip


def _deepest(account: Account) -> list[str]:
    ordered = sorted(account.queues, key=lambda name: -account.queues[name].deepest)
    return ordered[:_LINES]


def _of(moment: Moment, queue: str, what: str) -> float | None:
    value: float | None = getattr(moment.queues.get(queue), what, None)
    return value


def _marks(account: Account) -> list[Mark]:
    begun = [next(group) for _, group in groupby(account.moments, lambda moment: moment.phase)]
    marks = [Mark(moment.seconds, moment.phase) for moment in begun[1:]]
    broken: dict[float, list[str]] = {}
    for judged in account.thresholds:
        if judged.seconds is not None:
            broken.setdefault(judged.seconds, []).append(judged.threshold)
    return marks + [Mark(at, ", ".join(names), bad=True) for at, names in sorted(broken.items())]


def _phases(account: Account) -> str:
    names = [name for name, _ in groupby(moment.phase for moment in account.moments)]
    return f"Phases: {', '.join(names)}." if len(names) > 1 else ""


def _queues(account: Account) -> Markup:
    rows = [
        [name, f"{queue.depth:,}", f"{queue.deepest:,}",
         *(("-",) * 3 if (lag := queue.lag) is None
           else map(_seconds, (lag.p50, lag.p99, lag.worst)))]
        for name, queue in account.queues.items()
    ]  # fmt: skip
    columns = ["queue", "deep at the end", "at most", "behind, p50", "p99", "at worst"]
    return section("Queues", table(columns, rows))


def _outcome(judged: Judged) -> str:
    return {True: "held", False: "broken", None: "not measured"}[judged.held]


def _about(account: Account) -> dict[str, str]:
    origin = account.origin
    about = {"scenario": origin.scenario, "seed": str(origin.seed), "server": origin.server,
             "to": origin.target, "began": f"{origin.started:%Y-%m-%d %H:%M:%S %Z}",
             "took": f"{account.seconds:.1f} s{', interrupted' if account.interrupted else ''}",
             "cbsim": origin.cbsim, "Python": origin.python, "system": origin.system,
             "processors": str(origin.processors)}  # fmt: skip
    return about if origin.workers is None else about | {"workers": str(origin.workers)}


def _clock(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _seconds(value: float) -> str:
    if value < 0.0005:
        return f"{value * 1e6:.0f} µs" if value else "0"
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.1f} s"
