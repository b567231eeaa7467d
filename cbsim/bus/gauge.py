"""What queues hold, read again and again: from our own broker, by passive declares, or from
RabbitMQ's management API.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import pika
import pika.exceptions
from pika.adapters.blocking_connection import BlockingChannel

from cbsim.bus.connection import PLAIN, Tls, connect, redacted, sentence
from cbsim.bus.management import Management
from cbsim.bus.provider import Broker
from cbsim.bus.queue_state import QueueState, Reading
from cbsim.errors import BrokerError, InputError

__all__ = ["AUTO", "Gauge", "gauge_of"]

AUTO = "auto"
"""In place of a queue: every one that is bound to the exchanges, now or later."""
_REFRESH = 1.0
"""How often the management API is asked, in seconds; it counts no oftener itself."""


class Gauge(Protocol):
    """Reads queues; each one is used by one thread."""

    exact: bool
    """Whether it knows everything as it is at that moment."""

    def read(self) -> Mapping[str, Reading]:
        """What the queues hold that are there; raises BrokerError."""

    def close(self) -> None:
        """Give back what it holds."""


def gauge_of(
    broker: Broker, queues: Collection[str], exchanges: Sequence[str], management: str | None = None
) -> Gauge:
    """A gauge of these queues, or with AUTO among them of all that are bound to the exchanges.

    An embedded broker of our own is asked directly; any other by passive declares, and through the
    API at `management` if that is given or known. Raises InputError for AUTO where nobody tells
    what is bound.
    """
    if broker.bound is not None:
        return _Own(broker, queues, exchanges)
    at = management or broker.management
    if at is not None:
        told = Management(at, broker.url, broker.tls)
        return _Managed(told, _Declared(broker.url, broker.tls), queues, exchanges)
    if AUTO in queues:
        raise InputError(
            f"--watch {AUTO} with broker {redacted(broker.url)}: AMQP does not tell which queues "
            "are bound; give --management URL, or name the queues"
        )
    return _Named(_Declared(broker.url, broker.tls), queues)


class _Own:
    exact = True

    def __init__(self, broker: Broker, queues: Collection[str], exchanges: Sequence[str]) -> None:
        self._broker, self._queues, self._exchanges = broker, set(queues), exchanges

    def read(self) -> Mapping[str, Reading]:
        assert self._broker.bound is not None
        assert self._broker.readings is not None
        names = self._queues
        if AUTO in names:
            names = names | self._broker.bound(self._exchanges)
        found = self._broker.readings()
        return {name: reading for name, reading in found.items() if name in names}

    def close(self) -> None:
        """It holds nothing."""


class _Declared:
    """Asks by passive declares, over a connection that is opened again when it was lost."""

    def __init__(self, url: str, tls: Tls = PLAIN) -> None:
        self._url, self._tls = url, tls
        self._connection: pika.BlockingConnection | None = None
        self._channel: BlockingChannel | None = None

    def state(self, queue: str) -> QueueState | None:
        """What is ready in a queue, and its consumers; None if there is no such queue."""
        try:
            method = self._open().queue_declare(queue, passive=True).method
        except pika.exceptions.ChannelClosedByBroker as error:
            if error.reply_code == 404:
                return None
            if error.reply_code == 405:
                raise BrokerError(
                    f"queue {queue!r} is exclusive to another connection, and only the management "
                    "API tells of it: give --management URL"
                ) from None
            raise BrokerError(sentence(error, self._url)) from None
        except pika.exceptions.AMQPError as error:
            self.close()
            raise BrokerError(sentence(error, self._url)) from None
        return QueueState(method.message_count, 0, method.consumer_count)

    def close(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None and connection.is_open:
            with suppress(pika.exceptions.AMQPError):
                connection.close()

    def _open(self) -> BlockingChannel:
        if self._connection is None or not self._connection.is_open:
            self._connection, self._channel = connect(self._url, self._tls), None
        if self._channel is None or not self._channel.is_open:
            self._channel = self._connection.channel()
        return self._channel


class _Named:
    exact = False

    def __init__(self, declared: _Declared, queues: Collection[str]) -> None:
        self._declared, self._queues = declared, queues
        self.close = declared.close

    def read(self) -> Mapping[str, Reading]:
        states = ((name, self._declared.state(name)) for name in self._queues)
        return {name: Reading(state) for name, state in states if state is not None}


class _Managed:
    """What the API counted a while ago, with what a passive declare says now."""

    exact = False

    def __init__(
        self,
        management: Management,
        declared: _Declared,
        queues: Collection[str],
        exchanges: Sequence[str],
    ) -> None:
        self._management, self._declared = management, declared
        self._queues, self._exchanges = queues, exchanges
        self._counted: dict[str, Reading] = {}
        self._asked = float("-inf")
        self._exclusive: set[str] = set()
        """Queues that are not ours to declare."""
        self.close = declared.close

    def read(self) -> Mapping[str, Reading]:
        now = time.monotonic()
        if now - self._asked >= _REFRESH:
            self._asked, self._counted = now, self._count()
        found = {}
        for name, counted in self._counted.items():
            if (state := self._now(name, counted.state)) is not None:
                found[name] = counted._replace(state=state)
        return found

    def _now(self, name: str, counted: QueueState) -> QueueState | None:
        if name in self._exclusive:
            return counted
        try:
            state = self._declared.state(name)
        except BrokerError:
            self._exclusive.add(name)
            return counted
        return state and state._replace(unacked=counted.unacked)

    def _count(self) -> dict[str, Reading]:
        names = set(self._queues) - {AUTO}
        if AUTO in self._queues:
            names |= self._management.bound(self._exchanges)
        readings = ((name, self._management.read(name)) for name in sorted(names))
        return {name: reading for name, reading in readings if reading is not None}
