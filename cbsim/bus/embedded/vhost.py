"""The virtual host: its exchanges and queues, the routes between them, and the memory they take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from cbsim.bus.embedded.deadletter import Reason, dead_letter, went_round
from cbsim.bus.embedded.error import (
    access_refused,
    cannot_decode,
    not_found,
    not_implemented,
    precondition_failed,
)
from cbsim.bus.embedded.exchange import Binding, Exchange, Headers, exchange_of
from cbsim.bus.embedded.message import PLACE, Message, Properties
from cbsim.bus.embedded.queue import Queue
from cbsim.bus.embedded.quota import Quota, require_room
from cbsim.bus.embedded.route import Route

if TYPE_CHECKING:
    from cbsim.bus.embedded.outlet import Outlet
    from cbsim.bus.embedded.tampering import Tampering

__all__ = ["Vhost"]

_STANDARD = (
    ("amq.direct", "direct"),
    ("amq.fanout", "fanout"),
    ("amq.headers", "headers"),
    ("amq.match", "headers"),
    ("amq.topic", "topic"),
)
_MOST_ROUTED = 1_000_000
"""Routes that are kept, and the queues in them."""


class Vhost:
    """What one virtual host holds; everything in it runs in the broker's loop."""

    def __init__(
        self,
        name: str,
        loop: asyncio.AbstractEventLoop,
        quota: Quota,
        watch: Callable[[], None],
    ) -> None:
        self.name = name
        self.loop = loop
        self.now = loop.time
        self.exchanges: dict[str, Exchange] = {}
        self.queues: dict[str, Queue] = {}
        self.routes: dict[bytes, Route] = {}
        self._routed = 0
        self._declared = 0
        """Bytes of all declarations."""
        self.dirty: list[Queue] = []
        self.unflushed: list[Outlet] = []
        self.memory = 0
        self.quota = quota
        self.short = False
        """Whether publishers wait for memory."""
        self.watch = watch
        self.tampering: Tampering | None = None
        for exchange, kind in _STANDARD:
            self.exchanges[exchange] = exchange_of(kind)(exchange, durable=True)

    # Topology.

    def exchange(self, name: str) -> Exchange:
        """The exchange of that name; raises AmqpError."""
        found = self.exchanges.get(name)
        if found is None:
            raise not_found(f"no exchange '{name}' in vhost '{self.name}'")
        return found

    def queue(self, name: str) -> Queue:
        """The queue of that name; raises AmqpError."""
        found = self.queues.get(name)
        if found is None:
            raise not_found(f"no queue '{name}' in vhost '{self.name}'")
        return found

    def add_exchange(self, exchange: Exchange) -> None:
        """Add an exchange; raises AmqpError when there is no room for it."""
        act = f"declare exchange '{exchange.name}'"
        require_room(len(self.exchanges), self.quota.exchanges, "exchange", act, self.name)
        self._keep(exchange.size, act)
        self.exchanges[exchange.name] = exchange
        self._reroute()

    def add_queue(self, queue: Queue) -> None:
        """Add a queue; raises AmqpError when there is no room for it."""
        act = f"declare queue '{queue.name}'"
        require_room(len(self.queues), self.quota.queues, "queue", act, self.name)
        self._keep(queue.size, act)
        self.queues[queue.name] = queue
        queue.renew()
        self._reroute()

    def bind(self, exchange: Exchange, binding: Binding) -> None:
        """Bind, unless it is so already; raises AmqpError when there is no room for it."""
        exchange.check(binding)
        if binding.identity in exchange.bindings:
            return
        act = f"bind '{binding.destination.name}' to exchange '{exchange.name}'"
        bound = sum(len(one.bindings) for one in self.exchanges.values())
        require_room(bound, self.quota.bindings, "binding", act, self.name)
        self._keep(binding.size, act)
        exchange.bind(binding)
        self._reroute()

    def unbind(self, exchange: Exchange, binding: Binding) -> None:
        """Take a binding back; with its last one goes an auto-delete exchange."""
        self._unbound(exchange, [exchange.unbind(binding)])

    def check_consumer(self, queue: Queue) -> None:
        """Raises AmqpError when there is no room for another consumer."""
        there = sum(len(one.consumers) for one in self.queues.values())
        act = f"consume from queue '{queue.name}'"
        require_room(there, self.quota.consumers, "consumer", act, self.name)

    def delete_exchange(self, exchange: Exchange) -> None:
        """Remove an exchange and every binding from it and to it."""
        if self.exchanges.pop(exchange.name, None) is not None:
            bindings = exchange.bindings.values()
            self._declared -= exchange.size + sum(binding.size for binding in bindings)
        exchange.bindings.clear()
        self._forget({exchange})

    def delete_queues(self, queues: Iterable[Queue]) -> int:
        """Remove queues with their bindings, tell their consumers; how many messages were ready."""
        gone = {queue for queue in queues if not queue.gone}
        count = sum(len(queue.ready) for queue in gone)
        for queue in gone:
            del self.queues[queue.name]
            self._declared -= queue.size
            queue.close()
        for queue in gone:
            for consumer in list(queue.consumers):
                consumer.cancelled_by_broker()
        self._forget(gone)
        self.settle()
        return count

    def _keep(self, size: int, act: str) -> None:
        if self._declared + size > self.quota.declared:
            raise precondition_failed(
                f"cannot {act}: the declarations of vhost '{self.name}' take more than "
                f"{self.quota.declared} bytes"
            )
        self._declared += size

    def _forget(self, destinations: Collection[Queue | Exchange]) -> None:
        self._reroute()
        for exchange in list(self.exchanges.values()):
            if gone := exchange.forget(destinations):
                self._unbound(exchange, gone)

    def _unbound(self, exchange: Exchange, gone: Iterable[Binding]) -> None:
        self._reroute()
        self._declared -= sum(binding.size for binding in gone)
        if exchange.auto_delete and not exchange.bindings:
            self.delete_exchange(exchange)

    def _reroute(self) -> None:
        self.routes.clear()
        self._routed = 0

    def bound(self, exchanges: Iterable[str]) -> set[str]:
        """The names of the queues that messages of these exchanges may come to."""
        found, seen, left = set[str](), set[str](), [*exchanges]
        while left:
            name = left.pop()
            if name in seen or name not in self.exchanges:
                continue
            seen.add(name)
            for binding in self.exchanges[name].bindings.values():
                if isinstance(binding.destination, Queue):
                    found.add(binding.destination.name)
                else:
                    left.append(binding.destination.name)
        return found

    # Messages.

    def route(self, publish: bytes) -> Route:
        """The route of a basic.publish, from its exchange to its bits; raises AmqpError."""
        found = self.routes.get(publish)
        if found is not None:
            return found
        size = publish[0] if publish else 0
        if len(publish) < size + 3 or len(publish) != size + publish[size + 1] + 3:
            raise cannot_decode(b"\0\0" + publish)
        exchange = publish[1 : size + 1].decode("utf-8", "surrogateescape")
        key = publish[size + 2 : -1].decode("utf-8", "surrogateescape")
        if publish[-1] & 2:
            raise not_implemented("immediate=true")
        if exchange and self.exchange(exchange).internal:
            raise access_refused(
                f"cannot publish to internal exchange '{exchange}' in vhost '{self.name}'"
            )
        by_headers, queues = self._resolve(exchange, [key], None)
        made = Route(exchange, key, publish[:-1], bool(publish[-1] & 1), queues, by_headers)
        self._routed += len(queues) + 20
        if self._routed > _MOST_ROUTED:
            self._reroute()
        self.routes[publish] = made
        return made

    def destinations(self, exchange: str, keys: Sequence[str], headers: Headers) -> list[Queue]:
        """The queues that a message is for."""
        return self._resolve(exchange, keys, headers)[1]

    def _resolve(
        self, exchange: str, keys: Sequence[str], headers: Headers | None
    ) -> tuple[bool, list[Queue]]:
        if exchange == "":
            named = (self.queues.get(key) for key in keys)
            return False, list(dict.fromkeys(queue for queue in named if queue is not None))
        by_headers = False
        queues: dict[Queue, None] = {}
        reached, seen = [self.exchanges.get(exchange)], {exchange}
        while reached:
            source = reached.pop()
            if source is None:
                continue
            matched: list[Queue | Exchange] = []
            if source.by_headers and headers is None:
                by_headers = True
            else:
                for key in keys:
                    matched += source.match(key, headers or dict)
            if not matched and source.alternate is not None and source.alternate not in seen:
                seen.add(source.alternate)
                reached.append(self.exchanges.get(source.alternate))
            for one in matched:
                if isinstance(one, Queue):
                    queues[one] = None
                elif one.name not in seen:
                    seen.add(one.name)
                    reached.append(one)
        return by_headers, list(queues)

    def publish(self, message: Message, queues: Iterable[Queue]) -> bool:
        """Put a message into queues; whether all of them took it."""
        taken = True
        for queue in queues:
            if queue.full(message):
                taken = False
            else:
                queue.publish(message)
        return taken

    def dead_letter(self, queue: Queue, messages: Iterable[Message], reason: Reason) -> None:
        """Publish messages that left a queue to its dead-letter exchange, where there is one."""
        exchange = queue.dead_letter_exchange
        if exchange is None or (exchange and exchange not in self.exchanges):
            return
        for message in messages:
            made, keys = dead_letter(message, queue.name, exchange, queue.dead_letter_key, reason)
            headers = Properties.parse(made.header).headers
            found = self.destinations(exchange, keys, headers.copy)
            if reason != "rejected":
                found = [one for one in found if not went_round(made, one.name)]
            self.publish(made, found)

    def hold(self, message: Message) -> None:
        """A queue took the message."""
        if not message.held:
            self.memory += message.memory
        self.memory += PLACE
        message.held += 1

    def release(self, messages: Iterable[Message]) -> None:
        """A queue, or its consumer, is done with these."""
        for message in messages:
            message.held -= 1
            self.memory -= PLACE
            if not message.held:
                self.memory -= message.memory

    # The rhythm of the loop.

    def settle(self) -> None:
        """Pump the queues that changed, then send what that put out."""
        dirty = self.dirty
        while dirty:
            dirty.pop().pump()
        unflushed = self.unflushed
        while unflushed:
            unflushed.pop().flush()
        if self.memory > self.quota.memory or self.short:
            self.watch()
