"""`cbsim scenarios`: what comes with cbsim."""

from __future__ import annotations

import click

from cbsim.scenario.loader import shipped

__all__ = ["command"]


@click.command("scenarios", short_help="Show the scenarios that come with cbsim.")
def command() -> None:
    """Show the scenarios that come with cbsim, each with its story in a sentence."""
    for name, story in shipped().items():
        click.echo(f"{name:<18} {story}")
