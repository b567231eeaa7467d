"""The methods that declare, bind and delete exchanges and queues."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pamqp import base, commands

from cbsim.bus.embedded.declaration import check_exchange, check_queue, same_exchange, same_queue
from cbsim.bus.embedded.error import access_refused, precondition_failed
from cbsim.bus.embedded.exchange import Binding, Exchange, exchange_of, size_of_key
from cbsim.bus.embedded.frame import arguments_of
from cbsim.bus.embedded.names import unique
from cbsim.bus.embedded.queue import Queue

if TYPE_CHECKING:
    from cbsim.bus.embedded.channel import Channel

__all__ = ["TOPOLOGY"]

_Queue, _Exchange = commands.Queue, commands.Exchange


def _exchange_declare(channel: Channel, asked: commands.Exchange.Declare, payload: bytes) -> None:
    name, vhost = asked.exchange, channel.vhost
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
                size=len(payload),
            )
            vhost.add_exchange(made)
        else:
            same_exchange(found, asked, arguments, vhost.name)
    if not asked.nowait:
        channel.send(_Exchange.DeclareOk())


def _exchange_delete(channel: Channel, asked: commands.Exchange.Delete, _: bytes) -> None:
    name = asked.exchange
    _no_default(name)
    if name.startswith("amq."):
        raise access_refused(
            f"deletion of system exchange '{name}' in vhost '{channel.vhost.name}' not allowed"
        )
    found = channel.vhost.exchanges.get(name)
    if found is not None:
        if asked.if_unused and found.bindings:
            raise precondition_failed(f"exchange '{name}' in vhost '{channel.vhost.name}' in use")
        channel.vhost.delete_exchange(found)
    if not asked.nowait:
        channel.send(_Exchange.DeleteOk())


def _exchange_bind(channel: Channel, asked: commands.Exchange.Bind, payload: bytes) -> None:
    _no_default(asked.source)
    _no_default(asked.destination)
    _exchange(channel, asked.source)
    _bind(channel, asked.source, _exchange(channel, asked.destination), asked, payload)
    if not asked.nowait:
        channel.send(_Exchange.BindOk())


def _exchange_unbind(channel: Channel, asked: commands.Exchange.Unbind, payload: bytes) -> None:
    _no_default(asked.source)
    _no_default(asked.destination)
    destination = channel.vhost.exchanges.get(asked.destination)
    if destination is not None:
        _unbind(channel, asked.source, destination, asked, payload)
    if not asked.nowait:
        channel.send(_Exchange.UnbindOk())


def _exchange(channel: Channel, name: str) -> Exchange:
    _no_default(name)
    return channel.vhost.exchange(name)


def _queue_declare(channel: Channel, asked: commands.Queue.Declare, payload: bytes) -> None:
    vhost, arguments = channel.vhost, arguments_of(asked, payload)
    name = asked.queue or ""
    if asked.passive:
        queue = channel.reachable(name)
        queue.renew()
    else:
        found = vhost.queues.get(name)
        if found is None:
            check_queue(name, arguments, vhost.name)
            queue = Queue(
                vhost,
                name or "amq.gen-" + unique(),
                durable=asked.durable,
                owner=channel.connection if asked.exclusive else None,
                auto_delete=asked.auto_delete,
                arguments=arguments,
                size=len(payload),
            )
            vhost.add_queue(queue)
        else:
            queue = found
            if queue.owner is not (channel.connection if asked.exclusive else None):
                raise channel.locked(queue)
            same_queue(queue, asked, arguments, vhost.name)
            queue.renew()
    channel.last_queue = queue.name
    if not asked.nowait:
        channel.send(_Queue.DeclareOk(queue.name, len(queue.ready), len(queue.consumers)))


def _queue_bind(channel: Channel, asked: commands.Queue.Bind, payload: bytes) -> None:
    name = channel.named(asked.queue)
    if not asked.queue and not asked.routing_key:
        asked.routing_key = name
    if name not in channel.vhost.queues:
        _exchange(channel, asked.exchange)
    _bind(channel, asked.exchange, channel.reachable(name), asked, payload)
    if not asked.nowait:
        channel.send(_Queue.BindOk())


def _queue_unbind(channel: Channel, asked: commands.Queue.Unbind, payload: bytes) -> None:
    name = channel.named(asked.queue)
    if not asked.queue and not asked.routing_key:
        asked.routing_key = name
    _no_default(asked.exchange)
    queue = channel.vhost.queues.get(name)
    if queue is not None:
        _unbind(channel, asked.exchange, queue, asked, payload)
    channel.send(_Queue.UnbindOk())


def _queue_purge(channel: Channel, asked: commands.Queue.Purge, _: bytes) -> None:
    count = channel.accessible(asked.queue).purge()
    if not asked.nowait:
        channel.send(_Queue.PurgeOk(count))


def _queue_delete(channel: Channel, asked: commands.Queue.Delete, _: bytes) -> None:
    count = 0
    if channel.named(asked.queue) in channel.vhost.queues:
        queue = channel.accessible(asked.queue)
        where = f"queue '{queue.name}' in vhost '{channel.vhost.name}'"
        if asked.if_unused and queue.consumers:
            raise precondition_failed(f"{where} in use")
        if asked.if_empty and queue.ready:
            raise precondition_failed(f"{where} not empty")
        count = channel.vhost.delete_queues([queue])
    if not asked.nowait:
        channel.send(_Queue.DeleteOk(count))


def _bind(
    channel: Channel, source: str, destination: Queue | Exchange, asked: Any, payload: bytes
) -> None:
    exchange = _exchange(channel, source)
    arguments = arguments_of(asked, payload)
    size = len(payload) + size_of_key(asked.routing_key)
    binding = Binding(destination, asked.routing_key, arguments, size)
    channel.vhost.bind(exchange, binding)


def _unbind(
    channel: Channel, source: str, destination: Queue | Exchange, asked: Any, payload: bytes
) -> None:
    exchange = channel.vhost.exchanges.get(source)
    binding = Binding(destination, asked.routing_key, arguments_of(asked, payload))
    if exchange is not None and binding.identity in exchange.bindings:
        if isinstance(destination, Queue):
            channel.reachable(destination.name)
        channel.vhost.unbind(exchange, binding)


def _no_default(name: str) -> None:
    if not name:
        raise access_refused("operation not permitted on the default exchange")


TOPOLOGY: Mapping[type[base.Frame], Callable[[Channel, Any, bytes], None]] = {
    commands.Exchange.Declare: _exchange_declare,
    commands.Exchange.Delete: _exchange_delete,
    commands.Exchange.Bind: _exchange_bind,
    commands.Exchange.Unbind: _exchange_unbind,
    commands.Queue.Declare: _queue_declare,
    commands.Queue.Bind: _queue_bind,
    commands.Queue.Unbind: _queue_unbind,
    commands.Queue.Purge: _queue_purge,
    commands.Queue.Delete: _queue_delete,
}
"""What does each of them; raises AmqpError."""
