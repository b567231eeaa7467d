"""Channels: what a client asks for, and what it is sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pamqp import base, commands

from cbsim.bus.embedded.consumer import Consumer, Get, Unacked
from cbsim.bus.embedded.content import Content
from cbsim.bus.embedded.declaration import (
    LONGEST,
)
from cbsim.bus.embedded.error import (
    AmqpError,
    access_refused,
    command_invalid,
    not_allowed,
    not_found,
    not_implemented,
    precondition_failed,
    resource_locked,
)
from cbsim.bus.embedded.frame import arguments_of, method_frame
from cbsim.bus.embedded.message import SPECIAL, Entry, Message, Properties
from cbsim.bus.embedded.names import unique
from cbsim.bus.embedded.queue import Queue
from cbsim.bus.embedded.route import Route
from cbsim.bus.embedded.table import Field
from cbsim.bus.embedded.topology import TOPOLOGY

if TYPE_CHECKING:
    from cbsim.bus.embedded.connection import Connection

__all__ = ["Channel"]

_Basic, _Queue, _Exchange = commands.Basic, commands.Queue, commands.Exchange


class Channel:
    """One channel of a connection."""

    def __init__(self, connection: Connection, number: int) -> None:
        self.connection = connection
        self.vhost = connection.vhost
        self.number = number
        self.consumers: dict[str, Consumer] = {}
        self.gets: list[Get] = []
        """Those whose message a fault holds."""
        self.unacked: dict[int, Unacked] = {}
        self.outstanding = 0
        """How many unacked messages count against `limit`."""
        self.limit = 0
        self.prefetch: int = 0
        self.delivery_tag = 0
        self.confirming = False
        self.published = 0
        self.confirmed = 0
        self.closing = False
        self.content: Content | None = None
        """The message at hand, when not all of it is here yet."""
        self.last_queue = ""

    def send(self, made: base.Frame) -> None:
        """Send a method."""
        self.connection.write(method_frame(self.number, made))

    def handle(self, asked: base.Frame, payload: bytes) -> None:
        """Do what a method asks; raises AmqpError."""
        handler = _HANDLERS.get(type(asked))
        if handler is None:
            if isinstance(asked, _LACKING):
                raise not_implemented(f"{asked.name.lower()} is not part of the embedded broker")
            raise command_invalid("unimplemented method")
        handler(self, asked, payload)

    def fail(self, error: AmqpError, class_id: int = 0, method_id: int = 0) -> None:
        """Close the channel and tell why."""
        self.close()
        self.send(commands.Channel.Close(error.code, error.reply_text, class_id, method_id))

    def close(self) -> None:
        """Confirm what was published, and give back what the channel holds."""
        self.closing = True
        self.complete()
        self.confirm(self.published)
        self.connection.confirming.discard(self)
        for consumer in list(self.consumers.values()):
            self.drop(consumer)
        for get in self.gets:
            held, get.held = get.held, []
            get.queue.requeue(held, delivered=False)
        self.gets.clear()
        self._requeue(self.unacked.values())
        self.unacked.clear()

    def complete(self) -> None:
        """The message at hand is here, or will not be any more."""
        if self.content is not None:
            self.connection.server.coming -= self.content.size
            self.content = None

    def drop(self, consumer: Consumer) -> None:
        """End a consumer; what it did not settle stays with the channel."""
        consumer.cancelled = True
        self.consumers.pop(consumer.tag, None)
        held, consumer.held = consumer.held, []
        if not consumer.no_ack:
            self.outstanding -= len(held)
        consumer.queue.requeue(held, delivered=False)
        consumer.queue.remove(consumer)

    # The queues that methods name.

    def named(self, name: str) -> str:
        """A queue's name; the channel's last queue when it is empty. Raises AmqpError."""
        if not name and not self.last_queue:
            raise not_found("no previously declared queue")
        return name or self.last_queue

    def accessible(self, name: str) -> Queue:
        """The queue that a method names; raises AmqpError."""
        return self.reachable(self.named(name))

    def reachable(self, name: str) -> Queue:
        """The queue of that name, unless it is another connection's own; raises AmqpError."""
        queue = self.vhost.queue(name)
        if queue.owner is not None and queue.owner is not self.connection:
            raise self.locked(queue)
        return queue

    def locked(self, queue: Queue) -> AmqpError:
        """The error of a queue that is another connection's own, or should be ours and is not."""
        return resource_locked(
            f"cannot obtain exclusive access to locked queue '{queue.name}' in vhost "
            f"'{self.vhost.name}'. It could be originally declared on another connection or the "
            "exclusive property value does not match that of the original declaration."
        )

    # Publishing.

    def publish(
        self, route: Route, frames: bytes, header_size: int, body_size: int, flags: int
    ) -> None:
        """Take a message whose content frames are whole; raises AmqpError."""
        message = Message(
            route.exchange,
            route.key,
            route.address,
            frames,
            self.number,
            header_size,
            body_size,
        )
        queues = route.queues
        if flags & SPECIAL or route.by_headers:
            queues, message = self._special(route, message)
        if self.confirming:
            self.published += 1
            self.connection.confirming.add(self)
        if not queues:
            if route.mandatory:
                self._return(message)
        elif not self.vhost.publish(message, queues) and self.confirming:
            self.confirm(self.published - 1)
            self.send(_Basic.Nack(self.published, multiple=False, requeue=False))
            self.confirmed = self.published
        if self.vhost.tampering is not None:
            self.vhost.tampering.published(self)

    def _special(self, route: Route, message: Message) -> tuple[Sequence[Queue], Message]:
        properties = Properties.parse(message.header)
        user, expiration = properties.user_id, properties.expiration
        if user is not None and user != self.connection.user:
            raise precondition_failed(
                f"user_id property set to '{user}' but authenticated user was "
                f"'{self.connection.user}'"
            )
        if expiration is not None:
            message.expiration = _milliseconds(expiration)
        headers = properties.headers
        copies = [name for name in ("CC", "BCC") if name in headers]
        if not copies and not route.by_headers:
            return route.queues, message
        keys = [route.key]
        for name in copies:
            if headers[name].kind != "A":
                raise precondition_failed(
                    f'invalid message: {{unacceptable_type_in_header,"{name}",'
                    f"{headers[name].type_name}}}"
                )
            keys += [one.text for one in headers[name].value if one.text is not None]
        queues = self.vhost.destinations(route.exchange, keys, lambda: headers)
        if "BCC" in copies:
            body, expires = message.body, message.expiration
            properties.headers = {k: v for k, v in headers.items() if k != "BCC"}
            message = Message.of(route.exchange, route.key, properties.build(len(body)), body)
            message.expiration = expires
        return queues, message

    def _return(self, message: Message) -> None:
        self.send(_Basic.Return(312, "NO_ROUTE", message.exchange, message.routing_key))
        self.connection.write(message.content(self.number, self.connection.frame_max))

    def confirm(self, upto: int) -> None:
        """Confirm what was published up to a sequence number."""
        if upto > self.confirmed:
            self.send(_Basic.Ack(upto, multiple=upto - self.confirmed > 1))
            self.confirmed = upto

    # Settling.

    def ack(self, tag: int, multiple: bool) -> None:
        """The client is done with messages; raises AmqpError."""
        release = self.vhost.release
        if not multiple:
            found = self.unacked.pop(tag, None)
            if found is None:
                raise precondition_failed(f"unknown delivery tag {tag}")
            release((found.entry.message,))
            settled = [found]
        else:
            settled = self._settle(tag, multiple)
            release(one.entry.message for one in settled)
        self._freed(settled)
        if self.vhost.tampering is not None:
            self.vhost.tampering.acked(self, settled)

    def _settle(self, tag: int, multiple: bool) -> list[Unacked]:
        unacked = self.unacked
        if multiple and tag == 0:
            settled = list(unacked.values())
            unacked.clear()
            return settled
        if tag not in unacked:
            raise precondition_failed(f"unknown delivery tag {tag}")
        if not multiple:
            return [unacked.pop(tag)]
        tags = []
        for one in unacked:
            if one > tag:
                break
            tags.append(one)
        return [unacked.pop(one) for one in tags]

    def _freed(self, settled: Iterable[Unacked]) -> None:
        for consumer, _, _ in settled:
            if consumer is not None:
                consumer.unacked -= 1
                self.outstanding -= 1
        self.wake()

    def wake(self) -> None:
        """Let those consumers go on that can again."""
        for consumer in self.consumers.values():
            if consumer.parked and not consumer.blocked():
                consumer.queue.wake(consumer)

    def _requeue(self, settled: Iterable[Unacked]) -> None:
        queues: dict[Queue, list[Entry]] = {}
        for one in settled:
            queues.setdefault(one.queue, []).append(one.entry)
        for queue, entries in queues.items():
            queue.requeue(entries)

    def _reject(self, tag: int, multiple: bool, requeue: bool) -> None:
        settled = self._settle(tag, multiple)
        if requeue:
            self._requeue(settled)
        else:
            queues: dict[Queue, list[Entry]] = {}
            for one in settled:
                queues.setdefault(one.queue, []).append(one.entry)
            for queue, entries in queues.items():
                queue.discard(entries, "rejected")
        self._freed(settled)

    # Methods.

    def _basic_ack(self, asked: commands.Basic.Ack, _: bytes) -> None:
        self.ack(asked.delivery_tag, asked.multiple)

    def _basic_nack(self, asked: commands.Basic.Nack, _: bytes) -> None:
        self._reject(asked.delivery_tag, asked.multiple, asked.requeue)

    def _basic_reject(self, asked: commands.Basic.Reject, _: bytes) -> None:
        self._reject(asked.delivery_tag or 0, False, asked.requeue)

    def _basic_recover_async(self, asked: commands.Basic.RecoverAsync, _: bytes) -> None:
        self._recover(asked.requeue)

    def _basic_recover(self, asked: commands.Basic.Recover, _: bytes) -> None:
        self._recover(asked.requeue)
        self.send(_Basic.RecoverOk())

    def _recover(self, requeue: bool) -> None:
        if not requeue:
            raise not_implemented("requeue=false")
        settled = self._settle(0, True)
        self._requeue(settled)
        self._freed(settled)

    def _basic_qos(self, asked: commands.Basic.Qos, _: bytes) -> None:
        if asked.prefetch_size:
            raise not_implemented(f"prefetch_size!=0 ({asked.prefetch_size})")
        if asked.global_:
            self.limit = asked.prefetch_count
            self.wake()
        else:
            self.prefetch = asked.prefetch_count
        self.send(_Basic.QosOk())

    def _basic_consume(self, asked: commands.Basic.Consume, payload: bytes) -> None:
        if asked.consumer_tag in self.consumers:
            raise not_allowed(f"attempt to reuse consumer tag '{asked.consumer_tag}'")
        arguments = arguments_of(asked, payload)
        if asked.queue == "amq.rabbitmq.reply-to":
            raise not_implemented("direct reply-to is not part of the embedded broker")
        queue = self.accessible(asked.queue)
        if queue.exclusive is not None or (asked.exclusive and queue.consumers):
            raise access_refused(
                f"queue '{queue.name}' in vhost '{self.vhost.name}' in exclusive use"
            )
        tag = asked.consumer_tag or "amq.ctag-" + unique()
        priority = arguments.get("x-priority", Field("I", 0))
        if priority.number is None:
            raise precondition_failed(
                f"invalid arg 'x-priority' for queue '{queue.name}' in vhost "
                f"'{self.vhost.name}': \"expected integer, got {priority.type_name}\""
            )
        self.vhost.check_consumer(queue)
        consumer = Consumer(self, queue, tag, no_ack=asked.no_ack, priority=priority.number)
        self.consumers[tag] = consumer
        if asked.exclusive:
            queue.exclusive = consumer
        if not asked.nowait:
            self.send(_Basic.ConsumeOk(tag))
        queue.add(consumer)

    def _basic_cancel(self, asked: commands.Basic.Cancel, _: bytes) -> None:
        consumer = self.consumers.get(asked.consumer_tag or "")
        if consumer is not None:
            self.drop(consumer)
        if not asked.nowait:
            self.send(_Basic.CancelOk(asked.consumer_tag))

    def _basic_get(self, asked: commands.Basic.Get, _: bytes) -> None:
        queue = self.accessible(asked.queue)
        entry = queue.take()
        if entry is None:
            self.send(_Basic.GetEmpty())
            return
        get, tampering = Get(self, queue, no_ack=asked.no_ack), self.vhost.tampering
        if tampering is None:
            get.deliver(entry)
        else:
            tampering.deliver(get, entry)

    def _confirm_select(self, asked: commands.Confirm.Select, _: bytes) -> None:
        self.confirming = True
        if not asked.nowait:
            self.send(commands.Confirm.SelectOk())

    def _channel_flow(self, asked: commands.Channel.Flow, _: bytes) -> None:
        if not asked.active:
            raise not_implemented("active=false")
        self.send(commands.Channel.FlowOk(True))


