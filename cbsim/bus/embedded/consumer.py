"""Who takes messages, a consumer or a get: what it may be sent, and how it is sent to it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from pamqp import commands

from cbsim.bus.embedded.frame import END, FRAME_HEAD, METHOD, shortstr
from cbsim.bus.embedded.message import Entry

if TYPE_CHECKING:
    from cbsim.bus.embedded.channel import Channel
    from cbsim.bus.embedded.queue import Queue

__all__ = ["Consumer", "Get", "Unacked"]

_DELIVER = b"\x00\x3c\x00\x3c"
_DELIVERY = struct.Struct(">QB")


class Unacked(NamedTuple):
    """A message that a client has and did not settle; from a get when there is no consumer."""

    consumer: Consumer | None
    queue: Queue
    entry: Entry


class Consumer:
    """One basic.consume."""

    __slots__ = (
        "cancelled",
        "channel",
        "connection",
        "held",
        "limit",
        "no_ack",
        "parked",
        "prefix",
        "priority",
        "queue",
        "tag",
        "unacked",
    )

    def __init__(
        self, channel: Channel, queue: Queue, tag: str, *, no_ack: bool, priority: int
    ) -> None:
        self.channel = channel
        self.connection = channel.connection
        self.queue = queue
        self.tag = tag
        self.no_ack = no_ack
        self.priority = priority
        self.limit: int = channel.prefetch
        self.unacked = 0
        self.parked = False
        self.cancelled = False
        self.held: list[Entry] = []
        """What a fault keeps from it for now."""
        self.prefix = _DELIVER + shortstr(tag)

    def blocked(self) -> bool:
        """Whether it can be sent nothing now."""
        if not self.connection.writable:
            return True
        if self.no_ack:
            return False
        channel = self.channel
        return bool(
            (self.limit and self.unacked >= self.limit)
            or (channel.limit and channel.outstanding >= channel.limit)
        )

    def deliver(self, entry: Entry) -> None:
        """Send a message that it may be sent."""
        if not self.no_ack:
            self.unacked += 1
            self.channel.outstanding += 1
        self.send(entry)

    def reserve(self) -> None:
        """Count a message as sent that is sent later."""
        if not self.no_ack:
            self.unacked += 1
            self.channel.outstanding += 1

    def send(self, entry: Entry) -> None:
        """Send a message that is counted as sent already."""
        channel, message, connection = self.channel, entry.message, self.connection
        channel.delivery_tag = tag = channel.delivery_tag + 1
        if self.no_ack:
            channel.vhost.release((message,))
        else:
            channel.unacked[tag] = Unacked(self, self.queue, entry)
        number, prefix, address = channel.number, self.prefix, message.address
        connection.write(
            FRAME_HEAD.pack(METHOD, number, len(prefix) + 9 + len(address))
            + prefix
            + _DELIVERY.pack(tag, entry.redelivered)
            + address
            + END
            + message.content(number, connection.frame_max)
        )

    def cancelled_by_broker(self) -> None:
        """Its queue is gone, or a fault ends it: tell it, where it understands that."""
        self.channel.drop(self)
        if self.connection.capable("consumer_cancel_notify"):
            self.channel.send(commands.Basic.Cancel(self.tag, nowait=True))


class Get:
    """One basic.get that found a message."""

    __slots__ = ("channel", "connection", "held", "no_ack", "queue")

    tag = None

    def __init__(self, channel: Channel, queue: Queue, *, no_ack: bool) -> None:
        self.channel = channel
        self.connection = channel.connection
        self.queue = queue
        self.no_ack = no_ack
        self.held: list[Entry] = []
        """What a fault keeps from it for now."""

    def reserve(self) -> None:
        """Have the message come back if the channel ends before it is sent."""
        self.channel.gets.append(self)

    def deliver(self, entry: Entry) -> None:
        """Answer with the message."""
        channel, message = self.channel, entry.message
        channel.delivery_tag = tag = channel.delivery_tag + 1
        if self.no_ack:
            channel.vhost.release((message,))
        else:
            channel.unacked[tag] = Unacked(None, self.queue, entry)
        channel.send(
            commands.Basic.GetOk(
                tag,
                entry.redelivered,
                message.exchange,
                message.routing_key,
                len(self.queue.ready),
            )
        )
        self.connection.write(message.content(channel.number, self.connection.frame_max))

    def send(self, entry: Entry) -> None:
        """Answer with a message that was held."""
        self.channel.gets.remove(self)
        self.deliver(entry)
