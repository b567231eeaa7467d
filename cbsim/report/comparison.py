"""A comparison for a person, or for a program."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TextIO

import orjson
from rich.table import Table

from cbsim.checks.comparison import Comparison
from cbsim.printable import printable, printable_json
from cbsim.report.page import Page

__all__ = ["FORMATS", "show"]

FORMATS = ("text", "json")

_KINDS = ("sent", "received", "lost", "duplicated", "corrupted", "unexpected")


def show(result: Comparison, form: str, out: TextIO) -> None:
    """Write a comparison in a format of FORMATS."""
    if form == "json":
        report = {
            "whole": result.whole,
            "total": {kind: result.total(kind) for kind in _KINDS},
            "unconfirmed": result.unconfirmed,
            "perished": result.perished,
            "outages": [asdict(one) for one in result.outages],
            "unmatchable": result.total("unmatchable"),
            "names": {name: asdict(counts) for name, counts in sorted(result.names.items())},
            "differences": [asdict(one) for one in result.differences],
            "precision": result.precision,
            "uncompared": result.uncompared,
            "disordered": {str(sensor): count for sensor, count in result.disordered.items()},
            "latency": result.latency,
        }
        text = orjson.dumps(report, option=orjson.OPT_INDENT_2).decode()
        out.write(printable_json(text) + "\n")
        return
    console = Page(file=out, highlight=False, soft_wrap=True, markup=False)
    if not console.is_terminal:
        console.width = 160
    console.print(_table(result))
    for difference in result.differences:
        console.print(str(difference))
    for kind in _KINDS[2:]:
        more = result.total(kind) - sum(one.kind == kind for one in result.differences)
        if more:
            console.print(f"and {more:,} more {kind}")
    if result.unconfirmed:
        console.print(f"{result.unconfirmed:,} did not come, but were never confirmed either")
    for outage in result.outages:
        console.print(
            f"the broker was away from {_moment(outage.since)} to {_moment(outage.until)}: "
            f"{printable(outage.why)}"
        )
    if result.perished:
        console.print(
            f"{result.perished:,} did not come, but were confirmed before that and not persistent: "
            "they may have been lost with the broker; `--persistent` is for those that must not be"
        )
    if unmatchable := result.total("unmatchable"):
        names = ", ".join(
            printable(name) for name, it in sorted(result.names.items()) if it.unmatchable
        )
        console.print(
            f"{unmatchable:,} have nothing that was mapped, so that nobody can tell if they came: "
            f"{names}; --map what they have, or --bind what the consumer takes"
        )
    for kind, clock in result.precision.items():
        if clock != "exact":
            console.print(f"times of {printable(kind)} are matched at their precision: {clock}")
    for name, fields in sorted(result.uncompared.items()):
        console.print(
            f"not compared, since no item has it: {', '.join(fields)} of "
            f"{printable(name) or 'anything'}"
        )
    if result.foreign:
        console.print("nothing in the output is of this ledger: is it the output of that run?")
    if result.disordered:
        count, sensors = sum(result.disordered.values()), len(result.disordered)
        first = next(iter(result.disordered))
        console.print(f"{count:,} out of order, of {sensors:,} sensors such as {first}")
    if result.latency:
        shown = ", ".join(f"{name} {_time(it)}" for name, it in result.latency.items())
        console.print(f"from published to received: {shown}")
    words = [f"{result.total(kind):,} {kind}" for kind in _KINDS]
    console.print(f"{'whole' if result.whole else 'NOT WHOLE'}: {', '.join(words)}")


def _table(result: Comparison) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("message", no_wrap=True)
    for kind in _KINDS:
        table.add_column(kind, justify="right", no_wrap=True)
    for name, counts in sorted(result.names.items()):
        row = [getattr(counts, kind) for kind in _KINDS]
        table.add_row(printable(name) or "(unknown)", *(f"{it:,}" if it else "-" for it in row))
    return table


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + "Z"


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
