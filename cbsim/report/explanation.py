"""An item beside the message that it was compared with, for a person or a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TextIO

import orjson
from rich.table import Table

from cbsim.checks.explanation import Explanation
from cbsim.printable import printable, printable_json
from cbsim.report.page import Page

__all__ = ["FORMATS", "show_explanations"]

FORMATS = ("text", "json")


def show_explanations(explanations: Sequence[Explanation], form: str, out: TextIO) -> None:
    """Write explanations in a format of FORMATS."""
    if form == "json":
        found = [asdict(explanation) for explanation in explanations]
        out.write(printable_json(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode()) + "\n")
        return
    console = Page(file=out, highlight=False, soft_wrap=True, markup=False)
    if not console.is_terminal:
        console.width = 160
    for explanation in explanations:
        console.print(_headline(explanation))
        console.print(_table(explanation))
        for remark in _remarks(explanation):
            console.print(remark)


def _headline(explanation: Explanation) -> str:
    where = printable(explanation.where)
    if explanation.sequence is None:
        return f"{where}: {explanation.kind}, and there is no message to compare it with"
    part = "" if explanation.part is None else f", part {explanation.part + 1}"
    relation = "likest" if explanation.kind == "unexpected" else "compared with"
    return f"{where}: {explanation.kind}, {relation} message {explanation.sequence}{part}"


def _table(explanation: Explanation) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("", "in the output", "in the message", ""):
        table.add_column(column, no_wrap=True)
    for name in [*dict.fromkeys([*explanation.message, *explanation.item])]:
        ours, theirs = (printable(side.get(name) or "nothing")
                        for side in (explanation.item, explanation.message))  # fmt: skip
        table.add_row(name, ours, theirs, _relation(explanation, name))
    return table


def _relation(explanation: Explanation, name: str) -> str:
    if explanation.compared and name not in explanation.compared:
        return "not compared"
    return "differs" if name in {each.field for each in explanation.mismatches} else ""


def _remarks(explanation: Explanation) -> list[str]:
    said = []
    if explanation.fault:
        said.append(printable(explanation.fault))
    if not explanation.compared:
        said.append("compared by all that they hold")
        said += [printable(mismatch, limit=1000) for mismatch in explanation.mismatches]
    elif explanation.precision and "timestamp" in explanation.compared:
        said.append(f"times are compared at the output's precision: {explanation.precision}")
    if explanation.alike:
        shown = ", ".join(map(str, explanation.alike[:10]))
        more = ", ..." if len(explanation.alike) > 10 else ""
        said.append(f"nobody can tell it from messages {shown}{more}: they look the same here")
    return said
