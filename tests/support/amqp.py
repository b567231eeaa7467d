"""A pika client of any broker, which leaves nothing behind."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any, Self

import pika
from pika.adapters.blocking_connection import BlockingChannel

__all__ = ["Amqp", "drain", "pause", "until"]


class Amqp:
    """A broker, what a test opened and declared on it, and how that goes away again."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connections: list[pika.BlockingConnection] = []
        self._queues: list[str] = []
        self._exchanges: list[str] = []

    def connect(self, **settings: Any) -> pika.BlockingConnection:
        """A connection; `settings` are set on pika's parameters."""
        parameters = pika.URLParameters(self.url)
        parameters.socket_timeout = parameters.stack_timeout = 10
        for name, value in settings.items():
            setattr(parameters, name, value)
        connection = pika.BlockingConnection(parameters)
        self._connections.append(connection)
        return connection

    def channel(self, *, confirm: bool = False) -> BlockingChannel:
        """A channel of a connection of its own."""
        channel = self.connect().channel()
        if confirm:
            channel.confirm_delivery()
        return channel

    def queue(self, channel: BlockingChannel, name: str | None = None, **settings: Any) -> str:
        """A queue with a name that no other test uses."""
        name = self.name() if name is None else name
        self._queues.append(channel.queue_declare(name, **settings).method.queue)
        return self._queues[-1]

    def exchange(self, channel: BlockingChannel, kind: str = "topic", **settings: Any) -> str:
        """An exchange with a name that no other test uses."""
        self._exchanges.append(self.name())
        channel.exchange_declare(self._exchanges[-1], kind, **settings)
        return self._exchanges[-1]

    def name(self) -> str:
        """A name that no other test uses."""
        return f"conformance.{uuid.uuid4().hex[:12]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Delete and close everything."""
        for connection in self._connections:
            if connection.is_open:
                connection.close()
        self._connections.clear()
        if self._queues or self._exchanges:
            with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
                channel = connection.channel()
                for queue in self._queues:
                    channel.queue_delete(queue)
                for exchange in self._exchanges:
                    channel.exchange_delete(exchange)


def drain(channel: BlockingChannel, queue: str) -> list[bytes]:
    """The bodies of what a queue holds."""
    bodies = []
    while (found := channel.basic_get(queue, auto_ack=True))[0] is not None:
        bodies.append(found[2])
    return bodies


def until(connection: pika.BlockingConnection, true: Callable[[], object]) -> None:
    """Let callbacks run until something is true; for ten seconds at most."""
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end, "it did not happen within ten seconds"
        connection.process_data_events(0.02)


def pause(connection: pika.BlockingConnection, seconds: float = 0.2) -> None:
    """Let callbacks run for a while, to see that nothing more comes."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        connection.process_data_events(left)