def _milliseconds(expiration: str) -> int:
    def invalid(why: str) -> AmqpError:
        return precondition_failed(f"invalid expiration '{expiration}': {why}")

    number = re.match(r"[+-]?[0-9]+", expiration)
    if number is None:
        raise invalid("no_integer")
    if rest := expiration[number.end() :]:
        raise invalid(f'{{leftover_string,"{rest}"}}')
    value = int(expiration)
    if value < 0:
        raise invalid(f"{{value_negative,{value}}}")
    if value > LONGEST:
        raise invalid(f"{{value_too_large,{value}}}")
    return value


_LACKING = (commands.Tx.Select, commands.Tx.Commit, commands.Tx.Rollback)
_HANDLERS: Mapping[type[base.Frame], Callable[[Channel, Any, bytes], None]] = {
    commands.Basic.Ack: Channel._basic_ack,
    commands.Basic.Nack: Channel._basic_nack,
    commands.Basic.Reject: Channel._basic_reject,
    commands.Basic.Recover: Channel._basic_recover,
    commands.Basic.RecoverAsync: Channel._basic_recover_async,
    commands.Basic.Qos: Channel._basic_qos,
    commands.Basic.Consume: Channel._basic_consume,
    commands.Basic.Cancel: Channel._basic_cancel,
    commands.Basic.Get: Channel._basic_get,
    commands.Confirm.Select: Channel._confirm_select,
    commands.Channel.Flow: Channel._channel_flow,
    **TOPOLOGY,
}
