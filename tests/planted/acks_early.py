"""Acknowledges what it has in its buffer only, and begins with a new one after a reconnect."""

from __future__ import annotations

from typing import Any

import pika
from correct import Forwarder as Correct
from correct import rows

__all__ = ["Forwarder", "rows"]


class Forwarder(Correct):
    """The ack comes before the write."""

    def consume(self, connection: pika.BlockingConnection) -> None:
        """Take what comes, acknowledged at once."""
        channel = connection.channel()
        channel.basic_qos(prefetch_count=5 * self.batch)
        buffer: list[Any] = []
        for method, properties, body in channel.consume(self._queue, inactivity_timeout=0.1):
            if method is not None:
                buffer.append(self.read(properties, body))
                channel.basic_ack(method.delivery_tag)
            if buffer and (len(buffer) >= self.batch or method is None):
                self.write(buffer)
                buffer.clear()
            if method is None and self._ended.is_set():
                connection.close()
                return
