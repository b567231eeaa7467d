"""The publisher: messages go out in a stream, the broker's confirms come back in their own time."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import pika
import pika.exceptions
from pika.adapters.blocking_connection import BlockingChannel
from pika.channel import Channel

from cbsim.bus.connection import PLAIN, Tls, connect, parameters, redacted, sentence
from cbsim.errors import BrokerError
from cbsim.wire.message import EVENTS_EXCHANGE, RAW_EXCHANGE, Message

__all__ = ["Publisher", "Topology", "declare"]

_BATCH = 200


@dataclass(frozen=True, slots=True)
class Topology:
    """The server's exchanges: a topic one for events, a fanout one for bundles."""

    events: str = EVENTS_EXCHANGE
    raw: str = RAW_EXCHANGE
    durable: bool = True
    passive: bool = False
    """Expect the exchanges to be there, and declare nothing."""


_STANDARD = Topology()


def declare(channel: BlockingChannel, topology: Topology, url: str) -> None:
    """Declare both exchanges; raises BrokerError when they are missing or differ."""
    for exchange, kind in ((topology.events, "topic"), (topology.raw, "fanout")):
        try:
            channel.exchange_declare(
                exchange, kind, durable=topology.durable, passive=topology.passive
            )
        except pika.exceptions.ChannelClosedByBroker as error:
            if error.reply_code == 404:
                why = f"exchange {exchange!r} is not there; without --passive it is declared"
            elif error.reply_code == 406:
                why = f"exchange {exchange!r} is there with other settings; try --passive"
            else:
                why = f"exchange {exchange!r} cannot be declared: {error.reply_text}"
            raise BrokerError(f"broker {redacted(url)}: {why}") from None


