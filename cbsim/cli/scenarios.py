"""`cbsim scenarios`: what comes with cbsim."""

from __future__ import annotations

import click

from cbsim.cli.completion import scenarios
from cbsim.scenario.loader import found, shipped

__all__ = ["command"]


@click.command("scenarios", short_help="Show the scenarios that come with cbsim.")
@click.argument("name", required=False, shell_complete=scenarios)
def command(name: str | None) -> None:
    """Show the scenarios that come with cbsim, each with its story in a sentence, or NAME whole.

    `cbsim init NAME` copies one, to be changed.
    """
    if name is not None:
        click.echo(found(name).read_text(encoding="utf-8"), nl=False)
        return
    for known, story in shipped().items():
        click.echo(f"{known:<18} {story}")
