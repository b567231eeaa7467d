"""Where `run` and `replay` send messages: what --sink, --broker, --passive and --ledger ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from cbsim import __version__
from cbsim.bus.provider import Broker
from cbsim.bus.topology import Topology
from cbsim.cli.broker import BrokerChoice, broker_options
from cbsim.cli.group import grouped, refuse
from cbsim.cli.outlet import Counted, Outlet
from cbsim.cli.publishing import Publishing, publishing_options
from cbsim.cli.verdict import beginning

__all__ = ["Destination", "Target", "opened", "target_options"]

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Destination:
    """Where messages were asked to go, and how."""

    sink: str
    """`amqp`, `ndjson:PATH` or `null`."""
    ledger: str | None


def target_options(function: _F) -> _F:
    """`--sink` and `--ledger` as `to`, and those of the broker and of how to publish."""
    return broker_options(
        grouped(
            "to",
            Destination,
            click.option(
                "--sink",
                default="amqp",
                metavar="amqp|ndjson:PATH|null",
                help="Where messages go; `ndjson:-` is standard output.  [default: amqp]",
            ),
            click.option("--ledger", metavar="PATH", help="Write down what is sent, for `verify`."),
        )(publishing_options(function))
    )


@dataclass(frozen=True, slots=True)
class Target:
    """Where messages go, and what is known of it."""

    outlet: Outlet
    """Opens a sink there; with a ledger, that writes messages down first."""
    shown: str
    """What it is, for a person."""
    broker: Broker | None
    """None for a sink that is none."""

    def open(self) -> Counted:
        """A sink there, which counts; raises InputError when there is none."""
        with beginning():
            return Counted(self.outlet(), self.shown)

    def drain(self) -> None:
        """Give consumers of a broker of our own the time to take everything; say what is left."""
        if self.broker is not None and (left := self.broker.drain()):
            click.echo(f"{left:,} messages were left with consumers that took no more", err=True)


@contextmanager
def opened(
    to: Destination,
    broker: BrokerChoice,
    publishing: Publishing,
    topology: Topology,
    about: Mapping[str, str],
    *,
    watched: bool = False,
) -> Iterator[Target]:
    """The target of messages, with its broker and a new ledger; `about` says there what was run.

    A broker that is started for it can tell of its queues if these are to be `watched`.
    A ledger is kept unless an error came before the first message. Raises CbsimError.
    """
    if to.sink != "amqp":
        for group in (broker, publishing):
            refuse(group, f"--sink {to.sink}: it goes to no broker; expected one of them")
    with ExitStack() as stack:
        if to.ledger is not None:
            kept = {"persistent": "yes"} if topology.persistent else {}
            stack.enter_context(_begun(to.ledger, {**about, **kept}))
        outlet = Outlet(to.sink, topology, patience=publishing.patience, ledger=to.ledger)
        at = None
        if to.sink == "amqp":
            at = stack.enter_context(
                broker.provided(exchanges=(topology.events, topology.raw), watched=watched)
            )
            outlet = replace(outlet, url=at.url, tls=at.tls)
        yield Target(outlet, to.sink if at is None else at.shown, at)


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
