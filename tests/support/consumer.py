"""Consumers of a broker."""

from __future__ import annotations

import time
from contextlib import suppress

import pika.exceptions

from cbsim.bus.connection import connect
from tests.support.patience import until
from tests.support.port import listens

__all__ = ["taken_slowly"]


def taken_slowly(port: int) -> list[bytes]:
    """What a consumer slower than the messages gets of a broker, from its start to its end."""
    until(lambda: listens(port))
    connection = connect(f"amqp://cb:s3cret@127.0.0.1:{port}/%2F")
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.exchange_declare("api.events", "topic", durable=True)
    channel.queue_bind(queue, "api.events", "#")
    channel.basic_qos(prefetch_count=10)
    got = []
    with suppress(pika.exceptions.AMQPConnectionError):
        for method, _, body in channel.consume(queue):
            time.sleep(0.002)
            got.append(body)
            channel.basic_ack(method.delivery_tag)
    return got
