"""The subscriber: a queue of its own, bound to keys, and the messages that come in."""

from __future__ import annotations

from collections.abc import Generator, Iterable

import pika.exceptions

from cbsim.bus.connection import PLAIN, Tls, connect, redacted, sentence
from cbsim.bus.publisher import Topology, declare
from cbsim.errors import BrokerError
from cbsim.wire.binding import ALL, Bindings
from cbsim.wire.message import EVENTS_EXCHANGE, RAW_EXCHANGE, Message, server_headers

__all__ = ["subscribe"]


def subscribe(
    url: str,
    bound: str | Iterable[str] = ALL,
    tls: Tls = PLAIN,
    *,
    events: str = EVENTS_EXCHANGE,
    raw: str = RAW_EXCHANGE,
    idle: float | None = None,
    passive: bool = False,
) -> Generator[Message | None, None, None]:
    """Messages as they arrive, for ever, or until none came for `idle` seconds.

    Declares the exchanges, unless they must be there (`passive`). Binds a queue that the broker
    names and that goes when we go to what `bound` says, as `Bindings` reads it; `events` and `raw`
    are what the server's exchanges are called there. The first item is None, once the queue is
    bound. Raises BrokerError, and InputError for what is no binding.
    """
    bindings = Bindings(bound, {EVENTS_EXCHANGE: events, RAW_EXCHANGE: raw})
    connection = connect(url, tls)
    try:
        channel = connection.channel()
        if not passive:
            declare(channel, Topology(events, raw), url)
        queue = channel.queue_declare("", exclusive=True, auto_delete=True).method.queue
        for exchange, key in bindings:
            channel.queue_bind(queue, exchange, key)
        yield None
        for method, properties, body in channel.consume(
            queue, auto_ack=True, inactivity_timeout=idle
        ):
            if method is None or properties is None or body is None:
                return
            yield Message(
                method.exchange or "",
                method.routing_key or "",
                properties.content_type or "",
                body,
                server_headers(properties.headers or {}),
            )
        raise BrokerError(f"broker {redacted(url)}: the queue was deleted")
    except pika.exceptions.ChannelClosedByBroker as error:
        raise BrokerError(
            f"broker {redacted(url)}: {error.reply_code} {error.reply_text}; "
            "`cbsim run` declares the exchanges"
        ) from None
    except pika.exceptions.AMQPError as error:
        raise BrokerError(sentence(error, url)) from None
    finally:
        if connection.is_open:
            connection.close()
