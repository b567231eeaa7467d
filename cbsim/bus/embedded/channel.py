"""Channels: what a client asks for, and what it is sent."""

from __future__ import annotations

import base64
import re
import struct
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pamqp import base, commands

from cbsim.bus.embedded.content import Content
from cbsim.bus.embedded.declaration import (
    LONGEST,
    check_exchange,
    check_queue,
    same_exchange,
    same_queue,
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
from cbsim.bus.embedded.exchange import Binding, Exchange, exchange_of
from cbsim.bus.embedded.frame import END, FRAME_HEAD, METHOD, arguments_of, method_frame, shortstr
from cbsim.bus.embedded.message import SPECIAL, Entry, Message, Properties
from cbsim.bus.embedded.queue import Queue
from cbsim.bus.embedded.table import Field
from cbsim.bus.embedded.vhost import Route

if TYPE_CHECKING:
    from cbsim.bus.embedded.connection import Connection

__all__ = ["Channel", "Consumer"]

_Basic, _Queue, _Exchange = commands.Basic, commands.Queue, commands.Exchange
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
            self.channel.send(_Basic.Cancel(self.tag, nowait=True))


class Channel:
    """One channel of a connection."""

    def __init__(self, connection: Connection, number: int) -> None:
        self.connection = connection
        self.vhost = connection.vhost
        self.number = number
        self.consumers: dict[str, Consumer] = {}
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
        self._queue = ""

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
        self.content = None
        self.confirm(self.published)
        self.connection.confirming.discard(self)
        for consumer in list(self.consumers.values()):
            self.drop(consumer)
        self._requeue(self.unacked.values())
        self.unacked.clear()

    def drop(self, consumer: Consumer) -> None:
        """End a consumer; what it did not settle stays with the channel."""
        consumer.cancelled = True
        self.consumers.pop(consumer.tag, None)
        held, consumer.held = consumer.held, []
        if not consumer.no_ack:
            self.outstanding -= len(held)
        consumer.queue.requeue(held, delivered=False)
        consumer.queue.remove(consumer)

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
            self._freed((found,))
        else:
            settled = self._settle(tag, multiple)
            release(one.entry.message for one in settled)
            self._freed(settled)

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
        queue = self._accessible(asked.queue)
        if queue.exclusive is not None or (asked.exclusive and queue.consumers):
            raise access_refused(
                f"queue '{queue.name}' in vhost '{self.vhost.name}' in exclusive use"
            )
        tag = asked.consumer_tag or "amq.ctag-" + _unique()
        priority = arguments.get("x-priority", Field("I", 0))
        if priority.number is None:
            raise precondition_failed(
                f"invalid arg 'x-priority' for queue '{queue.name}' in vhost "
                f"'{self.vhost.name}': \"expected integer, got {priority.type_name}\""
            )
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
        queue = self._accessible(asked.queue)
        entry = queue.take()
        if entry is None:
            self.send(_Basic.GetEmpty())
            return
        message = entry.message
        self.delivery_tag = tag = self.delivery_tag + 1
        if asked.no_ack:
            self.vhost.release((message,))
        else:
            self.unacked[tag] = Unacked(None, queue, entry)
        self.send(
            _Basic.GetOk(
                tag, entry.redelivered, message.exchange, message.routing_key, len(queue.ready)
            )
        )
        self.connection.write(message.content(self.number, self.connection.frame_max))

    def _confirm_select(self, asked: commands.Confirm.Select, _: bytes) -> None:
        self.confirming = True
        if not asked.nowait:
            self.send(commands.Confirm.SelectOk())

    def _channel_flow(self, asked: commands.Channel.Flow, _: bytes) -> None:
        if not asked.active:
            raise not_implemented("active=false")
        self.send(commands.Channel.FlowOk(True))

    def _exchange_declare(self, asked: commands.Exchange.Declare, payload: bytes) -> None:
        name, vhost = asked.exchange, self.vhost
        if asked.passive:
            _no_default(name)
            vhost.exchange(name)
        else:
            kind = exchange_of(asked.exchange_type)
            _no_default(name)
            arguments = arguments_of(asked, payload)
            found = vhost.exchanges.get(name)
            if found is None:
                check_exchange(name, arguments, vhost.name)
                made = kind(
                    name,
                    durable=asked.durable,
                    auto_delete=asked.auto_delete,
                    internal=asked.internal,
                    arguments=arguments,
                )
                vhost.add_exchange(made)
            else:
                same_exchange(found, asked, arguments, vhost.name)
        if not asked.nowait:
            self.send(_Exchange.DeclareOk())

    def _exchange_delete(self, asked: commands.Exchange.Delete, _: bytes) -> None:
        name = asked.exchange
        _no_default(name)
        if name.startswith("amq."):
            raise access_refused(
                f"deletion of system exchange '{name}' in vhost '{self.vhost.name}' not allowed"
            )
        found = self.vhost.exchanges.get(name)
        if found is not None:
            if asked.if_unused and found.bindings:
                raise precondition_failed(f"exchange '{name}' in vhost '{self.vhost.name}' in use")
            self.vhost.delete_exchange(found)
        if not asked.nowait:
            self.send(_Exchange.DeleteOk())

    def _exchange_bind(self, asked: commands.Exchange.Bind, payload: bytes) -> None:
        _no_default(asked.source)
        _no_default(asked.destination)
        self._exchange(asked.source)
        self._bind(asked.source, self._exchange(asked.destination), asked, payload)
        if not asked.nowait:
            self.send(_Exchange.BindOk())

    def _exchange_unbind(self, asked: commands.Exchange.Unbind, payload: bytes) -> None:
        _no_default(asked.source)
        _no_default(asked.destination)
        destination = self.vhost.exchanges.get(asked.destination)
        if destination is not None:
            self._unbind(asked.source, destination, asked, payload)
        if not asked.nowait:
            self.send(_Exchange.UnbindOk())

    def _exchange(self, name: str) -> Exchange:
        _no_default(name)
        return self.vhost.exchange(name)

    def _queue_declare(self, asked: commands.Queue.Declare, payload: bytes) -> None:
        vhost, arguments = self.vhost, arguments_of(asked, payload)
        name = asked.queue or ""
        if asked.passive:
            queue = self._reachable(name)
            queue.renew()
        else:
            found = vhost.queues.get(name)
            if found is None:
                check_queue(name, arguments, vhost.name)
                queue = Queue(
                    vhost,
                    name or "amq.gen-" + _unique(),
                    durable=asked.durable,
                    owner=self.connection if asked.exclusive else None,
                    auto_delete=asked.auto_delete,
                    arguments=arguments,
                )
                vhost.add_queue(queue)
            else:
                queue = found
                if queue.owner is not (self.connection if asked.exclusive else None):
                    raise self._locked(queue)
                same_queue(queue, asked, arguments, vhost.name)
                queue.renew()
        self._queue = queue.name
        if not asked.nowait:
            self.send(_Queue.DeclareOk(queue.name, len(queue.ready), len(queue.consumers)))

    def _queue_bind(self, asked: commands.Queue.Bind, payload: bytes) -> None:
        name = self._named(asked.queue)
        if not asked.queue and not asked.routing_key:
            asked.routing_key = name
        if name not in self.vhost.queues:
            self._exchange(asked.exchange)
        self._bind(asked.exchange, self._reachable(name), asked, payload)
        if not asked.nowait:
            self.send(_Queue.BindOk())

    def _queue_unbind(self, asked: commands.Queue.Unbind, payload: bytes) -> None:
        name = self._named(asked.queue)
        if not asked.queue and not asked.routing_key:
            asked.routing_key = name
        _no_default(asked.exchange)
        queue = self.vhost.queues.get(name)
        if queue is not None:
            self._unbind(asked.exchange, queue, asked, payload)
        self.send(_Queue.UnbindOk())

    def _queue_purge(self, asked: commands.Queue.Purge, _: bytes) -> None:
        count = self._accessible(asked.queue).purge()
        if not asked.nowait:
            self.send(_Queue.PurgeOk(count))

    def _queue_delete(self, asked: commands.Queue.Delete, _: bytes) -> None:
        count = 0
        if self._named(asked.queue) in self.vhost.queues:
            queue = self._accessible(asked.queue)
            where = f"queue '{queue.name}' in vhost '{self.vhost.name}'"
            if asked.if_unused and queue.consumers:
                raise precondition_failed(f"{where} in use")
            if asked.if_empty and queue.ready:
                raise precondition_failed(f"{where} not empty")
            count = self.vhost.delete_queue(queue)
        if not asked.nowait:
            self.send(_Queue.DeleteOk(count))

    def _bind(self, source: str, destination: Queue | Exchange, asked: Any, payload: bytes) -> None:
        exchange = self._exchange(source)
        exchange.bind(Binding(destination, asked.routing_key, arguments_of(asked, payload)))
        self.vhost.routes.clear()

    def _unbind(
        self, source: str, destination: Queue | Exchange, asked: Any, payload: bytes
    ) -> None:
        exchange = self.vhost.exchanges.get(source)
        binding = Binding(destination, asked.routing_key, arguments_of(asked, payload))
        if exchange is not None and binding.identity in exchange.bindings:
            if isinstance(destination, Queue):
                self._reachable(destination.name)
            exchange.unbind(binding)
            self.vhost.unbound(exchange)

    def _named(self, name: str) -> str:
        if not name and not self._queue:
            raise not_found("no previously declared queue")
        return name or self._queue

    def _accessible(self, name: str) -> Queue:
        return self._reachable(self._named(name))

    def _reachable(self, name: str) -> Queue:
        queue = self.vhost.queue(name)
        if queue.owner is not None and queue.owner is not self.connection:
            raise self._locked(queue)
        return queue

    def _locked(self, queue: Queue) -> AmqpError:
        return resource_locked(
            f"cannot obtain exclusive access to locked queue '{queue.name}' in vhost "
            f"'{self.vhost.name}'. It could be originally declared on another connection or the "
            "exclusive property value does not match that of the original declaration."
        )


def _no_default(name: str) -> None:
    if not name:
        raise access_refused("operation not permitted on the default exchange")


def _unique() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()


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
    commands.Exchange.Declare: Channel._exchange_declare,
    commands.Exchange.Delete: Channel._exchange_delete,
    commands.Exchange.Bind: Channel._exchange_bind,
    commands.Exchange.Unbind: Channel._exchange_unbind,
    commands.Queue.Declare: Channel._queue_declare,
    commands.Queue.Bind: Channel._queue_bind,
    commands.Queue.Unbind: Channel._queue_unbind,
    commands.Queue.Purge: Channel._queue_purge,
    commands.Queue.Delete: Channel._queue_delete,
}