class Publisher:
    """Publishes to a broker with confirms always on, at most `window` of them outstanding.

    A thread owns the connection. When it is lost, it is opened again for up to `patience` seconds
    and every message that was not confirmed is published again, in order.
    """

    def __init__(
        self,
        url: str,
        topology: Topology = _STANDARD,
        tls: Tls = PLAIN,
        *,
        window: int = 4000,
        patience: float = 30.0,
    ) -> None:
        self.confirmed = 0
        self.republished = 0
        self._url, self._topology, self._parameters = url, topology, parameters(url, tls)
        self._window, self._patience = window, patience
        self._waiting: deque[Message] = deque()
        self._unconfirmed: OrderedDict[int, Message] = OrderedDict()
        self._changed = threading.Condition()
        self._taken = 0
        self._error: str | None = None
        self._closing = False
        self._scheduled = False
        self._connection: pika.SelectConnection | None = None
        self._channel: Channel | None = None
        self._tag = 0
        with_declared = connect(url, tls)
        try:
            declare(with_declared.channel(), topology, url)
        finally:
            if with_declared.is_open:
                with_declared.close()
        self._thread = threading.Thread(target=self._run, name="cbsim-publisher", daemon=True)
        self._thread.start()

    def publish(self, message: Message) -> None:
        """Hand over one message; waits while the window is full. Raises BrokerError."""
        if self._error is not None:
            raise BrokerError(self._error)
        self._waiting.append(message)
        self._taken += 1
        if not self._scheduled:
            self._schedule()
        if self._taken - self.confirmed >= self._window:
            with self._changed:
                while self._error is None and self._taken - self.confirmed >= self._window:
                    self._changed.wait(1.0)
            if self._error is not None:
                raise BrokerError(self._error)

    def publish_many(self, messages: Sequence[Message]) -> None:
        """Hand over several, in order; raises BrokerError."""
        for message in messages:
            self.publish(message)

    def flush(self) -> None:
        """Wait until the broker confirmed everything; raises BrokerError."""
        with self._changed:
            while self._error is None and self.confirmed < self._taken:
                self._changed.wait(1.0)
        if self._error is not None:
            raise BrokerError(self._error)

    def close(self) -> None:
        """Close the connection. What is not confirmed then is not known to have arrived."""
        self._closing = True
        connection = self._connection
        if connection is not None and self._thread.is_alive():
            # A loop that has ended has nothing left to shut.
            with suppress(Exception):
                connection.ioloop.add_callback_threadsafe(self._shut)
        self._thread.join(10.0)

    # Everything below runs in the thread.

    def _run(self) -> None:
        try:
            self._serve()
        except Exception as error:  # a thread that died in silence would leave its users waiting
            self._fail(f"broker {redacted(self._url)}: the publisher failed: {error!r}")

    def _serve(self) -> None:
        lost_at: float | None = None
        while not self._closing:
            self._failure: BaseException | None = None
            self._connection = pika.SelectConnection(
                self._parameters,
                on_open_callback=self._on_open,
                on_open_error_callback=self._on_open_error,
                on_close_callback=self._on_close,
            )
            self._connection.ioloop.start()
            self._connection.ioloop.close()
            if self._closing:
                break
            now = time.monotonic()
            if self._opened:
                lost_at = now
            lost_at = lost_at or now
            self._opened = False
            if now - lost_at > self._patience:
                cause = self._failure or ConnectionError("lost")
                self._fail(sentence(cause, self._url))
                break
            time.sleep(0.2)

    _opened = False
    _failure: BaseException | None = None

    def _on_open(self, connection: pika.SelectConnection) -> None:
        connection.channel(on_open_callback=self._on_channel)

    def _on_open_error(self, connection: pika.SelectConnection, error: BaseException) -> None:
        self._failure = error
        connection.ioloop.stop()

    def _on_close(self, connection: pika.SelectConnection, reason: BaseException) -> None:
        self._failure, self._channel = reason, None
        connection.ioloop.stop()

    def _on_channel(self, channel: Channel) -> None:
        self._channel, self._opened = channel, True
        channel.add_on_close_callback(self._on_channel_close)
        channel.confirm_delivery(self._on_confirm)
        again = list(self._unconfirmed.values())
        self._unconfirmed.clear()
        self._tag = 0
        self.republished += len(again)
        self._waiting.extendleft(reversed(again))
        self._scheduled = True
        self._drain()

    def _on_channel_close(self, channel: Channel, reason: BaseException) -> None:
        del channel
        self._channel = None
        if not self._closing and isinstance(reason, pika.exceptions.ChannelClosedByBroker):
            self._fail(f"broker {redacted(self._url)}: {reason.reply_code} {reason.reply_text}")
            self._shut()

    def _on_confirm(self, frame: pika.frame.Method) -> None:  # type: ignore[type-arg]
        method, unconfirmed = frame.method, self._unconfirmed
        if isinstance(method, pika.spec.Basic.Nack):
            self._fail(f"broker {redacted(self._url)}: refused a message (nack), its queue is full")
            return
        tag, count = method.delivery_tag, 0
        if method.multiple:
            while unconfirmed and next(iter(unconfirmed)) <= tag:
                unconfirmed.popitem(last=False)
                count += 1
        elif unconfirmed.pop(tag, None) is not None:
            count = 1
        with self._changed:
            self.confirmed += count
            self._changed.notify_all()

    def _schedule(self) -> None:
        connection = self._connection
        if connection is not None and self._channel is not None:
            self._scheduled = True
            # A loop that has just ended is followed by another, which drains when it opens.
            with suppress(Exception):
                connection.ioloop.add_callback_threadsafe(self._drain)

    def _drain(self) -> None:
        channel, waiting = self._channel, self._waiting
        if channel is None or not channel.is_open:
            self._scheduled = False
            return
        for _ in range(_BATCH):
            if not waiting:
                break
            message = waiting.popleft()
            self._tag += 1
            self._unconfirmed[self._tag] = message
            properties = pika.BasicProperties(
                content_type=message.content_type,
                headers=dict(message.headers) or None,
                delivery_mode=1,
            )
            exchange = message.exchange
            if exchange == EVENTS_EXCHANGE:
                exchange = self._topology.events
            elif exchange == RAW_EXCHANGE:
                exchange = self._topology.raw
            channel.basic_publish(exchange, message.routing_key, message.body, properties)
        self._scheduled = False
        if waiting:
            self._schedule()

    def _shut(self) -> None:
        if self._connection is not None and self._connection.is_open:
            self._connection.close()
        elif self._connection is not None:
            self._connection.ioloop.stop()

    def _fail(self, why: str) -> None:
        with self._changed:
            self._error = self._error or why
            self._changed.notify_all()
