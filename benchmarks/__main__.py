"""`python -m benchmarks`: measure everything, print one table, write it as JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.ground import broker
from benchmarks.machine import described
from benchmarks.targets import Outcome, outcomes
from cbsim.errors import CbsimError

PIECES = (
    "publishing", "running", "embedded", "generation", "validation", "ledger", "strategies",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the pieces that are asked for; 1 if a target is missed, for those who ask."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("pieces", nargs="*", metavar="PIECE", help=f"of {', '.join(PIECES)}")
    parser.add_argument("--short", action="store_true", help="fewer and shorter runs")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks.json"), metavar="PATH")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a target is missed")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.pieces) - set(PIECES):
        parser.error(f"no such piece: {', '.join(sorted(unknown))}")
    # Not in a terminal, the tables are for a page.
    console = Console() if sys.stdout.isatty() else Console(width=110)
    with broker() as url:
        machine, results = described(url), _measured(asked.pieces or PIECES, url, asked.short)
    found = outcomes(results)
    report(console, machine, results, found)
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(
        json.dumps({"machine": machine, "short": asked.short, "figures": results,
                    "targets": [_as_json(one) for one in found]}, indent=2) + "\n"
    )  # fmt: skip
    console.print(f"written to {asked.json}", style="dim")
    return int(asked.strict and any(one.kept is False for one in found))


def report(
    console: Console,
    machine: Mapping[str, Any],
    results: Mapping[str, Any],
    found: Sequence[Outcome],
) -> None:
    """Print the figures, then the targets."""
    console.print(", ".join(f"{name} {said}" for name, said in machine.items()), style="dim")
    if peers := results.get("publishing", {}).get("peers"):
        of = results["publishing"]
        console.print(
            _peers(peers, of["ratios to prebuilt frames"],
                   of["ratios to prebuilt frames with confirms"])
        )  # fmt: skip
    others = {piece: figures for piece, figures in results.items() if piece != "publishing"}
    if others:
        console.print(_figures(others))
    console.print(_targets(found))


def _measured(pieces: Sequence[str], url: str, short: bool) -> dict[str, Any]:
    """What each piece measures, all of them on one broker."""
    results: dict[str, Any] = {}
    before = os.environ.get("CBSIM_BROKER_URL")
    os.environ["CBSIM_BROKER_URL"] = url
    try:
        for piece in pieces:
            if find_spec(f"benchmarks.{piece}") is not None:
                began = time.monotonic()
                results[piece] = import_module(f"benchmarks.{piece}").measure(short=short)
                sys.stderr.write(f"{piece}: {time.monotonic() - began:.0f} s\n")
    finally:
        del os.environ["CBSIM_BROKER_URL"]
        if before is not None:
            os.environ["CBSIM_BROKER_URL"] = before
    return results


def _peers(
    peers: Mapping[str, Mapping[str, Any]],
    bare: Mapping[str, float],
    confirmed: Mapping[str, float],
) -> Table:
    table = Table("published to RabbitMQ")
    for name in (
        "a second",
        "client CPU",
        "broker CPU",
        "to frames, no confirms",
        "to frames, confirms",
    ):
        table.add_column(name, justify="right")
    for peer, figures in peers.items():
        if "missing" in figures:
            table.add_row(peer, figures["missing"])
            continue
        rate, *cpus = figures.values()
        shown = ["-" if one is None else f"{one:,.1f} µs" for one in cpus]
        table.add_row(peer, f"{rate:,}", *shown, f"{bare[peer]:.2f}", f"{confirmed[peer]:.2f}")
    return table


def _figures(results: Mapping[str, Any]) -> Table:
    table = Table("figure")
    table.add_column("", justify="right")

    def add(path: str, figures: object) -> None:
        if isinstance(figures, Mapping):
            for name, figure in figures.items():
                add(f"{path}: {name}", figure)
        elif isinstance(figures, float):
            table.add_row(path, f"{figures:,.2f}")
        else:
            table.add_row(path, f"{figures:,}" if isinstance(figures, int) else f"{figures}")

    for piece, figures in results.items():
        add(piece, figures)
    return table


def _targets(found: Sequence[Outcome]) -> Table:
    table = Table("target")
    table.add_column("bound", justify="right")
    table.add_column("measured", justify="right")
    table.add_column("")
    for one in found:
        target = one.target
        sign = "≤" if target.at_most else "≥"
        if one.figure is None:
            measured, verdict = one.missing, "[yellow]?[/]"
        else:
            measured = f"{one.figure:,.2f}"
            verdict = "[green]met[/]" if one.kept else "[red]missed[/]"
        table.add_row(target.what, f"{sign} {target.bound:g} {target.unit}", measured, verdict)
    return table


def _as_json(one: Outcome) -> dict[str, object]:
    target = one.target
    return {"what": target.what, "bound": target.bound, "at most": target.at_most,
            "unit": target.unit, "measured": one.figure, "met": one.kept,
            "missing": one.missing}  # fmt: skip


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CbsimError as error:
        sys.exit(f"benchmarks: {error}")
