"""`cbsim health`: how a bus that `cbsim serve` runs stands."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import click

from cbsim.cli.options import HEALTH_PORT
from cbsim.errors import CbsimError, InputError

__all__ = ["Asked", "ask", "command", "endpoint_option"]

endpoint_option = click.option(
    "--at",
    default=f"http://127.0.0.1:{HEALTH_PORT}",
    show_default=True,
    envvar="CBSIM_ENDPOINT",
    metavar="URL",
    help="The health endpoint of `cbsim serve`.  [env: CBSIM_ENDPOINT]",
)

_LONGEST = 1 << 20
"""Bytes of an answer."""


@click.command("health", short_help="Ask a served bus how it stands; wait until it is ready.")
@endpoint_option
@click.option("--wait", type=click.FloatRange(0), default=0.0, metavar="SECONDS",
              help="Until it is ready, at most that long.")  # fmt: skip
def command(at: str, wait: float) -> None:
    """Show how a bus that `cbsim serve` runs stands, as JSON; exit code 1 when it is not ready."""
    until = time.monotonic() + wait
    while True:
        try:
            click.echo(json.dumps(ask(Asked(at), "/health")))
            return
        except CbsimError:
            if time.monotonic() >= until:
                raise
        time.sleep(0.1)


class Asked(NamedTuple):
    """The endpoint of a served bus, and the token that it wants for faults."""

    at: str
    token: str | None = None


def ask(endpoint: Asked, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the endpoint answers; raises CbsimError when it does not, or refuses."""
    at, token = endpoint
    if urlsplit(at).scheme not in ("http", "https"):
        raise InputError(f"--at {at!r}: expected http://host:port")
    request = urllib.request.Request(
        at.rstrip("/") + path,
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}"} if token else {},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            said: dict[str, Any] = json.loads(answer.read(_LONGEST))
    except urllib.error.HTTPError as error:
        with error:
            raise CbsimError(f"{at}: {_why(error)}") from None
    except (http.client.HTTPException, ValueError, RecursionError):
        raise CbsimError(f"{at}: what answers there is not `cbsim serve`") from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        why = getattr(reason, "strerror", None) or reason
        raise CbsimError(f"{at}: `cbsim serve` does not answer there: {why}") from None
    return said


def _why(error: urllib.error.HTTPError) -> str:
    try:
        said = json.loads(error.read(_LONGEST))
        return str(said["error"] if "error" in said else f"not ready, but {said['status']}")
    except (ValueError, KeyError, TypeError, RecursionError):
        return "what answers there is not `cbsim serve`"
