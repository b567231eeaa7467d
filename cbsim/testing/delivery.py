"""Delivers messages to a pika-style callback with no broker, and records what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import pika

from cbsim.wire.message import Message

if TYPE_CHECKING:
    from cbsim.strategies.fault import Labelled

__all__ = ["Deliveries", "deliver"]

Callback = Callable[[Any, pika.spec.Basic.Deliver, pika.BasicProperties, bytes], object]
"""`callback(channel, method, properties, body)`, as `basic_consume` takes it."""


@dataclass(slots=True)
class Deliveries:
    """What became of the messages that were delivered."""

    messages: list[Message] = field(default_factory=list)
    """All, in order; the delivery tag is the place, from 1."""
    acked: list[Message] = field(default_factory=list)
    nacked: list[Message] = field(default_factory=list)
    """Those that `basic_nack` refused."""
    rejected: list[Message] = field(default_factory=list)
    """Those that `basic_reject` refused."""
    requeued: list[Message] = field(default_factory=list)
    """Those refused with `requeue`, which a broker would deliver again."""
    published: list[Message] = field(default_factory=list)
    """What the callback itself published on its channel."""
    pending: dict[int, Message] = field(default_factory=dict)
    """Those that it did not answer, by delivery tag."""

    def assert_acked(self, count: int | None = None) -> None:
        """Raise AssertionError unless every message, or exactly so many, was acked."""
        expected = len(self.messages) if count is None else count
        if len(self.acked) == expected and not (count is None and self.pending):
            return
        parts = (("unanswered", [*self.pending.values()]), ("nacked", self.nacked),
                 ("rejected", self.rejected))  # fmt: skip
        said = ", ".join(f"{len(some)} {word}" for word, some in parts if some)
        first = next((some[0] for _, some in parts if some), None)
        shown = "" if first is None else f"; the first: {_shown(first)}"
        raise AssertionError(
            f"expected {expected} of {len(self.messages)} messages acked, got {len(self.acked)}"
            + (f" ({said})" if said else "") + shown
        )  # fmt: skip

    def assert_none_requeued(self) -> None:
        """Raise AssertionError if a message was refused with `requeue`: it would come for ever."""
        if self.requeued:
            raise AssertionError(
                f"{len(self.requeued)} messages were requeued, and would come again and again; "
                f"the first: {_shown(self.requeued[0])}"
            )


def deliver(
    callback: Callback, messages: Iterable[Message | Labelled], *, auto_ack: bool = False
) -> Deliveries:
    """Call `callback(channel, method, properties, body)` for each message, as pika does.

    The channel takes basic_ack, basic_nack, basic_reject and basic_publish. An answer that makes a
    broker close the channel (an unknown delivery tag, a second ack) raises AssertionError, and what
    the callback raises comes through with a note on which message it was.

    >>> from cbsim.testing import examples
    >>> def callback(channel, method, properties, body):
    ...     channel.basic_ack(method.delivery_tag)
    >>> done = deliver(callback, [one.message for one in examples("feed.*")])
    >>> done.assert_acked()
    """
    result = Deliveries()
    channel = _Channel(result)
    for one in messages:
        broken = None if isinstance(one, Message) else one
        message = one if isinstance(one, Message) else one.message
        result.messages.append(message)
        tag = len(result.messages)
        if auto_ack:
            result.acked.append(message)
        else:
            result.pending[tag] = message
        method = pika.spec.Basic.Deliver(
            "ctag1.cbsim", tag, False, message.exchange, message.routing_key
        )
        properties = pika.BasicProperties(
            content_type=message.content_type,
            headers=dict(message.headers) or None,
            delivery_mode=1,
        )
        try:
            callback(channel, method, properties, message.body)
        except Exception as error:
            error.add_note(f"while message {tag} was delivered: {broken or _shown(message)}")
            raise
    return result


class _Channel:
    """What a callback may do with its channel."""

    is_open = True

    def __init__(self, result: Deliveries) -> None:
        self._result = result

    def basic_ack(self, delivery_tag: int = 0, multiple: bool = False) -> None:
        """It is done with one message, or with all up to it."""
        self._result.acked += self._settled(delivery_tag, multiple)

    def basic_nack(
        self, delivery_tag: int = 0, multiple: bool = False, requeue: bool = True
    ) -> None:
        """It refuses one message, or all up to it."""
        refused = self._settled(delivery_tag, multiple)
        self._result.nacked += refused
        self._result.requeued += refused if requeue else []

    def basic_reject(self, delivery_tag: int = 0, requeue: bool = True) -> None:
        """It refuses one message."""
        refused = self._settled(delivery_tag, False)
        self._result.rejected += refused
        self._result.requeued += refused if requeue else []

    def basic_publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes | str,
        properties: pika.BasicProperties | None = None,
        mandatory: bool = False,
    ) -> None:
        """It publishes a message of its own."""
        del mandatory
        content_type = (properties.content_type if properties else None) or ""
        raw = body.encode() if isinstance(body, str) else body
        self._result.published.append(Message(exchange, routing_key, content_type, raw))

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"the channel of `deliver` has no {name!r}: it takes basic_ack, basic_nack, "
            "basic_reject and basic_publish; for more, use CbServer and a real connection"
        )

    def _settled(self, tag: int, multiple: bool) -> list[Message]:
        pending = self._result.pending
        tags = [one for one in pending if one <= tag or tag == 0] if multiple else [tag]
        if not tags or any(one not in pending for one in tags):
            why = "is answered already" if 0 < tag <= len(self._result.messages) else "is unknown"
            raise AssertionError(
                f"delivery tag {tag} {why}: a broker closes the channel with "
                "406 PRECONDITION_FAILED - unknown delivery tag"
            )
        return [pending.pop(one) for one in tags]


def _shown(message: Message) -> str:
    body = message.body
    text = repr(body[:200]) + (f"... of {len(body)} bytes" if len(body) > 200 else "")
    return f"{message.routing_key or message.exchange} {text}"
