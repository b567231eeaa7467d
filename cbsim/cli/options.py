"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import click

from cbsim.bus.connection import Tls, redacted
from cbsim.bus.provider import OWN
from cbsim.bus.topology import Topology
from cbsim.errors import InputError
from cbsim.scenario import rate as rates
from cbsim.wire.binding import ALL

if TYPE_CHECKING:
    from cbsim.scenario.model import BusModel

__all__ = [
    "HEALTH_PORT",
    "Tls",
    "bind_option",
    "broker_options",
    "broker_url",
    "give_up_option",
    "given_password",
    "moment",
    "persistent_option",
    "scenario_names",
    "tls_of",
    "topology_of",
]

HEALTH_PORT = 15004
"""Of a served bus, when nothing else is said: its port, 5004, plus 10000."""

_SHORTEST = 1.0
"""Seconds; heartbeats count whole ones."""

_F = TypeVar("_F", bound=Callable[..., Any])


def broker_options(function: _F) -> _F:
    """`--broker` and the files for TLS."""
    for option in (
        click.option("--client-key", metavar="FILE", help="Key of the client certificate (PEM)."),
        click.option("--client-cert", metavar="FILE", help="Client certificate for amqps (PEM)."),
        click.option("--ca-file", metavar="FILE", help="Whom to trust for amqps (PEM)."),
        click.option(
            "--broker",
            metavar="BROKER",
            envvar="CBSIM_BROKER_URL",
            callback=_with_password,
            help="amqp://user:password@host:port/vhost, or amqps://; to have one started: "
            "embedded, local, docker. A password may come from CBSIM_PASSWORD, or from the file "
            "that CBSIM_PASSWORD_FILE names.  [env: CBSIM_BROKER_URL]",
        ),
    ):
        function = option(function)
    return function


def _length(ctx: click.Context, param: click.Parameter, value: str) -> float:
    seconds = rates.parse_duration(value)
    if seconds < _SHORTEST:
        raise InputError(f"--give-up-after {value}: expected {_SHORTEST:g}s or more")
    return seconds


persistent_option = click.option(
    "--persistent",
    is_flag=True,
    help="Send messages that outlive the broker in durable queues; those of real servers do not.",
)

give_up_option = click.option(
    "--give-up-after",
    "patience",
    metavar="TIME",
    default="30s",
    show_default=True,
    callback=_length,
    help="How long the broker may be away, silent or without room for more: 30s, 5m.",
)

bind_option = click.option(
    "--bind",
    "keys",
    multiple=True,
    default=(ALL,),
    metavar="KEY|EXCHANGE[/KEY]",
    help="What the queue is bound to: watchlist.#, api.rawsensordata (the bundles), or "
    "my.exchange/key; as often as you like.  [default: #, all there is]",
)
"""`--bind`, of those who consume and of those who check what was consumed."""


def broker_url(broker: str | None) -> str:
    """The URL that was given; raises InputError when none was, or a broker of our own."""
    if not broker:
        raise InputError("no broker: give --broker URL or set CBSIM_BROKER_URL")
    if broker.partition(":")[0] in OWN:
        raise InputError(
            f"--broker {redacted(broker)}: nobody else could use a broker that ends with this "
            "command; give the URL of a running one, such as `cbsim serve` prints"
        )
    return broker


def given_password() -> str | None:
    """What CBSIM_PASSWORD says, or the file that CBSIM_PASSWORD_FILE names; raises InputError."""
    password, path = os.environ.get("CBSIM_PASSWORD"), os.environ.get("CBSIM_PASSWORD_FILE")
    if password or not path:
        return password or None
    try:
        return Path(path).read_text().strip() or None
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "no text"
        raise InputError(f"CBSIM_PASSWORD_FILE: cannot read {path}: {why}") from None


def _with_password(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    login, at, rest = (value or "").rpartition("@")
    if value is None or not login.startswith(("amqp://", "amqps://")) or ":" in login[8:]:
        return value
    password = given_password()
    return value if password is None else f"{login}:{quote(password, safe='')}{at}{rest}"


def tls_of(ca_file: str | None, client_cert: str | None, client_key: str | None) -> Tls:
    """The files for `amqps://`."""
    return Tls(ca_file, client_cert, client_key)


def topology_of(bus: BusModel, *, passive: bool, persistent: bool) -> Topology:
    """The bus of a scenario, with what the command line asks for besides."""
    return Topology(
        bus.events, bus.raw, bus.durable, bus.passive or passive, bus.persistent or persistent
    )


def moment(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """An ISO 8601 time, UTC unless it says otherwise."""
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r}: expected a time such as 2024-01-01T09:00:00Z", ctx, param
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def scenario_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Completes the names of shipped scenarios."""
    from cbsim.scenario.loader import shipped

    return [name for name in shipped() if name.startswith(incomplete)]
