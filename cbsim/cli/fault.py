"""`cbsim fault`: a bad day on demand, for the consumers of a bus that `cbsim serve` runs."""

from __future__ import annotations

from typing import Any

import click

from cbsim.bus.embedded import FAULTS, Fault, Parameter
from cbsim.cli.health import Asked, ask, endpoint_option
from cbsim.cli.verdict import beginning
from cbsim.printable import printable

__all__ = ["command"]

_ACTIVE = "active"


class _OfFaults(click.Group):
    """A subcommand for each fault that the embedded broker declares."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [_ACTIVE, *(name.replace("_", "-") for name in FAULTS)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name == _ACTIVE:
            return _active
        fault = FAULTS.get(name.replace("-", "_"))
        return None if fault is None else _command(fault)


@click.group(
    "fault", cls=_OfFaults, short_help="Cause a fault on a served bus: drop, stall, reorder..."
)
@endpoint_option
@click.option("--token", envvar="CBSIM_TOKEN", metavar="TOKEN",
              help="The token of `cbsim serve`, if it has one.  [env: CBSIM_TOKEN]")  # fmt: skip
@click.pass_context
def command(ctx: click.Context, at: str, token: str | None) -> None:
    """Cause a fault on the embedded broker of a bus that `cbsim serve` runs.

    Without --connection, --queue or --consumer it is for every consumer.
    """
    ctx.obj = Asked(at, token)


@click.command(_ACTIVE, short_help="Show the faults that last or wait for their moment.")
@click.pass_obj
def _active(endpoint: Asked) -> None:
    for line in ask(endpoint, "/faults")["active"]:
        click.echo(printable(line))


def _command(fault: Fault) -> click.Command:
    def act(**given: Any) -> None:
        asked = {name: value for name, value in given.items() if value is not None}
        with beginning():
            fault.arguments(asked)
        affected = ask(click.get_current_context().obj, "/faults", {"fault": fault.name} | asked)[
            "affected"
        ]
        click.echo(f"{fault.name.replace('_', '-')}: {affected} affected" if affected else "done")

    return click.Command(
        fault.name.replace("_", "-"),
        callback=act,
        params=[_option(one) for one in fault.parameters],
        help=fault.doc,
        short_help=fault.doc.partition("\n")[0],
    )


def _option(parameter: Parameter) -> click.Option:
    default = None if parameter.required or parameter.default is None else parameter.default
    return click.Option(
        ["--" + parameter.name.replace("_", "-"), parameter.name],
        type=click.Choice(parameter.choices) if parameter.choices else parameter.type,
        required=parameter.required,
        default=default,
        show_default=default is not None,
        help=parameter.doc,
    )
