"""`cbsim fault`: a bad day on demand, for the consumers of a bus that `cbsim serve` runs."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import click

from cbsim.bus.embedded import FAULTS, Fault, Parameter
from cbsim.errors import CbsimError

__all__ = ["command"]

_HERE = "http://127.0.0.1:15004"
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
@click.option("--at", default=_HERE, show_default=True, envvar="CBSIM_ENDPOINT", metavar="URL",
              help="The health endpoint of `cbsim serve`.  [env: CBSIM_ENDPOINT]")  # fmt: skip
@click.option("--token", envvar="CBSIM_TOKEN", metavar="TOKEN",
              help="The token of `cbsim serve`, if it has one.  [env: CBSIM_TOKEN]")  # fmt: skip
@click.pass_context
def command(ctx: click.Context, at: str, token: str | None) -> None:
    """Cause a fault on the embedded broker of a bus that `cbsim serve` runs.

    Without --connection, --queue or --consumer it is for every consumer.
    """
    ctx.obj = (at, token)


@click.command(_ACTIVE, short_help="Show the faults that last or wait for their moment.")
@click.pass_obj
def _active(endpoint: tuple[str, str | None]) -> None:
    for line in _ask(endpoint, None)["active"]:
        click.echo(line)


def _command(fault: Fault) -> click.Command:
    def act(**given: Any) -> None:
        asked = {name: value for name, value in given.items() if value is not None}
        affected = _ask(click.get_current_context().obj, {"fault": fault.name} | asked)["affected"]
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


def _ask(endpoint: tuple[str, str | None], asked: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the endpoint answers to a fault, or to the question for what is active."""
    at, token = endpoint
    if urlsplit(at).scheme not in ("http", "https"):
        raise CbsimError(f"--at {at!r}: expected http://host:port")
    request = urllib.request.Request(
        at.rstrip("/") + "/faults",
        None if asked is None else json.dumps(asked).encode(),
        {"Authorization": f"Bearer {token}"} if token else {},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            said: dict[str, Any] = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            raise CbsimError(f"{at}: {_why(error)}") from None
    except (http.client.HTTPException, ValueError):
        raise CbsimError(f"{at}: what answers there is not `cbsim serve`") from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        why = getattr(reason, "strerror", None) or reason
        raise CbsimError(f"{at}: `cbsim serve` does not answer there: {why}") from None
    return said


def _why(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["error"])
    except (ValueError, KeyError, TypeError):
        return "what answers there is not `cbsim serve`"
