"""`cbsim subscribe`: what the specification's subscribe_all.py does, and decodes."""

from __future__ import annotations

import sys

import click

from cbsim.catalog import name_of
from cbsim.cli.broker import BrokerChoice, broker_options
from cbsim.cli.live import arriving, nothing_came
from cbsim.cli.options import bind_option, passive_option
from cbsim.cli.output import FORMATS, writer
from cbsim.cli.verdict import Remarks, strict_option
from cbsim.errors import CatalogError, WireError
from cbsim.printable import printable_lines
from cbsim.wire.message import Message

__all__ = ["command"]


@click.command("subscribe", short_help="Show what arrives on the bus, decoded.")
@broker_options
@bind_option
@click.option("--count", type=click.IntRange(1), help="Stop after that many messages.")
@click.option("--each", type=click.IntRange(1), help="Show that many of each kind, count the rest.")
@click.option("--idle", type=float, metavar="SECONDS", help="Stop when nothing came for that long.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@passive_option
@strict_option
def command(
    broker: BrokerChoice,
    keys: tuple[str, ...],
    count: int | None,
    each: int | None,
    idle: float | None,
    form: str,
    passive: bool,
    strict: bool,
) -> None:
    """Bind a queue of one's own to the server's exchanges and show what arrives.

    Exit code 1 when a message could not be decoded; it is named, and the rest goes on.
    """
    from collections import Counter

    remarks = Remarks(strict=strict)
    write, seen, broken = writer(form), Counter[str](), 0
    try:
        for message in arriving(broker, keys, idle=idle, passive=passive):
            name = _name(message)
            try:
                if each is None or seen[name] < each:
                    write(message)
            except WireError as error:
                broken += 1
                click.echo(f"cbsim: message {seen.total() + 1}: {printable_lines(error)}", err=True)
            seen[name] += 1
            if count is not None and seen.total() >= count:
                break
    except KeyboardInterrupt:
        pass
    click.echo(f"{seen.total():,} messages of {len(seen)} kinds, {broken} broken", err=True)
    if not seen:
        remarks.say(nothing_came(keys))
    remarks.end()
    sys.exit(1 if broken else 0)


def _name(message: Message) -> str:
    """What kinds are counted by: a key that no server publishes is a kind of its own."""
    key = message.routing_key
    try:
        return name_of(key) if key else message.exchange
    except CatalogError:
        return key
