"""What arrives on a bus that is there, for the commands that consume."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import click

from cbsim.bus.connection import redacted
from cbsim.bus.subscriber import subscribe
from cbsim.cli.broker import BrokerChoice
from cbsim.cli.verdict import beginning
from cbsim.wire.message import Message

__all__ = ["arriving", "nothing_came"]


def nothing_came(keys: Sequence[str]) -> str:
    """A remark on a subscription that saw nothing."""
    return f"nothing came on {', '.join(keys)}: is anything published there?"


def arriving(
    broker: BrokerChoice,
    keys: Sequence[str],
    *,
    idle: float | None,
    passive: bool = False,
    begin: Callable[[], object] = lambda: None,
) -> Iterator[Message]:
    """Messages as they come, until none came for `idle` seconds.

    `begin` is called once the queue is bound, before it says so on standard error. Raises
    InputError for a bus that cannot be subscribed to, and BrokerError for one that goes.
    """
    with beginning():
        url = broker.url()
    with closing(subscribe(url, keys, broker.tls, idle=idle, passive=passive)) as messages:
        with beginning():
            next(messages)
            begin()
        click.echo(f"subscribed to {redacted(url)}", err=True)
        yield from filter(None, messages)
