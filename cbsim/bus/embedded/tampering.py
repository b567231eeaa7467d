"""What faults do inside the broker: rules that hold messages back, copy them, or act at the Nth."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal, TypeVar

from cbsim.bus.embedded.consumer import Consumer, Get
from cbsim.bus.embedded.held import Held, Pace
from cbsim.bus.embedded.message import Entry

if TYPE_CHECKING:
    from cbsim.bus.embedded.channel import Channel
    from cbsim.bus.embedded.consumer import Unacked
    from cbsim.bus.embedded.conversation import Conversation
    from cbsim.bus.embedded.queue import Queue
    from cbsim.bus.embedded.server import Server

__all__ = ["Copies", "Delay", "Order", "Selector", "Silence", "Tampering", "Trigger"]


@dataclass(frozen=True, slots=True)
class Selector:
    """Which connections, queues and consumers; shell patterns, None for every one."""

    connection: str | None = None
    queue: str | None = None
    consumer: str | None = None

    def takes_connection(self, connection: Conversation) -> bool:
        """Whether it names the connection, as the client does or by its addresses."""
        return self.connection is None or any(
            fnmatchcase(name, self.connection) for name in (connection.name, connection.given_name)
        )

    def takes_queue(self, queue: Queue) -> bool:
        """Whether it names the queue."""
        return self.queue is None or fnmatchcase(queue.name, self.queue)

    def takes(self, taker: Consumer | Get) -> bool:
        """Whether it names who takes messages, its queue and its connection; a get has no tag."""
        tag = taker.tag
        return (
            (self.consumer is None or (tag is not None and fnmatchcase(tag, self.consumer)))
            and self.takes_queue(taker.queue)
            and self.takes_connection(taker.connection)
        )

    @property
    def of_consumers(self) -> bool:
        """Whether it is about what is delivered, so that publishers do not count."""
        return self.queue is not None or self.consumer is not None

    def __str__(self) -> str:
        named = (
            ("connection", self.connection),
            ("queue", self.queue),
            ("consumer", self.consumer),
        )
        return " ".join(f"{name}={value}" for name, value in named if value is not None)


@dataclass(slots=True, eq=False)
class Trigger:
    """Acts once, on the channel that carries the `after`th message or ack."""

    what: str
    select: Selector
    after: int
    act: Callable[[Channel, Consumer | None], None]
    counts: Literal["messages", "deliveries", "acks"] = "messages"
    """All messages, only what consumers are sent, or the deliveries that were acknowledged."""
    pace: Pace | None = None
    """Of one that counts acks: the deliveries until then go out one by one."""


@dataclass(slots=True, eq=False)
class Copies:
    """After `after` deliveries, sends the next `count` (None: every one) a second time."""

    what: str
    select: Selector
    after: int
    count: int | None
    redelivered: bool


@dataclass(slots=True, eq=False)
class Delay:
    """Holds each delivery for that long."""

    what: str
    select: Selector
    seconds: float
    held: Held = field(default_factory=Held)


@dataclass(slots=True, eq=False)
class Order:
    """Shuffles the head of a queue, `window` messages at a time."""

    what: str
    select: Selector
    window: int
    chance: random.Random
    patience: float
    granted: dict[Queue, int] = field(default_factory=dict)
    waiting: set[Queue] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Silence:
    """Sends no heartbeats."""

    what: str
    select: Selector


class _Copy(Entry):
    """An entry that a fault made, so that it makes none of that one."""

    __slots__ = ()


_R = TypeVar("_R", Trigger, Copies, Delay, Order, Silence)
Rule = Trigger | Copies | Delay | Order | Silence


class Tampering:
    """The rules in force, and what they hold back. Runs in the broker's loop."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.rules: list[Rule] = []

    def add(self, rule: Rule) -> None:
        """Put a rule into force."""
        if isinstance(rule, Trigger) and rule.counts == "acks":
            rule.pace = Pace(self._server.loop, self._server.vhost.settle)
        self.rules.append(rule)
        self._server.vhost.tampering = self

    def clear(self) -> None:
        """End every rule, and send what is held back."""
        held: list[Held] = [delay.held for delay in self._of(Delay)]
        held += [trigger.pace for trigger in self._of(Trigger) if trigger.pace is not None]
        self.rules.clear()
        for some in held:
            some.release_all()
        vhost = self._server.vhost
        vhost.tampering = None
        for queue in vhost.queues.values():
            queue.touch()
        vhost.settle()

    def silent(self, connection: Conversation) -> bool:
        """Whether the connection gets no heartbeats."""
        return any(rule.select.takes_connection(connection) for rule in self._of(Silence))

    def published(self, channel: Channel) -> None:
        """A message came in on the channel."""
        for trigger in self._of(Trigger):
            select = trigger.select
            if trigger.counts != "messages" or select.of_consumers:
                continue
            if select.takes_connection(channel.connection):
                self._count(trigger, channel, None)

    def acked(self, channel: Channel, settled: Sequence[Unacked]) -> None:
        """Deliveries on the channel were acknowledged, by one ack."""
        for trigger in self._of(Trigger):
            if trigger.pace is not None:
                for one in settled:
                    taker = one.consumer or Get(channel, one.queue, no_ack=False)
                    if trigger in self.rules and trigger.select.takes(taker):
                        self._count(trigger, channel, one.consumer)
                trigger.pace.go_on()

    def ready(self, queue: Queue) -> bool:
        """Whether the head of a queue may be sent now; shuffles it when its window is full."""
        for order in self._of(Order):
            if not order.select.takes_queue(queue):
                continue
            granted = order.granted.get(queue, 0)
            if not granted:
                if len(queue.ready) < order.window:
                    self._await(order, queue)
                    return False
                granted = self._shuffle(order, queue, order.window)
            order.granted[queue] = granted - 1
            return True
        return True

    def got(self, queue: Queue) -> None:
        """A get takes the head of a queue: it cannot wait for a whole window to shuffle."""
        for order in self._of(Order):
            if order.select.takes_queue(queue):
                granted = order.granted.get(queue, 0)
                if not granted:
                    granted = self._shuffle(order, queue, min(order.window, len(queue.ready)))
                order.granted[queue] = granted - 1
                return

    def deliver(self, taker: Consumer | Get, entry: Entry) -> None:
        """Send a message to a consumer, or answer a get with it, the way the rules have it."""
        delay = next((one for one in self._of(Delay) if one.select.takes(taker)), None)
        pace = None if taker.no_ack else self._pace(taker)
        if delay is not None:
            delay.held.add(taker, entry)
            self._server.loop.call_later(delay.seconds, self._let_go, delay)
        elif pace is not None:
            pace.add(taker, entry)
        else:
            taker.deliver(entry)
        for copies in self._of(Copies):
            if copies.select.takes(taker) and not isinstance(entry, _Copy):
                self._copy(copies, taker.queue, entry)
        consumer = taker if isinstance(taker, Consumer) else None
        for trigger in self._of(Trigger):
            if trigger.counts == "acks" or not trigger.select.takes(taker):
                continue
            if consumer is not None or trigger.counts == "messages":
                self._count(trigger, taker.channel, consumer)

    def _pace(self, taker: Consumer | Get) -> Pace | None:
        triggers = (one for one in self._of(Trigger) if one.select.takes(taker))
        return next((one.pace for one in triggers if one.pace is not None), None)

    def _copy(self, copies: Copies, queue: Queue, entry: Entry) -> None:
        if copies.redelivered and entry.redelivered:
            return
        if copies.after > 0:
            copies.after -= 1
            return
        if copies.count is not None:
            copies.count -= 1
            if copies.count <= 0:
                self.rules.remove(copies)
        copy = _Copy(entry.message, entry.position, entry.expires)
        copy.redelivered = copies.redelivered
        self._server.vhost.hold(entry.message)
        queue.requeue([copy], delivered=False)

    def _count(self, trigger: Trigger, channel: Channel, consumer: Consumer | None) -> None:
        trigger.after -= 1
        if trigger.after <= 0:
            self.rules.remove(trigger)
            trigger.act(channel, consumer)
            if trigger.pace is not None:
                trigger.pace.release_all()

    def _let_go(self, delay: Delay) -> None:
        if delay.held:
            delay.held.release()
            self._server.vhost.settle()

    def _shuffle(self, order: Order, queue: Queue, count: int) -> int:
        head = [queue.ready.popleft() for _ in range(count)]
        shuffled = list(head)
        while len(head) > 1 and shuffled == head:
            order.chance.shuffle(shuffled)
        queue.ready.extendleft(reversed(shuffled))
        return count

    def _await(self, order: Order, queue: Queue) -> None:
        if queue in order.waiting or not queue.ready:
            return
        order.waiting.add(queue)

        def enough() -> None:
            order.waiting.discard(queue)
            if order in self.rules and queue.ready and not order.granted.get(queue):
                order.granted[queue] = self._shuffle(
                    order, queue, min(order.window, len(queue.ready))
                )
                queue.touch()
                self._server.vhost.settle()

        self._server.loop.call_later(order.patience, enough)

    def _of(self, kind: type[_R]) -> list[_R]:
        return [rule for rule in self.rules if isinstance(rule, kind)]
