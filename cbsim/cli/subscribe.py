"""`cbsim subscribe`: what the specification's subscribe_all.py does, and decodes."""

from __future__ import annotations

import sys

import click

from cbsim.bus.connection import redacted
from cbsim.bus.subscriber import subscribe
from cbsim.cli.options import bind_option, broker_options, broker_url, tls_of
from cbsim.cli.output import FORMATS, writer
from cbsim.errors import WireError

__all__ = ["command"]


@click.command("subscribe", short_help="Show what arrives on the bus, decoded.")
@broker_options
@bind_option
@click.option("--count", type=click.IntRange(1), help="Stop after that many messages.")
@click.option("--each", type=click.IntRange(1), help="Show that many of each kind, count the rest.")
@click.option("--idle", type=float, metavar="SECONDS", help="Stop when nothing came for that long.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--passive", is_flag=True, help="Declare nothing; the exchanges must be there.")
def command(
    broker: str | None,
    ca_file: str | None,
    client_cert: str | None,
    client_key: str | None,
    keys: tuple[str, ...],
    count: int | None,
    each: int | None,
    idle: float | None,
    form: str,
    passive: bool,
) -> None:
    """Bind a queue of one's own to the server's exchanges and show what arrives.

    Exit code 1 when a message could not be decoded; it is named, and the rest goes on.
    """
    from collections import Counter

    from cbsim.catalog import name_of

    url, tls = broker_url(broker), tls_of(ca_file, client_cert, client_key)
    write, seen, broken = writer(form), Counter[str](), 0
    try:
        for message in subscribe(url, keys, tls, idle=idle, passive=passive):
            if message is None:
                click.echo(f"subscribed to {redacted(url)}", err=True)
                continue
            name = message.exchange
            try:
                if message.routing_key:
                    name = name_of(message.routing_key)
                if each is None or seen[name] < each:
                    write(message)
            except WireError as error:
                broken += 1
                click.echo(f"cbsim: message {seen.total() + 1}: {error}", err=True)
            seen[name] += 1
            if count is not None and seen.total() >= count:
                break
    except KeyboardInterrupt:
        pass
    click.echo(f"{seen.total():,} messages of {len(seen)} kinds, {broken} broken", err=True)
    sys.exit(1 if broken else 0)
