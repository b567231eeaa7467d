"""What arrived at a queue."""

from __future__ import annotations

import pika

from cbsim.wire.message import Message

__all__ = ["drain"]


def drain(
    channel: pika.adapters.blocking_connection.BlockingChannel, name: str, mode: int = 1
) -> list[Message]:
    """All that a queue has, sent in that delivery mode."""
    out = []
    while True:
        method, properties, body = channel.basic_get(name, auto_ack=True)
        if method is None:
            return out
        assert properties.delivery_mode == mode
        out.append(
            Message(method.exchange, method.routing_key, properties.content_type, body,
                    properties.headers or {})
        )  # fmt: skip
