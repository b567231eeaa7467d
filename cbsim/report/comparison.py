"""A comparison for a person, a program, JUnit, or annotations on GitHub."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TextIO
from xml.etree import ElementTree

import orjson
from rich.table import Table

from cbsim.checks.jump import Jump
from cbsim.checks.outcome import Comparison, Counts, Difference
from cbsim.printable import printable, printable_json
from cbsim.report.annotation import annotation
from cbsim.report.page import Page

__all__ = ["FORMATS", "KINDS", "as_json", "duration", "failures", "moment", "remarks", "show",
           "verdict"]  # fmt: skip

KINDS = ("sent", "received", "lost", "duplicated", "corrupted", "unexpected")
"""What is counted of each name, in the order in which it is shown."""
_LOSSES = ("lost", "corrupted", "unexpected", "unmatchable")


def show(result: Comparison, form: str, out: TextIO, *, strict: bool = False) -> None:
    """Write a comparison in a format of FORMATS; `strict` as for `failures`."""
    _SHOWN[form](result, out, strict)


def as_json(result: Comparison) -> str:
    """All of a comparison as a JSON text."""
    report = {
        "whole": result.whole,
        "exact": result.exact,
        "total": {kind: result.total(kind) for kind in KINDS},
        "unconfirmed": result.unconfirmed,
        "perished": result.perished,
        "outages": [asdict(outage) for outage in result.outages],
        "unmatchable": result.total("unmatchable"),
        "names": {name: asdict(counts) for name, counts in sorted(result.names.items())},
        "differences": [asdict(difference) for difference in result.differences],
        "precision": result.precision,
        "uncompared": result.uncompared,
        "disordered": {str(sensor): count for sensor, count in result.disordered.items()},
        "latency": result.latency,
        "purposed": result.purposed,
        "notes": [{"at": at, "said": said} for at, said in result.notes],
        "jumps": [asdict(jump) for jump in result.jumps],
        "hasty": result.hasty,
        "course": [asdict(stretch) for stretch in result.course],
    }
    return printable_json(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode()) + "\n"


def verdict(result: Comparison) -> str:
    """What it came to, in a line."""
    words = [f"{result.total(kind):,} {kind}" for kind in KINDS]
    return f"{'whole' if result.whole else 'NOT WHOLE'}: {', '.join(words)}"


def failures(result: Comparison, *, strict: bool = False) -> Iterator[tuple[str, str]]:
    """What is wrong, by the name of what it is wrong with; with `strict`, also what came twice or
    out of order.
    """
    kinds = (*_LOSSES, "duplicated") if strict else _LOSSES
    for name, counts in sorted(result.names.items()):
        said = [f"{count:,} {kind}" for kind in kinds if (count := getattr(counts, kind))]
        if said:
            yield name or "(unknown)", f"{', '.join(said)} of {counts.sent:,} sent"
    if result.perished:
        yield "the broker", f"{result.perished:,} may have been lost with it"
    if strict and result.disordered:
        yield "order", f"{sum(result.disordered.values()):,} out of order"


def remarks(result: Comparison) -> Iterator[str]:
    """What else there is to say of it, a sentence each."""
    if result.purposed:
        kinds = (f"{count:,} {printable(kind)}" for kind, count in result.purposed.items())
        yield f"struck on purpose: {', '.join(kinds)}"
    if result.unconfirmed:
        yield f"{result.unconfirmed:,} did not come, but were never confirmed either"
    for at, said in result.notes:
        yield f"at {moment(at)} {printable(said)}"
    for outage in result.outages:
        yield (f"the broker was away from {moment(outage.since)} to {moment(outage.until)}: "
               f"{printable(outage.why)}")  # fmt: skip
    if result.perished:
        yield (
            f"{result.perished:,} did not come, but were confirmed before that and not persistent: "
            "they may have been lost with the broker; `--persistent` is for those that must not be"
        )
    if unmatchable := result.total("unmatchable"):
        names = ", ".join(
            printable(name) for name, counts in sorted(result.names.items()) if counts.unmatchable
        )
        yield (
            f"{unmatchable:,} have nothing that was mapped, so that nobody can tell if they came: "
            f"{names}; --map what they have, or --bind what the consumer takes"
        )
    for kind, clock in result.precision.items():
        if clock != "exact":
            yield f"times of {printable(kind)} are matched at their precision: {clock}"
    for name, fields in sorted(result.uncompared.items()):
        yield (f"not compared, since no item has it: {', '.join(fields)} of "
               f"{printable(name) or 'anything'}")  # fmt: skip
    if result.foreign:
        yield "nothing in the output is of this ledger: is it the output of that run?"
    if result.disordered:
        count, sensors = sum(result.disordered.values()), len(result.disordered)
        first = next(iter(result.disordered))
        yield f"{count:,} out of order, of {sensors:,} sensors such as {first}"
    if result.latency:
        yield from map(_jumped, result.jumps)
    if result.hasty:
        yield (
            f"{result.hasty:,} were received before they were published: the clocks of the run and "
            "of the consumer differ, and the times from published to received are off"
        )


def _jumped(jump: Jump) -> str:
    way = "forward" if jump.seconds > 0 else "back"
    return (f"the clock of the run was put {way} by {duration(abs(jump.seconds))} at "
            f"{moment(jump.expected)}: unless the consumer's was too, the times from published to "
            "received are off")  # fmt: skip


def moment(seconds: float) -> str:
    """A time in seconds since 1970, for a person."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + "Z"


