"""The command line: thin, and the one place where errors become text and exit codes."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from cbsim import __version__
from cbsim.errors import CbsimError

__all__ = ["main"]

_COMMANDS = {
    "events": "Show everything the server can say.",
    "fault": "Cause a fault on a served bus: drop, stall, reorder...",
    "generate": "Write messages of one type, without a broker.",
    "health": "Ask a served bus how it stands; wait until it is ready.",
    "replay": "Publish recorded messages again, byte for byte.",
    "run": "Run a scenario against a broker or into a file.",
    "scenarios": "Show the scenarios that come with cbsim.",
    "serve": "Be a server's bus: broker, exchanges and a scenario, until stopped.",
    "subscribe": "Show what arrives on the bus, decoded.",
    "tap": "Record everything on the bus, with receive times.",
    "validate": "Check messages against the schemas and rules.",
    "verify": "Compare what was sent with what a consumer put out.",
}


class _Lazy(click.Group):
    """Imports a command's module when it is called: `--help` must not wait for the world."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"cbsim.cli.{name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cbsim")
def _cli() -> None:
    """A test double for the Carbon Black EDR server's notification bus.

    Start with `cbsim serve`, and `cbsim subscribe` as it says.

    Shell completion: `eval "$(_CBSIM_COMPLETE=bash_source cbsim)"`, likewise zsh and fish.
    """


def main() -> None:
    """Run the command line; exit code 1 for what cbsim refuses, 2 for wrong usage."""
    try:
        _cli.main(standalone_mode=True, prog_name="cbsim")
    except CbsimError as error:
        click.echo(f"cbsim: {error}", err=True)
        raise SystemExit(1) from None
    except BrokenPipeError:
        # The reader of our output is gone, as in `cbsim events | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
