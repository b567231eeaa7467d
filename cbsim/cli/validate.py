"""`cbsim validate`: is what was received, or put out, as the server would write it?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import click

from cbsim.catalog import Dialect
from cbsim.checks.record import Record, files
from cbsim.checks.source import pieces
from cbsim.checks.survey import survey
from cbsim.checks.validation import Finding, Validation
from cbsim.cli.broker import BrokerChoice, broker_options
from cbsim.cli.completion import dialects, names
from cbsim.cli.live import arriving
from cbsim.cli.options import bind_option
from cbsim.cli.pipe import let_go
from cbsim.cli.progress import advancing
from cbsim.errors import InputError
from cbsim.report.findings import FORMATS, handler

__all__ = ["command"]


@click.command("validate", short_help="Check messages against the schemas and rules.")
@click.argument("paths", nargs=-1, metavar="[FILE|FOLDER|-]...")
@click.option("--as", "name", metavar="NAME", shell_complete=names, help="What bare messages are.")
@click.option("--dialect", default="observed", show_default=True, shell_complete=dialects,
              help="documented or observed.")  # fmt: skip
@click.option("--semantic/--no-semantic", default=True, show_default=True,
              help="Also what values must mean together.")  # fmt: skip
@click.option("--format", "form", type=click.Choice([*FORMATS]), default="text", show_default=True)
@broker_options
@bind_option
@click.option("--count", type=click.IntRange(1), help="Live: stop after that many messages.")
@click.option("--idle", type=float, metavar="SECONDS", help="Live: stop when nothing came so long.")
def command(
    paths: tuple[str, ...],
    name: str | None,
    dialect: str,
    semantic: bool,
    form: str,
    broker: BrokerChoice,
    keys: tuple[str, ...],
    count: int | None,
    idle: float | None,
) -> None:
    """Validate the messages in files: NDJSON of `cbsim tap` or `--sink ndjson:`, bare JSON
    messages, one a line, in an array or alone, raw events and bundles (zipped or bare). Without
    files, what is on the bus.

    Bare messages are what --as says, or their `type`, their folder, or their fields.
    Exit code 1 when a message is invalid or there was none; 2 for wrong usage, and for a file that
    cannot be read.
    """
    validation = Validation(Dialect.parse(dialect), semantic=semantic, name=name)
    handle = handler(form, sys.stdout)
    with ExitStack() as stack:
        if paths:
            broker.refuse("files: what is on the bus is validated without any")
            cut = [piece for path in paths for file in files(path) for piece in pieces(file)]
            advance = stack.enter_context(advancing(sum(piece.size for piece in cut)))
            found = survey(validation, cut, advance)
        else:
            if not broker.broker:
                raise InputError("nothing to validate: expected files, or --broker URL")
            found = _of_the_bus(validation, _live(broker, keys, count, idle))
        for finding, before in found:
            # Whoever reads the findings may be gone; the exit code tells of all messages.
            with _for_a_reader():
                handle.finding(finding, before)
    with _for_a_reader():
        handle.end(validation.tally)
        sys.stdout.flush()
    if not validation.tally.messages:
        click.echo("cbsim: there were no messages", err=True)
    sys.exit(1 if validation.tally.invalid or not validation.tally.messages else 0)


def _of_the_bus(
    validation: Validation, arriving: Iterator[Record]
) -> Iterator[tuple[Finding, int]]:
    for record in arriving:
        for finding in validation.check(record):
            yield finding, validation.tally.add(finding)


@contextmanager
def _for_a_reader() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        let_go()


def _live(
    broker: BrokerChoice, keys: tuple[str, ...], count: int | None, idle: float | None
) -> Iterator[Record]:
    try:
        for number, message in enumerate(arriving(broker, keys, idle=idle), 1):
            yield Record("bus", number, message=message)
            if number == count:
                return
    except KeyboardInterrupt:
        pass
