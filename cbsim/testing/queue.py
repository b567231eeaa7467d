"""A queue of a simulated server: bound, filled, read, and explained when something is missing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pika
import pika.exceptions

from cbsim.wire.message import Message, server_headers

if TYPE_CHECKING:
    from cbsim.testing.server import CbServer

__all__ = ["CbQueue"]

Delivery = tuple[pika.spec.Basic.GetOk, pika.BasicProperties, bytes]

_POLL = 0.01


class CbQueue:
    """A queue that `CbServer.queue` bound; hand its `name` to your consumer, or read it here.

    Reading is basic.get and an ack, so `cb_server.faults` are felt here too (`Faults` says which):
    what is redelivered or doubled is read twice, and what a fault cuts off is read again.
    """

    def __init__(self, server: CbServer, name: str, keys: Sequence[str]) -> None:
        self._server, self.name, self.keys = server, name, tuple(keys)

    def __len__(self) -> int:
        """How many messages are ready in it."""
        declared = self._server.channel.queue_declare(self.name, passive=True)
        return declared.method.message_count

    def __bool__(self) -> bool:
        """Always: an empty queue is a queue."""
        return True

    def __repr__(self) -> str:
        return f"<queue {self.name!r} of {', '.join(self.keys)}>"

    def __iter__(self) -> Iterator[Delivery]:
        """Take what is there as a pika consumer gets it: method, properties, body."""
        while (delivery := self._next()) is not None:
            yield delivery

    def get(self) -> Message | None:
        """Take the next message, or None when it is empty."""
        delivery = self._next()
        if delivery is None:
            return None
        method, properties, body = delivery
        return self._server.standard(
            Message(
                method.exchange or "",
                method.routing_key or "",
                properties.content_type or "",
                body,
                server_headers(properties.headers or {}),
            )
        )

    def expect(self, count: int, timeout: float = 5.0) -> list[Message]:
        """Take that many messages; AssertionError if they have not come within `timeout` seconds.

        It says how many came, and which message that was sent is missing.
        """
        taken: list[Message] = []
        until = time.monotonic() + timeout
        while len(taken) < count:
            message = self.get()
            if message is not None:
                taken.append(message)
            elif time.monotonic() >= until:
                raise AssertionError(self._server.missing(self.keys, taken, count, timeout))
            else:
                time.sleep(_POLL)
        return taken

    def wait_until_drained(self, timeout: float = 5.0) -> None:
        """Wait until consumers took and, where the broker can tell, acknowledged everything.

        AssertionError if they have not in time.
        """
        until = time.monotonic() + timeout
        while True:
            state = self._server.state(self.name)
            if not state.ready and not state.unacked:
                return
            if time.monotonic() >= until:
                who = f"{state.consumers} consumers" if state.consumers != 1 else "1 consumer"
                held = f", {state.unacked} of them unacknowledged" if state.unacked else ""
                raise AssertionError(
                    f"queue {self.name!r} still holds {state.ready + state.unacked} messages{held} "
                    f"after {timeout:g} s, with {who}"
                )
            time.sleep(_POLL)

    def wait_for_consumer(self, timeout: float = 5.0) -> None:
        """Wait until somebody consumes it; AssertionError if nobody does in time."""
        self._server.wait_for_consumer(self, timeout)

    def _next(self) -> Delivery | None:
        try:
            return self._taken()
        except pika.exceptions.AMQPError:
            # What was not acked is in the queue again; if it is more than a fault, it comes again.
            return self._taken()

    def _taken(self) -> Delivery | None:
        channel = self._server.channel
        method, properties, body = channel.basic_get(self.name)
        if method is None or method.delivery_tag is None or properties is None or body is None:
            return None
        channel.basic_ack(method.delivery_tag)
        return method, properties, body