def duration(seconds: float) -> str:
    """How long something took, for a person."""
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _text(result: Comparison, out: TextIO, strict: bool) -> None:
    del strict
    console = Page(file=out, highlight=False, soft_wrap=True, markup=False)
    if not console.is_terminal:
        console.width = 160
    console.print(_table(result))
    for difference in result.differences:
        console.print(str(difference))
    for kind in KINDS[2:]:
        more = result.total(kind) - sum(one.kind == kind for one in result.differences)
        if more:
            console.print(f"and {more:,} more {kind}")
    for remark in remarks(result):
        console.print(remark)
    if result.latency:
        shown = ", ".join(f"{name} {duration(late)}" for name, late in result.latency.items())
        console.print(f"from published to received: {shown}")
    console.print(verdict(result))


def _table(result: Comparison) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("message", no_wrap=True)
    for kind in KINDS:
        table.add_column(kind, justify="right", no_wrap=True)
    for name, counts in sorted(result.names.items()):
        row = [getattr(counts, kind) for kind in KINDS]
        table.add_row(printable(name) or "(unknown)", *(f"{n:,}" if n else "-" for n in row))
    return table


def _json(result: Comparison, out: TextIO, strict: bool) -> None:
    del strict
    out.write(as_json(result))


def _junit(result: Comparison, out: TextIO, strict: bool) -> None:
    """A test case for each kind of message, and for what else may be wrong."""
    failed = dict(failures(result, strict=strict))
    cases = dict.fromkeys([*(name or "(unknown)" for name in sorted(result.names)), *failed])
    suite = ElementTree.Element(
        "testsuite", name="cbsim verify", tests=str(len(cases)), failures=str(len(failed)),
        errors="0",
    )  # fmt: skip
    for name in cases:
        case = ElementTree.SubElement(suite, "testcase", classname="messages", name=printable(name))
        if name in failed:
            failure = ElementTree.SubElement(case, "failure", message=failed[name], type="verify")
            failure.text = "\n".join(_of(result, name)) or None
        else:
            counts = result.names.get(name, Counts())
            said = ElementTree.SubElement(case, "system-out")
            said.text = f"{counts.received} of {counts.sent} received"
    said = ElementTree.SubElement(suite, "system-out")
    said.text = "\n".join([*remarks(result), verdict(result)])
    ElementTree.indent(suite)
    out.write(ElementTree.tostring(suite, "unicode", xml_declaration=True) + "\n")


def _of(result: Comparison, name: str) -> Iterator[str]:
    yield from (str(one) for one in result.differences if (one.name or "(unknown)") == name)


def _github(result: Comparison, out: TextIO, strict: bool) -> None:
    """The differences where they stand in the output, then what it came to."""
    for difference in result.differences:
        fails = strict or difference.kind != "duplicated"
        level = "error" if fails else "warning"
        out.write(annotation(level, str(difference), *_place(difference)) + "\n")
    for remark in remarks(result):
        out.write(annotation("notice", remark) + "\n")
    level = "error" if [*failures(result, strict=strict)] else "notice"
    out.write(annotation(level, verdict(result)) + "\n")


def _place(difference: Difference) -> tuple[str, int]:
    """File and line of a difference, where it has them."""
    found = re.match(r"(.+?)(?::(\d+))?(?: \([^()]*\))?$", difference.where or "", re.DOTALL)
    return ("", 0) if found is None else (found[1], int(found[2] or 0))


_SHOWN: dict[str, Callable[[Comparison, TextIO, bool], None]] = {
    "text": _text, "json": _json, "junit": _junit, "github": _github,
}  # fmt: skip
FORMATS = tuple(_SHOWN)
"""The names of the formats."""
