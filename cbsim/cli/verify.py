"""`cbsim verify`: did the consumer put out everything that was sent, once, whole, in order?"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from textwrap import fill

import click

from cbsim.checks.comparison import PRESETS, match, outcome
from cbsim.checks.explanation import explained
from cbsim.checks.ledger import Ledger
from cbsim.checks.mapped import FIELDS, ONE_PER
from cbsim.checks.record import files
from cbsim.checks.source import Piece, pieces, spooled
from cbsim.checks.visible import IDENTITIES
from cbsim.cli.options import bind_option
from cbsim.cli.pipe import let_go
from cbsim.cli.progress import advancing
from cbsim.errors import CbsimError, InputError
from cbsim.report import explanation
from cbsim.report.comparison import FORMATS, moment, show
from cbsim.report.proof import write_proof

__all__ = ["command"]


def _fields() -> str:
    """Which field of a message each FIELD of `--map` is compared with, a line each."""
    meanings = {"name": "the routing key", **IDENTITIES, "received": "nothing: when it arrived"}
    lines = [
        fill(meanings[name].replace("`", ""), 78, initial_indent=f"  {name:13}",
             subsequent_indent=" " * 15, break_on_hyphens=False)
        for name in FIELDS
    ]  # fmt: skip
    return "\n".join(
        ["\b", "What FIELD is compared with, of a message or of its document:", *lines]
    )


@click.command("verify", epilog=_fields(),
               short_help="Compare what was sent with what a consumer put out.")  # fmt: skip
@click.argument("output", nargs=-1, required=True, metavar="OUTPUT...")
@click.option("--ledger", required=True, metavar="PATH", help="What `run` or `replay` wrote.")
@click.option("--preset", type=click.Choice(PRESETS), help="Lines as forwarders write them.")
@click.option("--map", "places", multiple=True, metavar="FIELD=PATH",
              help="A field's JSON path or CSV column; FIELD is one of those below.")  # fmt: skip
@click.option("--one-per", type=click.Choice(ONE_PER), help="With --map: what a row stands for.  "
              "[event]")  # fmt: skip
@bind_option
@click.option("--strict", is_flag=True, help="Duplicates and wrong order are failures too.")
@click.option("--show", "shown", type=click.IntRange(0), default=10, show_default=True,
              help="How many differences of each kind to name.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), metavar="PROOF.html",
              help="Also write a page for others to see, and JSON beside it.")  # fmt: skip
@click.option(
    "--explain",
    multiple=True,
    metavar="LINE|FILE:LINE",
    help="Show what that item was compared with, field by field, and nothing else.",
)
def command(
    output: tuple[str, ...],
    ledger: str,
    preset: str | None,
    places: tuple[str, ...],
    one_per: str | None,
    keys: tuple[str, ...],
    strict: bool,
    shown: int,
    form: str,
    report: Path | None,
    explain: tuple[str, ...],
) -> None:
    """Compare a ledger with OUTPUT, what a consumer put out: NDJSON, a JSON array, CSV with a
    header row, or a folder of raw bodies.

    Without --map and --preset, OUTPUT holds the messages as they were: the lines of `cbsim tap`,
    bodies, or JSON with the same content. Exit code 1 when anything was lost, corrupted or is
    unexpected, or nobody can tell, and when nothing was sent; 2 for wrong usage: a file that cannot
    be read, a --ledger that is none, a --map to what no item of OUTPUT has.
    """
    if explain and (report or form not in explanation.FORMATS):
        raise InputError("--explain is as text or json, and without --report")
    with Ledger.open(ledger) as known, ExitStack() as stack:
        sources = [piece for path in output for piece in _pieces(path, stack)]
        advance = stack.enter_context(advancing(sum(piece.size for piece in sources)))
        found = match(known, sources, preset=preset, places=_paths(places), one_per=one_per,
                      bound=keys, advance=advance)  # fmt: skip
        if explain:
            said = [item for wanted in explain for item in explained(found, wanted)]
            with _let_go():
                explanation.show_explanations(said, form, sys.stdout)
            return
        result, about = outcome(found, shown), known.about
    if report is not None:
        about = {"ledger": ledger, "output": ", ".join(output), "bound to": ", ".join(keys),
                 "verified": moment(time.time())} | about  # fmt: skip
        write_proof(result, report, about, strict=strict)
    with _let_go():
        show(result, form, sys.stdout, strict=strict)
    if not result.total("sent"):
        raise CbsimError(f"ledger {ledger}: nothing was sent on {', '.join(keys)}")
    sys.exit(1 if not result.whole or (strict and not result.exact) else 0)


@contextmanager
def _let_go() -> Iterator[None]:
    """Writing to standard output, whose reader may be gone, as in `cbsim verify | head`: the exit
    code still tells.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        let_go()


def _paths(places: tuple[str, ...]) -> dict[str, str]:
    """The places of `--map`, by their fields."""
    paths = {}
    for place in places:
        name, equals, path = place.partition("=")
        if not equals or not path:
            raise InputError(f"--map {place}: expected FIELD=PATH, such as guid=process_guid")
        paths[name] = path
    return paths


def _pieces(path: str, stack: ExitStack) -> list[Piece]:
    if path != "-":
        return [piece for file in files(path) for piece in pieces(file)]
    name, file = spooled()
    stack.enter_context(file)
    return pieces(name, "-")
