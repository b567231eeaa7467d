"""`cbsim verify`: did the consumer put out everything that was sent, once, whole, in order?"""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path

import click

from cbsim.checks.comparison import PRESETS, compare
from cbsim.checks.ledger import Ledger
from cbsim.checks.mapped import FIELDS, ONE_PER
from cbsim.checks.record import files
from cbsim.checks.source import Piece, pieces, spooled
from cbsim.cli.options import bind_option
from cbsim.cli.pipe import let_go
from cbsim.cli.progress import advancing
from cbsim.errors import CbsimError, InputError
from cbsim.report.comparison import FORMATS, moment, show
from cbsim.report.proof import write_proof

__all__ = ["command"]


@click.command("verify", short_help="Compare what was sent with what a consumer put out.")
@click.argument("output", nargs=-1, required=True, metavar="OUTPUT...")
@click.option("--ledger", required=True, metavar="PATH", help="What `run` or `replay` wrote.")
@click.option("--preset", type=click.Choice(PRESETS), help="Lines as forwarders write them.")
@click.option("--map", "places", multiple=True, metavar="FIELD=PATH",
              help=f"A field's JSON path or CSV column; FIELD is {', '.join(FIELDS)}.")  # fmt: skip
@click.option("--one-per", type=click.Choice(ONE_PER), help="With --map: what a row stands for.  "
              "[event]")  # fmt: skip
@bind_option
@click.option("--strict", is_flag=True, help="Duplicates and wrong order are failures too.")
@click.option("--show", "shown", type=click.IntRange(0), default=10, show_default=True,
              help="How many differences of each kind to name.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), metavar="PROOF.html",
              help="Also write a page for others to see, and JSON beside it.")  # fmt: skip
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
) -> None:
    """Compare a ledger with OUTPUT, what a consumer put out: NDJSON, a JSON array, CSV with a
    header row, or a folder of raw bodies.

    Without --map and --preset, OUTPUT holds the messages as they were: the lines of `cbsim tap`,
    bodies, or JSON with the same content. Exit code 1 when anything was lost, corrupted or is
    unexpected, or nobody can tell, and when nothing was sent; 2 for wrong usage: a file that cannot
    be read, a --ledger that is none, a --map to what no item of OUTPUT has.
    """
    paths = {}
    for place in places:
        name, equals, path = place.partition("=")
        if not equals or not path:
            raise InputError(f"--map {place}: expected FIELD=PATH, such as guid=process_guid")
        paths[name] = path
    with Ledger.open(ledger) as known, ExitStack() as stack:
        sources = [piece for path in output for piece in _pieces(path, stack)]
        advance = stack.enter_context(advancing(sum(piece.size for piece in sources)))
        result = compare(known, sources, preset=preset, places=paths, one_per=one_per, bound=keys,
                         limit=shown, advance=advance)  # fmt: skip
        about = known.about
    if report is not None:
        about = {"ledger": ledger, "output": ", ".join(output), "bound to": ", ".join(keys),
                 "verified": moment(time.time())} | about  # fmt: skip
        write_proof(result, report, about, strict=strict)
    try:
        show(result, form, sys.stdout, strict=strict)
        sys.stdout.flush()
    except BrokenPipeError:
        # As in `cbsim verify | head`: the exit code still tells.
        let_go()
    if not result.total("sent"):
        raise CbsimError(f"ledger {ledger}: nothing was sent on {', '.join(keys)}")
    sys.exit(1 if not result.whole or (strict and not result.exact) else 0)


def _pieces(path: str, stack: ExitStack) -> list[Piece]:
    if path != "-":
        return [piece for file in files(path) for piece in pieces(file)]
    name, file = spooled()
    stack.enter_context(file)
    return pieces(name, "-")
