"""`cbsim generate`: messages of one type, without a broker."""

from __future__ import annotations

import click

from cbsim.catalog import Dialect, Notification, RawEvent, ServerVersion, lookup
from cbsim.cli.completion import dialects, names, versions
from cbsim.cli.output import FORMATS, writer

__all__ = ["command"]


@click.command("generate", short_help="Write messages of one type, without a broker.")
@click.argument("name", shell_complete=names)
@click.option("--count", type=click.IntRange(1), default=1, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option(
    "--server",
    metavar="VERSION",
    shell_complete=versions,
    help="4.2, 5.2, 6.x or 7.x.  [default: one that has it]",
)
@click.option("--dialect", default="observed", show_default=True, shell_complete=dialects,
              help="documented or observed.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(FORMATS), default="ndjson", show_default=True)
def command(name: str, count: int, seed: int, server: str | None, dialect: str, form: str) -> None:
    """Write messages of the notification or raw event NAME to standard output."""
    from cbsim.scenario.model import Phase, Scenario
    from cbsim.scenario.stream import FIXED_START, messages
    from cbsim.world.setting import EstateSize, Server

    entry = lookup(name)
    version = ServerVersion.parse(server) if server else _default(entry)
    scenario = Scenario(
        server=Server(version=version, dialect=Dialect.parse(dialect)),
        estate=EstateSize(),
        seed=seed,
        phases=(Phase(count=count, rate=100.0, mix={name: 1.0}),),
    )
    write = writer(form)
    for _, message, _, _ in messages(scenario, FIXED_START):
        write(message)


def _default(entry: Notification | RawEvent) -> ServerVersion:
    if entry.in_version(ServerVersion.V5_2):
        return ServerVersion.V5_2
    return entry.since
