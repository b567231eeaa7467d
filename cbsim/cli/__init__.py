"""The command line: thin, and the one place where errors become text and exit codes."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from cbsim import __version__
from cbsim.cli.pipe import let_go
from cbsim.errors import CbsimError, InputError
from cbsim.printable import printable, printable_lines

__all__ = ["main"]

_COMMANDS = {
    "events": "Show everything the server can say.",
    "find-limit": "Find how many messages a second a consumer can take.",
    "fault": "Cause a fault on a served bus: drop, stall, reorder...",
    "generate": "Write messages of one type, without a broker.",
    "health": "Ask a served bus how it stands; wait until it is ready.",
    "init": "Copy a scenario, to make it your own.",
    "learn": "Write a server's profile, from a recording of it.",
    "replay": "Publish recorded messages again, byte for byte.",
    "report": "Compare two runs: better or worse, and whether it may be chance.",
    "run": "Run a scenario against a broker or into a file.",
    "scenarios": "Show the scenarios that come with cbsim.",
    "scrub": "Write a recording anew, with stand-ins for all names.",
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
        command: click.Command = import_module(f"cbsim.cli.{name.replace('-', '_')}").command
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # The reader of our output has what it wanted, as in `cbsim events | head`. click takes
            # it for a failure.
            let_go()
            return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cbsim")
def _cli() -> None:
    """A test double for the Carbon Black EDR server's notification bus.

    Start with `cbsim serve`, and `cbsim subscribe` as it says.

    Exit code 0 when all went well; 1 when a run failed or a check found something; 2 for wrong
    usage, and for files that are not there or not what they should be: nothing was done then.

    Shell completion: `eval "$(_CBSIM_COMPLETE=bash_source cbsim)"`, likewise zsh and fish.
    """


def main() -> None:
    """Run the command line; the exit code is 1 for what failed, 2 for wrong usage."""
    if sys.stdout is None:
        # Who closed it wants to see nothing.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - it lasts as long as we do
    code = _ended()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        let_go()
    except OSError as error:
        let_go()
        code = _told(error)
    raise SystemExit(code)


def _ended() -> int | str | None:
    """How the command ended."""
    try:
        _cli.main(standalone_mode=True, prog_name="cbsim")
    except SystemExit as ended:
        return ended.code
    except CbsimError as error:
        click.echo(f"cbsim: {printable_lines(error)}", err=True)
        return 2 if isinstance(error, InputError) else 1
    except OSError as error:
        return _told(error)
    return 0


def _told(error: OSError) -> int:
    """Say what no command had a sentence of its own for."""
    where = f"{error.filename}: " if error.filename else "cannot write: "
    click.echo(f"cbsim: {printable(f'{where}{error.strerror or error}')}", err=True)
    return 1
