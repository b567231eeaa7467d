"""Faults on demand: what a broker does to its clients on a bad day, each at a moment of choice."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from functools import partial, wraps
from inspect import signature
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, Literal, NamedTuple, ParamSpec

from cbsim.bus.embedded.error import AmqpError
from cbsim.bus.embedded.fault import Fault, Limits, fault_of
from cbsim.bus.embedded.tampering import Copies, Delay, Order, Selector, Silence, Trigger
from cbsim.errors import CbsimError

if TYPE_CHECKING:
    from cbsim.bus.embedded.channel import Channel
    from cbsim.bus.embedded.connection import Connection
    from cbsim.bus.embedded.consumer import Consumer
    from cbsim.bus.embedded.server import Server

__all__ = ["FAULTS", "Faults"]

How = Literal["close", "eof", "reset", "mid-frame"]
OfConnection = Annotated[
    str | None, "On connections with this name, or these addresses; a shell pattern."
]
OfQueue = Annotated[str | None, "On what comes from this queue; a shell pattern."]
OfConsumer = Annotated[str | None, "On what consumers with this tag get; a shell pattern."]
After = Annotated[
    int, "Not now, but once, right after that many more of its messages have gone through."
]
AfterAcks = Annotated[
    int,
    "Not now, but once, right after the broker has got acks for that many deliveries more. Until "
    "then they go out one by one, so that a consumer has no more than what it acknowledged.",
]
Spared = Annotated[int, "Leave that many deliveries alone first."]
Count = Annotated[int | None, "How many; every one when not given.", Limits(1)]

_P = ParamSpec("_P")
_DECLARED: dict[str, Fault] = {}
FAULTS: Mapping[str, Fault] = MappingProxyType(_DECLARED)
"""Each fault by its name, from the methods of `Faults`."""


def _fault(
    method: Callable[Concatenate[Faults, _P], int],
) -> Callable[Concatenate[Faults, _P], int]:
    """A fault, whose arguments are read as it declares them: in the broker it is too late."""
    fault = _DECLARED[method.__name__] = fault_of(method)
    act: Callable[..., int] = method
    declared = signature(method)

    @wraps(method)
    def read(self: Faults, /, *args: _P.args, **kwargs: _P.kwargs) -> int:
        given: dict[str, Any] = kwargs
        if args:
            given = declared.bind_partial(self, *args, **kwargs).arguments
            del given["self"]
        return act(self, **fault.arguments(given))

    return read


class Faults:
    """The faults of one embedded broker; may be called from any thread.

    A method that acts at once returns on how many connections, channels or consumers it did, and
    raises CbsimError when there is none that it names; with `after`, and for faults that last, it
    returns 0. What lasts does until `clear`. Of messages, `after` counts deliveries and, unless a
    queue or consumer is named, what is published; `after_acks` counts the deliveries that a client
    has acknowledged. An argument that cannot be is a CbsimError.

    Deliveries are what consumers are sent, and the answers to basic.get:

    | on | what comes to consumers | what basic.get takes |
    | --- | --- | --- |
    | redeliver, duplicate | the message comes twice | the next get has it again |
    | delay_deliveries | it comes later | the answer comes later |
    | reorder | waits for a whole window, or `patience` | shuffles what is ready of a window |
    | drop_connection, stall, close_channel with `after` | counts | counts |
    | all four with `after_acks` | its ack counts | its ack counts |
    | cancel_consumer with `after` | counts | does not, nor does what is published |
    | with `consumer` | those with such a tag | never |
    """

    def __init__(self, call: Callable[[Callable[[Server], Any]], Any]) -> None:
        self._call = call

    @_fault
    def drop_connection(
        self,
        how: Annotated[
            How,
            "close: by the protocol, 320 CONNECTION_FORCED; eof: the socket just ends; reset: it "
            "is reset; mid-frame: it ends within a frame.",
        ] = "close",
        connection: OfConnection = None,
        queue: OfQueue = None,
        consumer: OfConsumer = None,
        after: After = 0,
        after_acks: AfterAcks = 0,
    ) -> int:
        """Drop connections."""
        select = Selector(connection, queue, consumer)

        def act(dropped: Connection) -> None:
            dropped.drop(how)

        return self._on_connections(
            f"drop_connection how={how}", select, _moment(after, after_acks), act
        )

    @_fault
    def stall(
        self,
        seconds: Annotated[float | None, "For that long; until `clear` when not given."] = None,
        connection: OfConnection = None,
        queue: OfQueue = None,
        consumer: OfConsumer = None,
        after: After = 0,
        after_acks: AfterAcks = 0,
    ) -> int:
        """Neither read from connections nor write to them, not even heartbeats."""
        select = Selector(connection, queue, consumer)

        def act(stalled: Connection) -> None:
            stalled.stall(True)
            if seconds is not None:
                stalled.loop.call_later(seconds, stalled.stall, False)

        return self._on_connections("stall", select, _moment(after, after_acks), act)

    @_fault
    def go_away(
        self,
        seconds: Annotated[float, "For how long."],
        how: Annotated[How, "How connections end; as for drop_connection."] = "reset",
    ) -> int:
        """Drop every connection and let nobody in for a while; what queues hold stays."""

        def act(server: Server) -> int:
            server.away_until = server.loop.time() + seconds
            there = [connection for connection in server.connections if connection.user]
            for connection in there:
                connection.drop(how)
            return len(there)

        return int(self._call(act))

    @_fault
    def delay_deliveries(
        self,
        seconds: Annotated[float, "How long each delivery is held."],
        connection: OfConnection = None,
        queue: OfQueue = None,
        consumer: OfConsumer = None,
    ) -> int:
        """Hold every delivery for a while; their order stays."""
        select = Selector(connection, queue, consumer)
        return self._rule(
            lambda server: server.tampering.add(Delay("delay_deliveries", select, seconds))
        )

    @_fault
    def refuse_logins(
        self, count: Annotated[int | None, "That many; all when not given."] = None
    ) -> int:
        """Refuse logins as if the password were wrong."""

        def act(server: Server) -> None:
            server.refusals = math.inf if count is None else count

        return self._rule(act)

    @_fault
    def close_channel(
        self,
        code: Annotated[int, "The reply code.", Limits(0, 65535)] = 406,
        text: Annotated[str, "The reply text, after the code's name."] = "closed by a fault",
        connection: OfConnection = None,
        queue: OfQueue = None,
        consumer: OfConsumer = None,
        after: After = 0,
        after_acks: AfterAcks = 0,
    ) -> int:
        """Close channels with an error."""
        select = Selector(connection, queue, consumer)

        def act(channel: Channel) -> None:
            channel.fail(AmqpError(code, text))

        def now(server: Server) -> list[Callable[[], None]]:
            return [
                partial(act, channel)
                for one in _connections(server, select)
                for channel in one.channels.values()
                if not channel.closing
                and (not select.of_consumers or any(map(select.takes, channel.consumers.values())))
            ]

        return self._act(
            f"close_channel code={code}",
            select,
            _moment(after, after_acks),
            now,
            lambda channel, _: act(channel),
            "channel",
        )

    @_fault
    def cancel_consumer(
        self,
        connection: OfConnection = None,
        queue: OfQueue = None,
        consumer: OfConsumer = None,
        after: After = 0,
        after_acks: AfterAcks = 0,
    ) -> int:
        """Cancel consumers, as when their queue goes; the queue stays, unless it is auto-delete."""
        select = Selector(connection, queue, consumer)

        def now(server: Server) -> list[Callable[[], None]]:
            return [one.cancelled_by_broker for one in _consumers(server, select)]

        def later(_: Channel, cancelled: Consumer | None) -> None:
            if cancelled is not None:
                cancelled.cancelled_by_broker()

        moment = _moment(after, after_acks, "deliveries")
        return self._act("cancel_consumer", select, moment, now, later, "consumer")

    @_fault
    def block_publishers(
        self, reason: Annotated[str, "What they are told.", Limits(1, 255)] = "low on memory"
    ) -> int:
        """Block each connection that publishes, from its next message on."""

        def act(server: Server) -> None:
            server.block_reason = reason

        return self._rule(act)

    @_fault
    def unblock_publishers(self) -> int:
        """Let publishers go on."""
        return self._rule(_unblock)

    @_fault
    def redeliver(
        self,
        count: Count = 1,
        after: Spared = 0,
        connection: OfConnection = None,
        queue: OfQueue = None,
        consumer: OfConsumer = None,
    ) -> int:
        """Deliver messages a second time, marked as redelivered, as after a lost ack."""
        rule = Copies("redeliver", Selector(connection, queue, consumer), after, count, True)
        return self._rule(lambda server: server.tampering.add(rule))

    @_fault
    def duplicate(
        self,
        count: Count = 1,
        after: Spared = 0,
        connection: OfConnection = None,
        queue: OfQueue = None,
        consumer: OfConsumer = None,
    ) -> int:
        """Deliver messages twice, as when a publisher sent them twice."""
        rule = Copies("duplicate", Selector(connection, queue, consumer), after, count, False)
        return self._rule(lambda server: server.tampering.add(rule))

    @_fault
    def reorder(
        self,
        window: Annotated[int, "How many messages are shuffled at a time.", Limits(1)] = 2,
        seed: Annotated[int, "The same seed, the same order."] = 0,
        patience: Annotated[float, "Seconds until an incomplete window goes out."] = 1.0,
        queue: OfQueue = None,
    ) -> int:
        """Shuffle queues: wait until that many messages are ready, and send those out of order."""
        rule = Order("reorder", Selector(queue=queue), window, random.Random(seed), patience)
        return self._rule(lambda server: server.tampering.add(rule))

    @_fault
    def miss_heartbeats(self, connection: OfConnection = None) -> int:
        """Send no more heartbeats, on connections that are there and that come."""
        rule = Silence("miss_heartbeats", Selector(connection))

        def act(server: Server) -> None:
            server.tampering.add(rule)
            for one in _connections(server, rule.select):
                one.beating = False

        return self._rule(act)

    @_fault
    def clear(self) -> int:
        """End every fault: stalled connections go on, and what was held is delivered."""

        def act(server: Server) -> None:
            server.refusals = 0
            server.away_until = 0.0
            server.tampering.clear()
            for connection in list(server.connections):
                connection.beating = True
                connection.stall(False)
            _unblock(server)

        return self._rule(act)

    def active(self) -> list[str]:
        """What is in force or waits for its moment, a line each."""
        return list(self._call(_described))

    def apply(self, name: str, /, **arguments: Any) -> int:
        """Cause a fault by its name; strings stand for numbers too. Raises CbsimError."""
        if name not in FAULTS:
            raise CbsimError(f"fault {name!r}: expected one of {', '.join(FAULTS)}")
        return int(getattr(self, name)(**arguments))

    # How they take effect.

    def _rule(self, act: Callable[[Server], None]) -> int:
        self._call(act)
        return 0

    def _on_connections(
        self, what: str, select: Selector, moment: _Moment, act: Callable[[Connection], None]
    ) -> int:
        def now(server: Server) -> list[Callable[[], None]]:
            return [partial(act, one) for one in _connections(server, select)]

        def later(channel: Channel, _: Consumer | None) -> None:
            act(channel.connection)

        return self._act(what, select, moment, now, later, "connection")

    def _act(
        self,
        what: str,
        select: Selector,
        moment: _Moment,
        now: Callable[[Server], list[Callable[[], None]]],
        later: Callable[[Channel, Consumer | None], None],
        kind: str,
    ) -> int:
        def act(server: Server) -> int:
            if moment.after > 0:
                server.tampering.add(Trigger(what, select, moment.after, later, moment.counts))
                return 0
            found = now(server)
            if not found:
                named = f" with {select}" if str(select) else ""
                raise CbsimError(f"{what.split()[0]}: there is no {kind}{named}")
            for one in found:
                one()
            server.vhost.settle()
            return len(found)

        return int(self._call(act))


class _Moment(NamedTuple):
    """When a fault acts: at once, or after so many of what it counts."""

    after: int
    counts: Literal["messages", "deliveries", "acks"]


def _moment(
    after: int, acks: int, counts: Literal["messages", "deliveries"] = "messages"
) -> _Moment:
    if after and acks:
        raise CbsimError(f"after={after} and after_acks={acks}: expected one of them")
    return _Moment(acks, "acks") if acks else _Moment(after, counts)


def _connections(server: Server, select: Selector) -> list[Connection]:
    return [
        one
        for one in server.connections
        if one.user
        and select.takes_connection(one)
        and (
            not select.of_consumers
            or any(
                select.takes(consumer)
                for channel in one.channels.values()
                for consumer in channel.consumers.values()
            )
        )
    ]


def _consumers(server: Server, select: Selector) -> list[Consumer]:
    return [
        consumer
        for one in server.connections
        for channel in one.channels.values()
        for consumer in channel.consumers.values()
        if select.takes(consumer)
    ]


def _unblock(server: Server) -> None:
    server.block_reason = None
    server.calm()


def _described(server: Server) -> list[str]:
    lines = [" ".join(filter(None, (one.what, str(one.select)))) for one in server.tampering.rules]
    if server.away:
        lines.append("go_away")
    if server.refusals:
        lines.append("refuse_logins")
    if server.block_reason is not None:
        lines.append("block_publishers")
    lines += [f"stall connection={one.name}" for one in server.connections if one.stalled]
    return lines
