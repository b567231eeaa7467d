"""Faults on demand: what a broker does to its clients on a bad day, each at a moment of choice."""

from __future__ import annotations

import inspect
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType, NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from cbsim.bus.embedded.error import AmqpError
from cbsim.bus.embedded.tampering import Copies, Delay, Order, Selector, Silence, Trigger
from cbsim.errors import CbsimError

if TYPE_CHECKING:
    from cbsim.bus.embedded.channel import Channel, Consumer
    from cbsim.bus.embedded.connection import Connection
    from cbsim.bus.embedded.server import Server

__all__ = ["FAULTS", "Fault", "Faults", "Parameter"]

_T = TypeVar("_T")
How = Literal["close", "eof", "reset", "mid-frame"]
OfConnection = Annotated[
    str | None, "On connections with this name, or these addresses; a shell pattern."
]
OfQueue = Annotated[str | None, "On what comes from this queue; a shell pattern."]
OfConsumer = Annotated[str | None, "On what consumers with this tag get; a shell pattern."]
After = Annotated[
    int, "Not now, but once, right after that many more of its messages have gone through."
]
Spared = Annotated[int, "Leave that many deliveries alone first."]
Count = Annotated[int | None, "How many; every one when not given."]


class Faults:
    """The faults of one embedded broker; may be called from any thread.

    A method that acts at once returns on how many connections, channels or consumers it did, and
    raises CbsimError when there is none that it names; with `after`, and for faults that last, it
    returns 0. What lasts does until `clear`. Of messages, `after` counts deliveries and, unless a
    queue or consumer is named, what is published.
    """

    def __init__(self, call: Callable[[Callable[[Server], Any]], Any]) -> None:
        self._call = call

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
    ) -> int:
        """Drop connections."""
        select = Selector(connection, queue, consumer)

        def act(dropped: Connection) -> None:
            dropped.drop(how)

        return self._on_connections(f"drop_connection how={how}", select, after, act)

    def stall(
        self,
        seconds: Annotated[float | None, "For that long; until `clear` when not given."] = None,
        connection: OfConnection = None,
        queue: OfQueue = None,
        consumer: OfConsumer = None,
        after: After = 0,
    ) -> int:
        """Neither read from connections nor write to them, not even heartbeats."""
        select = Selector(connection, queue, consumer)

        def act(stalled: Connection) -> None:
            stalled.stall(True)
            if seconds is not None:
                stalled.loop.call_later(seconds, stalled.stall, False)

        return self._on_connections("stall", select, after, act)

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

    def refuse_logins(
        self, count: Annotated[int | None, "That many; all when not given."] = None
    ) -> int:
        """Refuse logins as if the password were wrong."""

        def act(server: Server) -> None:
            server.refusals = math.inf if count is None else count

        return self._rule(act)

    def close_channel(
        self,
        code: Annotated[int, "The reply code."] = 406,
        text: Annotated[str, "The reply text, after the code's name."] = "closed by a fault",
        connection: OfConnection = None,
        queue: OfQueue = None,
        consumer: OfConsumer = None,
        after: After = 0,
    ) -> int:
        """Close channels with an error."""
        select = Selector(connection, queue, consumer)

        def act(channel: Channel) -> None:
            channel.fail(AmqpError(code, text))

        def now(server: Server) -> list[Callable[[], None]]:
            return [
                lambda channel=channel: act(channel)  # type: ignore[misc]
                for one in _connections(server, select)
                for channel in one.channels.values()
                if not channel.closing
                and (not select.of_consumers or any(map(select.takes, channel.consumers.values())))
            ]

        return self._act(
            f"close_channel code={code}",
            select,
            after,
            now,
            lambda channel, _: act(channel),
            "channel",
        )

    def cancel_consumer(
        self,
        connection: OfConnection = None,
        queue: OfQueue = None,
        consumer: OfConsumer = None,
        after: After = 0,
    ) -> int:
        """Cancel consumers, as when their queue goes; the queue stays, unless it is auto-delete."""
        select = Selector(connection, queue, consumer)

        def now(server: Server) -> list[Callable[[], None]]:
            return [one.cancelled_by_broker for one in _consumers(server, select)]

        def later(_: Channel, cancelled: Consumer | None) -> None:
            if cancelled is not None:
                cancelled.cancelled_by_broker()

        return self._act("cancel_consumer", select, after, now, later, "consumer")

    def block_publishers(
        self, reason: Annotated[str, "What they are told."] = "low on memory"
    ) -> int:
        """Block each connection that publishes, from its next message on."""

        def act(server: Server) -> None:
            server.block_reason = reason

        return self._rule(act)

    def unblock_publishers(self) -> int:
        """Let publishers go on."""
        return self._rule(_unblock)

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

    def reorder(
        self,
        window: Annotated[int, "How many messages are shuffled at a time."] = 2,
        seed: Annotated[int, "The same seed, the same order."] = 0,
        patience: Annotated[float, "Seconds until an incomplete window goes out."] = 1.0,
        queue: OfQueue = None,
    ) -> int:
        """Shuffle queues: wait until that many messages are ready, and send those out of order."""
        rule = Order("reorder", Selector(queue=queue), window, random.Random(seed), patience)
        return self._rule(lambda server: server.tampering.add(rule))

    def miss_heartbeats(self, connection: OfConnection = None) -> int:
        """Send no more heartbeats, on connections that are there and that come."""
        rule = Silence("miss_heartbeats", Selector(connection))

        def act(server: Server) -> None:
            server.tampering.add(rule)
            for one in _connections(server, rule.select):
                one.beating = False

        return self._rule(act)

    def clear(self) -> int:
        """End every fault: stalled connections go on, and what was held is delivered."""

        def act(server: Server) -> None:
            server.refusals = 0
            server.tampering.clear()
            for connection in list(server.connections):
                connection.beating = True
                connection.stall(False)
            _unblock(server)

        return self._rule(act)

    def active(self) -> list[str]:
        """What is in force or waits for its moment, a line each."""
        return list(self._call(_described))

    def apply(self, name: str, **arguments: Any) -> int:
        """Cause a fault by its name; strings stand for numbers too. Raises CbsimError."""
        fault = FAULTS.get(name)
        if fault is None:
            raise CbsimError(f"fault {name!r}: expected one of {', '.join(FAULTS)}")
        return int(getattr(self, name)(**fault.arguments(arguments)))

    # How they take effect.

    def _rule(self, act: Callable[[Server], None]) -> int:
        self._call(act)
        return 0

    def _on_connections(
        self, what: str, select: Selector, after: int, act: Callable[[Connection], None]
    ) -> int:
        def now(server: Server) -> list[Callable[[], None]]:
            return [
                lambda one=one: act(one)  # type: ignore[misc]
                for one in _connections(server, select)
            ]

        def later(channel: Channel, _: Consumer | None) -> None:
            act(channel.connection)

        return self._act(what, select, after, now, later, "connection")

    def _act(
        self,
        what: str,
        select: Selector,
        after: int,
        now: Callable[[Server], list[Callable[[], None]]],
        later: Callable[[Channel, Consumer | None], None],
        kind: str,
    ) -> int:
        def act(server: Server) -> int:
            if after > 0:
                server.tampering.add(Trigger(what, select, after, later))
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
    if server.refusals:
        lines.append("refuse_logins")
    if server.block_reason is not None:
        lines.append("block_publishers")
    lines += [f"stall connection={one.name}" for one in server.connections if one.stalled]
    return lines


