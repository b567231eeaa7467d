"""The page of a comparison, for who was not there: what was sent, what came, how late, what not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from cbsim.checks.course import Stretch
from cbsim.checks.outcome import Comparison, Difference
from cbsim.errors import CbsimError
from cbsim.report.chart import Points, line_chart
from cbsim.report.comparison import KINDS, as_json, duration, failures, remarks
from cbsim.report.html import (
    BAD,
    GOOD,
    PLAIN,
    WARNING,
    Markup,
    Tile,
    Tone,
    dotted,
    page,
    section,
    table,
    text,
    tiles,
)

__all__ = ["proof_page", "write_proof"]

_DIFFERENCES = 100
_COLUMNS = 6
"""Kinds of messages that have a column where losses stand by time; the others share one."""


def write_proof(
    result: Comparison, path: Path, about: Mapping[str, str], *, strict: bool = False
) -> Path:
    """Write the page, and all that is known as JSON beside it, whose path is given back.

    `about` says what was compared, for the foot of the page. Raises CbsimError.
    """
    beside = path.with_suffix(".json")
    if beside == path:
        raise CbsimError(f"{path}: expected a name that ends in .html: the JSON goes beside it")
    try:
        path.write_text(proof_page(result, about, strict=strict), encoding="utf-8")
        beside.write_text(as_json(result), encoding="utf-8")
    except OSError as error:
        raise CbsimError(f"cannot write {error.filename}: {error.strerror}") from None
    return beside


def proof_page(result: Comparison, about: Mapping[str, str], *, strict: bool = False) -> str:
    """One HTML page that needs nothing besides itself."""
    said, tone = _verdict(result, strict=strict)
    return page("Proof of delivery", said, tone, _parts(result, strict=strict), about)


def _verdict(result: Comparison, *, strict: bool) -> tuple[str, Tone]:
    sent = result.total("sent")
    if not sent:
        return "Nothing was sent, so that nothing is proven.", BAD
    wrong = [*failures(result, strict=strict)]
    if not wrong:
        said = f"All {sent:,} messages came through whole."
        extra = [f"{count:,} {word}" for word, count in (
            ("came twice", result.total("duplicated")),
            ("came out of order", sum(result.disordered.values())),
        ) if count]  # fmt: skip
        return said + (f" {' and '.join(extra)}." if extra else ""), WARNING if extra else GOOD
    intact = result.total("received")
    return (f"{intact:,} of {sent:,} messages came through whole "
            f"({_share(intact, sent)}); {len(wrong)} {_plural('kind', len(wrong))} of message "
            "failed."), BAD  # fmt: skip


def _parts(result: Comparison, *, strict: bool) -> Iterator[Markup]:
    yield tiles(_tiles(result, strict=strict))
    notes = [*remarks(result)]
    if notes:
        items = "".join(f"<li>{text(note)}</li>" for note in notes)
        yield section("Worth knowing", Markup(f"<ul>{items}</ul>"))
    if len(result.course) > 1:
        yield section("Over time", *_charts(result.course), note=_widths(result.course))
    if any(stretch.missing for stretch in result.course):
        yield _losses(result.course)
    if result.differences:
        yield _differences(result)
    yield _names(result)


def _tiles(result: Comparison, *, strict: bool) -> Iterator[Tile]:
    sent, received = result.total("sent"), result.total("received")
    yield Tile("sent", f"{sent:,}")
    yield Tile("received whole", f"{received:,}", _share(received, sent))
    for kind in KINDS[2:]:
        count = result.total(kind)
        fails = kind != "duplicated" or strict
        yield Tile(kind, f"{count:,}", "", PLAIN if not count else BAD if fails else WARNING)
    if result.latency:
        others = ", ".join(f"{name} {duration(result.latency[name])}" for name in ("p50", "max"))
        yield Tile("latency, p99", duration(result.latency["p99"]), others)


def _charts(course: list[Stretch]) -> Iterator[Markup]:
    def line(values: Iterator[float | None]) -> Points:
        return [(stretch.begins, value) for stretch, value in zip(course, values, strict=True)]

    rates = {"sent": line(stretch.sent / stretch.lasts for stretch in course)}
    if any(stretch.missing for stretch in course):
        rates["did not come whole"] = line(stretch.missing / stretch.lasts for stretch in course)
    yield line_chart("Messages a second, by when they were published", rates, x_text=_since)
    if any(stretch.latency for stretch in course):
        late = {
            name: line(stretch.latency.get(name) for stretch in course)
            for name in ("p50", "p90", "p99", "max")
        }
        yield line_chart("From published to received", late, x_text=_since, y_text=duration,
                         logarithmic=True)  # fmt: skip


def _widths(course: list[Stretch]) -> str:
    return f"A point stands for {_since(course[0].lasts)} of the run."


def _losses(course: list[Stretch]) -> Markup:
    """What did not come whole, by when it was published and what it was."""
    totals = Counter[str]()
    for stretch in course:
        totals.update(stretch.names)
    shown = [name for name, _ in totals.most_common(_COLUMNS)]
    others = len(totals) > len(shown)
    rows: list[list[str]] = []
    for stretch in course:
        if stretch.missing:
            counts = [stretch.names.get(name, 0) for name in shown]
            rest = [stretch.missing - sum(counts)] if others else []
            rows.append([_span(stretch), *map(_figure, (stretch.sent, *counts, *rest))])
    heads = ["published", "sent", *map(dotted, shown), *(["others"] if others else [])]
    return section("Lost or damaged, by time and kind", table(heads, rows),
                   note="Times are since the beginning of the run.")  # fmt: skip


def _span(stretch: Stretch) -> Markup:
    said = f"{_since(stretch.begins)} to {_since(stretch.begins + stretch.lasts)}"
    return Markup(said.replace(" ", "&nbsp;"))


def _differences(result: Comparison) -> Markup:
    rows = [
        (difference.kind, dotted(difference.name or "(unknown)"),
         _figure(difference.sequence) if difference.sequence is not None else "",
         difference.where or "", _what(difference))
        for difference in result.differences[:_DIFFERENCES]
    ]  # fmt: skip
    wrong = sum(map(result.total, KINDS[2:]))
    note = f"The first {len(rows):,} of {wrong:,}." if wrong > len(rows) else ""
    heads = ["what", "message", "number", "where", "how it differs, and what it is"]
    return section("Differences", table(heads, rows, words=len(heads)), note=note)


def _what(difference: Difference) -> str:
    said = [*([difference.fault] if difference.fault else ()), *map(str, difference.mismatches)]
    if difference.alike:
        said.append(f"one of {len(difference.alike):,} that nobody can tell apart")
    if difference.identity:
        said.append(", ".join(f"{name} {value}" for name, value in difference.identity.items()))
    return "; ".join(said)


def _names(result: Comparison) -> Markup:
    rows = [
        (name or "(unknown)", *(_figure(getattr(counts, kind)) for kind in KINDS))
        for name, counts in sorted(result.names.items())
    ]
    return section("By kind of message", table(["message", *KINDS], rows))


def _figure(count: int) -> str:
    return f"{count:,}"


def _share(part: int, whole: int) -> str:
    """A share that is never rounded up to all, nor down to nothing."""
    if not whole:
        return ""
    for decimals in (1, 2, 3, 4, 5):
        said = f"{100 * part / whole:.{decimals}f}"
        if part in (0, whole) or float(said) not in (0.0, 100.0):
            return f"{said.rstrip('0').rstrip('.')} %"
    return "nearly all" if part * 2 > whole else "nearly none"


def _since(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:g} s"
    if seconds < 7200:
        return f"{seconds / 60:g} min"
    return f"{seconds / 3600:g} h"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
