"""The exchanges of the bus, as a broker must have them."""

from __future__ import annotations

from dataclasses import dataclass

import pika.exceptions
from pika.adapters.blocking_connection import BlockingChannel

from cbsim.bus.connection import redacted
from cbsim.errors import BrokerError
from cbsim.wire.message import EVENTS_EXCHANGE, RAW_EXCHANGE

__all__ = ["STANDARD", "Topology", "declare"]


@dataclass(frozen=True, slots=True)
class Topology:
    """The server's exchanges, a topic one for events and a fanout one for bundles, and how
    messages go there.
    """

    events: str = EVENTS_EXCHANGE
    raw: str = RAW_EXCHANGE
    durable: bool = True
    passive: bool = False
    """Expect the exchanges to be there, and declare nothing."""
    persistent: bool = False
    """Whether messages are to outlive the broker in durable queues; real servers' are not."""


STANDARD = Topology()


def declare(channel: BlockingChannel, topology: Topology, url: str) -> None:
    """Declare both exchanges; raises BrokerError when they are missing or differ."""
    for exchange, kind in ((topology.events, "topic"), (topology.raw, "fanout")):
        try:
            channel.exchange_declare(
                exchange, kind, durable=topology.durable, passive=topology.passive
            )
        except pika.exceptions.ChannelClosedByBroker as error:
            if error.reply_code == 404:
                why = f"exchange {exchange!r} is not there; without --passive it is declared"
            elif error.reply_code == 406:
                why = f"exchange {exchange!r} is there with other settings; try --passive"
            else:
                why = f"exchange {exchange!r} cannot be declared: {error.reply_text}"
            raise BrokerError(f"broker {redacted(url)}: {why}") from None
