"""Where `run` and `replay` send messages, and how: what the options that they share ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from cbsim import __version__
from cbsim.bus.provider import Broker, provide
from cbsim.cli.options import (
    Tls,
    broker_options,
    give_up_option,
    given_password,
    persistent_option,
)
from cbsim.cli.outlet import Outlet

__all__ = ["Target", "opened", "target_options"]

_F = TypeVar("_F", bound=Callable[..., Any])


def target_options(function: _F) -> _F:
    """`--sink`, `--broker` and the files for TLS, `--passive`, `--persistent`, `--give-up-after`
    and `--ledger`.
    """
    for option in (
        click.option("--ledger", metavar="PATH", help="Write down what is sent, for `verify`."),
        give_up_option,
        persistent_option,
        click.option(
            "--passive", is_flag=True, help="Declare nothing; the exchanges must be there."
        ),
        click.option(
            "--sink",
            default="amqp",
            metavar="amqp|ndjson:PATH|null",
            help="Where messages go; `ndjson:-` is standard output.  [default: amqp]",
        ),
        broker_options,
    ):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True)
class Target:
    """Where messages go, and what is known of it."""

    outlet: Outlet
    """Opens a sink there; with a ledger, that writes messages down first."""
    shown: str
    """What it is, for a person."""
    _broker: Broker | None

    def drain(self) -> None:
        """Give consumers of a broker of our own the time to take everything; say what is left."""
        if self._broker is not None and (left := self._broker.drain()):
            click.echo(f"{left:,} messages were left with consumers that took no more", err=True)


@contextmanager
def opened(
    outlet: Outlet, broker: str | None, tls: Tls, about: Mapping[str, str]
) -> Iterator[Target]:
    """The target of messages, with its broker and a new ledger; `about` says there what was run.

    Of the outlet, the broker's address is to be found.

    A ledger is kept unless an error came before the first message. Raises CbsimError.
    """
    with ExitStack() as stack:
        at = None
        if outlet.ledger is not None:
            kept = {"persistent": "yes"} if outlet.topology.persistent else {}
            stack.enter_context(_begun(outlet.ledger, {**about, **kept}))
        if outlet.sink == "amqp":
            exchanges = outlet.topology.events, outlet.topology.raw
            at = stack.enter_context(
                provide(broker or "auto", tls, password=given_password(), exchanges=exchanges)
            )
            outlet = replace(outlet, url=at.url, tls=at.tls)
        yield Target(outlet, outlet.sink if at is None else at.shown, at)


@contextmanager
def _begun(path: str, about: Mapping[str, str]) -> Iterator[None]:
    """A new ledger, for those who write to join."""
    # Only those who ask for a ledger wait for what it needs.
    from cbsim.checks.ledger import Ledger

    empty = False
    try:
        with Ledger(path, {**about, "cbsim": __version__}) as ledger:
            try:
                yield
            except BaseException:
                empty = ledger.empty
                raise
    finally:
        if empty:
            Path(path).unlink()
