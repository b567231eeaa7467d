"""Where `run` and `replay` send messages: what --sink, --broker, --passive and --ledger ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from cbsim import __version__
from cbsim.bus.provider import Broker, provide
from cbsim.bus.publisher import Publisher, Topology
from cbsim.bus.sink import Sink, brokerless
from cbsim.cli.options import Tls, broker_options, given_password

__all__ = ["Target", "opened", "target_options"]

_F = TypeVar("_F", bound=Callable[..., Any])


def target_options(function: _F) -> _F:
    """`--sink`, `--broker` and the files for TLS, `--passive` and `--ledger`."""
    for option in (
        click.option("--ledger", metavar="PATH", help="Write down what is sent, for `verify`."),
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
    """A sink that is open, and what is known of it."""

    sink: Sink
    """Takes the messages; with a ledger, writes them down first."""
    shown: str
    """What it is, for a person."""
    _end: Sink
    _broker: Broker | None

    @property
    def republished(self) -> int:
        """How many messages a lost connection made us send again."""
        return int(getattr(self._end, "republished", 0))

    def drain(self) -> None:
        """Give consumers of a broker of our own the time to take everything; say what is left."""
        if self._broker is not None and (left := self._broker.drain()):
            click.echo(f"{left:,} messages were left with consumers that took no more", err=True)


@contextmanager
def opened(
    sink: str,
    broker: str | None,
    tls: Tls,
    topology: Topology,
    ledger: str | None,
    about: Mapping[str, str],
) -> Iterator[Target]:
    """The target of messages, closed at the end; `about` says in the ledger what was run.

    A ledger is kept unless an error came before the first message. Raises CbsimError.
    """
    book = None
    try:
        with ExitStack() as stack:
            if ledger is not None:
                # Only those who ask for a ledger wait for what it needs.
                from cbsim.checks.ledger import Ledger, LedgerSink

                book = stack.enter_context(Ledger(ledger, {**about, "cbsim": __version__}))
            end: Sink
            at = None
            if sink == "amqp":
                exchanges = topology.events, topology.raw
                at = stack.enter_context(
                    provide(broker or "auto", tls, password=given_password(), exchanges=exchanges)
                )
                confirmed = None if book is None else book.confirm
                end = Publisher(at.url, topology, at.tls, on_confirmed=confirmed)
            else:
                end = brokerless(sink)
            stack.callback(end.close)
            into = end if book is None else LedgerSink(end, book, counted=at is None)
            yield Target(into, sink if at is None else at.shown, end, at)
    except BaseException:
        if ledger is not None and book is not None and not len(book):
            Path(ledger).unlink()
        raise
