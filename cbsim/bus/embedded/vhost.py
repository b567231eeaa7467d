"""The virtual host: its exchanges and queues, the routes between them, and the memory they take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from cbsim.bus.embedded.deadletter import Reason, dead_letter, went_round
from cbsim.bus.embedded.error import access_refused, cannot_decode, not_found, not_implemented
from cbsim.bus.embedded.exchange import Exchange, Headers, exchange_of
from cbsim.bus.embedded.message import PLACE, Message, Properties
from cbsim.bus.embedded.queue import Queue

if TYPE_CHECKING:
    from cbsim.bus.embedded.outlet import Outlet
    from cbsim.bus.embedded.tampering import Tampering

__all__ = ["Route", "Vhost"]

_STANDARD = (
    ("amq.direct", "direct"),
    ("amq.fanout", "fanout"),
    ("amq.headers", "headers"),
    ("amq.match", "headers"),
    ("amq.topic", "topic"),
)
_MOST_ROUTES = 50_000


class Route(NamedTuple):
    """Where an exchange and a routing key lead, kept until the topology changes."""

    exchange: str
    key: str
    address: bytes
    """Both as they stand in basic.deliver."""
    mandatory: bool
    queues: Sequence[Queue]
    by_headers: bool
    """Whether the queues depend on the headers, and have to be found anew."""

    @property
    def publish(self) -> bytes:
        """The fields of the basic.publish that it is for."""
        return self.address + (b"\x01" if self.mandatory else b"\x00")


class Vhost:
    """What one virtual host holds; everything in it runs in the broker's loop."""

    def __init__(
        self,
        name: str,
        loop: asyncio.AbstractEventLoop,
        memory_limit: int,
        watch: Callable[[], None],
    ) -> None:
        self.name = name
        self.loop = loop
        self.now = loop.time
        self.exchanges: dict[str, Exchange] = {}
        self.queues: dict[str, Queue] = {}
        self.routes: dict[bytes, Route] = {}
        self.dirty: list[Queue] = []
        self.unflushed: list[Outlet] = []
        self.memory = 0
        self.memory_limit = memory_limit
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
        """Add an exchange."""
        self.exchanges[exchange.name] = exchange
        self.routes.clear()

    def add_queue(self, queue: Queue) -> None:
        """Add a queue."""
        self.queues[queue.name] = queue
        self.routes.clear()

    def delete_exchange(self, exchange: Exchange) -> None:
        """Remove an exchange and every binding from it and to it."""
        self.exchanges.pop(exchange.name, None)
        exchange.bindings.clear()
        self._forget(exchange)

    def delete_queue(self, queue: Queue) -> int:
        """Remove a queue with its bindings, tell its consumers; how many messages were ready."""
        if queue.gone:
            return 0
        count = len(queue.ready)
        del self.queues[queue.name]
        queue.close()
        for consumer in list(queue.consumers):
            consumer.cancelled_by_broker()
        self._forget(queue)
        self.settle()
        return count

    def _forget(self, destination: Queue | Exchange) -> None:
        self.routes.clear()
        for exchange in list(self.exchanges.values()):
            if exchange.forget(destination):
                self.unbound(exchange)

    def unbound(self, exchange: Exchange) -> None:
        """A binding from the exchange went; with the last one goes an auto-delete exchange."""
        self.routes.clear()
        if exchange.auto_delete and not exchange.bindings:
            self.delete_exchange(exchange)

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
        if len(self.routes) >= _MOST_ROUTES:
            self.routes.clear()
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
        if self.memory > self.memory_limit or self.short:
            self.watch()