# The faults as data, for whoever offers them: a command, an HTTP endpoint.


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a fault."""

    name: str
    type: type[str] | type[int] | type[float]
    doc: str
    default: Any
    required: bool
    optional: bool
    """Whether None is a value."""
    choices: tuple[str, ...] = ()

    def read(self, value: Any, fault: str) -> Any:
        """The value as the fault takes it; raises CbsimError."""
        if value is None and self.optional:
            return None
        try:
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise ValueError
            if self.type is str and not isinstance(value, str):
                raise ValueError
            made = self.type(value)
            if made != value and not isinstance(value, str):
                raise ValueError
        except (ValueError, OverflowError):
            wanted = {str: "a string", int: "a whole number", float: "a number"}[self.type]
            raise CbsimError(f"fault {fault}: {self.name} {value!r}: expected {wanted}") from None
        if self.choices and made not in self.choices:
            raise CbsimError(
                f"fault {fault}: {self.name} {value!r}: expected {', '.join(self.choices)}"
            )
        if not isinstance(made, str) and not 0 <= made < math.inf:
            raise CbsimError(f"fault {fault}: {self.name} {value!r}: expected 0 or more")
        return made


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault's name, what it does, and what it takes."""

    name: str
    doc: str
    parameters: Sequence[Parameter]

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as the method takes them; raises CbsimError."""
        known = {one.name: one for one in self.parameters}
        for name in given:
            if name not in known:
                takes = ", ".join(known) or "nothing"
                raise CbsimError(f"fault {self.name}: no parameter {name!r}; it takes {takes}")
        for one in self.parameters:
            if one.required and one.name not in given:
                raise CbsimError(f"fault {self.name}: {one.name} is missing: {one.doc}")
        return {name: known[name].read(value, self.name) for name, value in given.items()}


def _faults() -> Mapping[str, Fault]:
    methods = [
        method
        for name, method in vars(Faults).items()
        if not name.startswith("_") and name not in ("active", "apply")
    ]
    return MappingProxyType({one.__name__: _fault(one) for one in methods})


def _fault(method: Callable[..., int]) -> Fault:
    hints = get_type_hints(method, include_extras=True)
    parameters = []
    for name, parameter in inspect.signature(method).parameters.items():
        if name == "self":
            continue
        kind, doc = get_args(hints[name])
        choices: tuple[str, ...] = ()
        optional = get_origin(kind) in (Union, UnionType) and NoneType in get_args(kind)
        if optional:
            (kind,) = (one for one in get_args(kind) if one is not NoneType)
        if get_origin(kind) is Literal:
            choices, kind = get_args(kind), str
        required = parameter.default is inspect.Parameter.empty
        parameters.append(
            Parameter(
                name,
                kind,
                doc,
                None if required else parameter.default,
                required,
                optional,
                choices,
            )
        )
    return Fault(method.__name__, inspect.getdoc(method) or "", tuple(parameters))


FAULTS = _faults()
"""Each fault by its name, from the methods of `Faults`."""
