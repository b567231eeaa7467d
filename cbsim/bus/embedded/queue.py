"""Queues: messages in order, the consumers that take turns, and what makes messages leave early."""

from __future__ import annotations

import asyncio
from bisect import bisect
from collections import deque
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING

from cbsim.bus.embedded.deadletter import Reason
from cbsim.bus.embedded.message import Entry, Message
from cbsim.bus.embedded.table import Field
from cbsim.bus.queue_state import QueueState, Reading, Totals

if TYPE_CHECKING:
    from cbsim.bus.embedded.connection import Connection
    from cbsim.bus.embedded.consumer import Consumer
    from cbsim.bus.embedded.vhost import Vhost

__all__ = ["Queue"]

_position = attrgetter("position")


class Queue:
    """One queue. Every change that may let a message go ends with `touch` or `pump`."""

    def __init__(
        self,
        vhost: Vhost,
        name: str,
        *,
        durable: bool,
        owner: Connection | None,
        auto_delete: bool,
        arguments: Mapping[str, Field],
        size: int,
    ) -> None:
        self.vhost = vhost
        self.name = name
        self.durable = durable
        self.owner = owner
        self.auto_delete = auto_delete
        self.arguments = arguments
        self.size = size
        """Of its declaration, in bytes."""
        self.ready: deque[Entry] = deque()
        self.consumers: list[Consumer] = []
        self.active: deque[Consumer] = deque()
        """The consumers that may be sent a message, in the order of their turns."""
        self.exclusive: Consumer | None = None
        self.gone = False
        self.dirty = False
        self.by_priority = False
        self._position = 0
        self._bytes = 0
        self._max_length = self._number("x-max-length")
        self._max_bytes = self._number("x-max-length-bytes")
        self._overflow = self._text("x-overflow") or "drop-head"
        self._ttl = self._number("x-message-ttl")
        self._expires = self._number("x-expires")
        self.dead_letter_exchange = self._text("x-dead-letter-exchange")
        self.dead_letter_key = self._text("x-dead-letter-routing-key")
        self._limited = self._max_length is not None or self._max_bytes is not None
        self._timed = self._ttl is not None
        self._timer: asyncio.TimerHandle | None = None
        self._lease: asyncio.TimerHandle | None = None

    def _number(self, name: str) -> int | None:
        found = self.arguments.get(name)
        return None if found is None else found.number

    def _text(self, name: str) -> str | None:
        found = self.arguments.get(name)
        return None if found is None else found.text

    # Messages in.

    def full(self, message: Message) -> bool:
        """Whether the queue refuses this message rather than drop an older one."""
        if not self._limited or not self._overflow.startswith("reject-publish"):
            return False
        over = (self._max_length is not None and len(self.ready) + 1 > self._max_length) or (
            self._max_bytes is not None and self._bytes + message.body_size > self._max_bytes
        )
        if over and self._overflow == "reject-publish-dlx":
            self.vhost.dead_letter(self, [message], "maxlen")
        return over

    def publish(self, message: Message) -> None:
        """Take a message at the tail."""
        expires = message.expiration
        if self._ttl is not None and (expires is None or self._ttl < expires):
            expires = self._ttl
        if expires is not None:
            self._timed = True
            expires = self.vhost.now() + expires / 1000
        self._position = position = self._position + 1
        self.ready.append(Entry(message, position, expires))
        self.vhost.hold(message)
        if self._limited or self._timed:
            self._bytes += message.body_size
            self._admit()
        elif not self.dirty:
            self.dirty = True
            self.vhost.dirty.append(self)

    def _admit(self) -> None:
        """Let a consumer have the message at once, else apply the limits of the queue."""
        if len(self.ready) == 1:
            self._send()
        else:
            self.pump()
        self._trim()
        self._drop_expired()

    def requeue(self, entries: Iterable[Entry], *, delivered: bool = True) -> None:
        """Take messages back to where they were in the queue."""
        ready = self.ready
        if self.gone:
            self.vhost.release(entry.message for entry in entries)
            return
        back = sorted(entries, key=_position)
        for entry in back:
            entry.redelivered |= delivered
            self._bytes += entry.message.body_size
        if not ready or (back and back[-1].position < ready[0].position):
            ready.extendleft(reversed(back))
        elif len(back) > 8:
            merged = sorted([*back, *ready], key=_position)
            ready.clear()
            ready.extend(merged)
        else:
            for entry in back:
                ready.insert(bisect(ready, entry.position, key=_position), entry)
        self._trim()
        self.touch()

    # Messages out.

    def touch(self) -> None:
        """Have the queue pumped when the input at hand is done."""
        if not self.dirty:
            self.dirty = True
            self.vhost.dirty.append(self)

    def pump(self) -> None:
        """Send what consumers can take."""
        self.dirty = False
        if self._timed:
            self._drop_expired()
        if self.ready and self.active:
            self._send()

    def _send(self) -> None:
        ready, active = self.ready, self.active
        tampering = self.vhost.tampering
        while ready and active:
            consumer = active[0]
            if self.by_priority:
                consumer = max(active, key=lambda one: one.priority)
            if consumer.blocked():
                active.remove(consumer)
                consumer.parked = True
                continue
            if tampering is not None and not tampering.ready(self):
                break
            entry = ready.popleft()
            self._bytes -= entry.message.body_size
            if tampering is None:
                consumer.deliver(entry)
            else:
                tampering.deliver(consumer, entry)
            if len(active) > 1 and not consumer.cancelled:
                active.remove(consumer)
                active.append(consumer)
            if self._timed:
                self._drop_expired()

    def take(self) -> Entry | None:
        """The head of the queue, for a get."""
        self.pump()
        self.renew()
        if not self.ready:
            return None
        if self.vhost.tampering is not None:
            self.vhost.tampering.got(self)
        entry = self.ready.popleft()
        self._bytes -= entry.message.body_size
        return entry

    def purge(self) -> int:
        """Drop what is ready; how many that were."""
        self.pump()
        count = len(self.ready)
        self.vhost.release(entry.message for entry in self.ready)
        self.ready.clear()
        self._bytes = 0
        return count

    def discard(self, entries: Iterable[Entry], reason: Reason) -> None:
        """Messages that leave unconsumed: to the dead-letter exchange, where there is one."""
        messages = [entry.message for entry in entries]
        if self.dead_letter_exchange is not None and messages:
            self.vhost.dead_letter(self, messages, reason)
        self.vhost.release(messages)

    def _trim(self) -> None:
        if not self._limited:
            return
        dropped = []
        while self.ready and (
            (self._max_length is not None and len(self.ready) > self._max_length)
            or (self._max_bytes is not None and self._bytes > self._max_bytes)
        ):
            entry = self.ready.popleft()
            self._bytes -= entry.message.body_size
            dropped.append(entry)
        self.discard(dropped, "maxlen")

    def _drop_expired(self) -> None:
        ready, now = self.ready, self.vhost.now()
        expired = []
        while ready:
            expires = ready[0].expires
            if expires is None or expires > now:
                break
            entry = ready.popleft()
            self._bytes -= entry.message.body_size
            expired.append(entry)
        if expired:
            self.discard(expired, "expired")
        if ready and ready[0].expires is not None:
            self._wait(ready[0].expires)

    def _wait(self, until: float) -> None:
        # A timer that comes too early sets another; so most messages cost none.
        if self._timer is not None:
            if self._timer.when() <= until:
                return
            self._timer.cancel()
        self._timer = self.vhost.loop.call_at(until, self._expired)

    def _expired(self) -> None:
        self._timer = None
        self._drop_expired()
        self.vhost.settle()

    # Consumers, and the queue's own end.

    def read(self, unacked: int) -> Reading:
        """What it holds and did, so many of its messages being with consumers."""
        ready, arrived = len(self.ready), self._position
        given = arrived - ready
        state = QueueState(ready, unacked, len(self.consumers))
        return Reading(state, Totals(arrived, given, given - unacked))

    def add(self, consumer: Consumer) -> None:
        """A consumer starts."""
        self.consumers.append(consumer)
        self.active.append(consumer)
        self.by_priority = any(one.priority for one in self.consumers)
        self.renew()
        self.touch()

    def remove(self, consumer: Consumer) -> None:
        """A consumer ends; an auto-delete queue goes with its last one."""
        if consumer not in self.consumers:
            return
        self.consumers.remove(consumer)
        if consumer in self.active:
            self.active.remove(consumer)
        if self.exclusive is consumer:
            self.exclusive = None
        self.renew()
        if self.auto_delete and not self.consumers:
            self.vhost.delete_queues([self])

    def wake(self, consumer: Consumer) -> None:
        """A consumer that could take no more can again."""
        consumer.parked = False
        self.active.append(consumer)
        self.touch()

    def renew(self) -> None:
        """Start the time anew after which an unused queue expires."""
        if self._lease is not None:
            self._lease.cancel()
            self._lease = None
        if self._expires is not None and not self.consumers and not self.gone:
            self._lease = self.vhost.loop.call_later(
                self._expires / 1000, self.vhost.delete_queues, [self]
            )

    def close(self) -> None:
        """End the queue's timers and drop its messages."""
        self.gone = True
        for timer in (self._timer, self._lease):
            if timer is not None:
                timer.cancel()
        self._timer = self._lease = None
        self.vhost.release(entry.message for entry in self.ready)
        self.ready.clear()
        self.active.clear()
