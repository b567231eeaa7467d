"""`cbsim report`: two runs beside each other."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click
import orjson
from rich.table import Table

from cbsim.cli.completion import one_of
from cbsim.load.account import read
from cbsim.load.contrast import Contrast, contrasts, differences
from cbsim.printable import printable
from cbsim.report.page import Page

__all__ = ["command"]

_FORMATS = ("text", "json")


@click.command("report", short_help="Compare two runs.")
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    default="text",
    show_default=True,
    shell_complete=one_of(*_FORMATS),
)
def command(before: Path, after: Path, form: str) -> None:
    """Compare the runs of which `cbsim run --report` wrote BEFORE.json and AFTER.json.

    Means over the time of each run, what became better or worse and by how much. What may differ so
    much by chance, as the runs' own ups and downs show, is called within the noise.
    """
    first, second = read(before), read(after)
    found, notes = contrasts(first, second), differences(first, second)
    if form == "json":
        measures = [asdict(one) | {"share": one.share} for one in found]
        told = {"measures": measures, "differences": notes}
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2))
        return
    table = Table(box=None, pad_edge=False)
    for name in ("", "before", "after", "change", "noise"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    table.add_column("", no_wrap=True)
    for contrast in found:
        table.add_row(*_row(contrast))
    console = Page(file=sys.stdout, highlight=False, soft_wrap=True, markup=False)
    console.print(table)
    for note in notes:
        console.print(f"they differ in {printable(note, limit=300)}")


def _row(contrast: Contrast) -> list[str]:
    share = "-" if contrast.share is None else f"{contrast.share:+.1%}"
    noise = "-"
    if contrast.noise is not None and contrast.before:
        noise = f"±{contrast.noise / contrast.before:.1%}"
    values = (_shown(value, contrast.unit) for value in (contrast.before, contrast.after))
    return [contrast.name, *values, share, noise, contrast.change.value]


def _shown(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.2f} s"
    return f"{value:,.0f}{unit}"
