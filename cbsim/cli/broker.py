"""The broker that a command uses: `--broker`, the files for TLS, and how long to wait for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
from click.core import ParameterSource

from cbsim.bus.connection import Tls, redacted, wait_for
from cbsim.bus.provider import OWN, Broker, provide
from cbsim.cli.group import given, grouped, refuse, source_of
from cbsim.cli.verdict import beginning
from cbsim.errors import InputError, ScenarioError

__all__ = ["BrokerChoice", "broker_options", "given_password"]

_VARIABLE = "CBSIM_BROKER_URL"


@dataclass(frozen=True, slots=True)
class BrokerChoice:
    """Which broker was asked for."""

    broker: str | None = field(repr=False)
    ca_file: str | None
    client_cert: str | None
    client_key: str | None
    wait_for_broker: float
    """Seconds."""

    @property
    def tls(self) -> Tls:
        """The files for `amqps://`."""
        return Tls(self.ca_file, self.client_cert, self.client_key)

    @property
    def existing(self) -> bool:
        """Whether it is one that is there already."""
        return bool(self.broker) and str(self.broker).partition(":")[0] not in OWN

    def url(self) -> str:
        """The URL of one that is there, once it answers.

        Raises InputError when none was given, or one of our own, and BrokerError.
        """
        if not self.broker:
            raise InputError(f"no broker: give --broker URL or set {_VARIABLE}")
        if not self.existing:
            raise InputError(
                f"--broker {redacted(self.broker)}: nobody else could use a broker that ends with "
                "this command; give the URL of a running one, such as `cbsim serve` prints"
            )
        self._prepare()
        return self.broker

    @contextmanager
    def provided(self, otherwise: str = "auto", **wanted: Any) -> Iterator[Broker]:
        """The broker, there already or started for us; `wanted` is as for `provide`.

        Raises InputError when it cannot be used.
        """
        with ExitStack() as stack:
            with beginning():
                self._prepare(tls=wanted.get("certificate") is not None)
                at = stack.enter_context(
                    provide(self.broker or otherwise, self.tls, password=given_password(), **wanted)
                )
            yield at

    def refuse(self, why: str) -> None:
        """Raises InputError when options of this group stand on the command line."""
        refuse(self, why)

    def _prepare(self, *, tls: bool = False) -> None:
        if self.client_key and not self.client_cert:
            raise InputError("--client-key: its certificate is missing, --client-cert")
        shown = redacted(self.broker or "embedded")
        for option in ("ca_file", "client_cert", "client_key"):
            if given(option) and not tls and not shown.startswith("amqps:"):
                raise InputError(
                    f"--{option.replace('_', '-')} with broker {shown}: expected one that speaks "
                    "TLS, amqps://"
                )
        if self.broker and source_of("broker") is ParameterSource.ENVIRONMENT:
            click.echo(f"broker of {_VARIABLE}: {shown}", err=True)
        if self.broker and self.existing and self.wait_for_broker:
            wait_for(self.broker, self.tls, self.wait_for_broker)


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


def _seconds(ctx: click.Context, param: click.Parameter, value: str) -> float:
    from cbsim.quantity import parse_duration

    try:
        return parse_duration(value)
    except ScenarioError as error:
        raise click.BadParameter(str(error), ctx, param) from None


broker_options = grouped(
    "broker",
    BrokerChoice,
    click.option(
        "--broker",
        metavar="BROKER",
        envvar=_VARIABLE,
        callback=_with_password,
        help="amqp://user:password@host:port/vhost, or amqps://; to have one started: "
        "embedded, local, docker. A password may come from CBSIM_PASSWORD, or from the file "
        f"that CBSIM_PASSWORD_FILE names.  [env: {_VARIABLE}]",
    ),
    click.option("--ca-file", metavar="FILE", help="Whom to trust for amqps (PEM)."),
    click.option("--client-cert", metavar="FILE", help="Client certificate for amqps (PEM)."),
    click.option("--client-key", metavar="FILE", help="Key of the client certificate (PEM)."),
    click.option(
        "--wait-for-broker",
        metavar="TIME",
        default="0s",
        envvar="CBSIM_WAIT_FOR_BROKER",
        callback=_seconds,
        help="How long a broker that does not answer yet may take, such as 30s.  "
        "[env: CBSIM_WAIT_FOR_BROKER]",
    ),
)
"""`--broker` and what goes with it, as the argument `broker`."""
