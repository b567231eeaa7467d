"""An open channel with confirms on: pika opens it, from then on its socket is ours.

pika takes a message at a time through a dozen calls, and a confirm through as many. For those two
we use the socket ourselves. What is left to pika is all that comes before (addresses, TLS, login,
what is negotiated, `confirm.select`), and the coding of rare frames. The one place that knows
pika's private names is `_take`.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

import pika
import pika.amqp_object
import pika.exceptions
import pika.frame
import pika.spec

from cbsim.bus.connection import DEFAULT, PLAIN, Patience, Tls, connect, redacted, sentence
from cbsim.bus.framing import HEARTBEAT, Confirm, Incoming, Outgoing, method
from cbsim.bus.topology import STANDARD, Topology, declare
from cbsim.errors import BrokerError
from cbsim.wire.message import EVENTS_EXCHANGE, RAW_EXCHANGE, Message

__all__ = ["Link", "LinkLostError"]

_RECEIVE = 65536
_FORCED = 320
"""`connection-forced`: an operator, or a broker that shuts down. Worth another try."""


class LinkLostError(Exception):
    """The connection is gone, for a reason that another one may not meet."""

    silent = False
    """Whether nothing was heard for too long, so that it may have been gone since."""


class Link:
    """Never blocks but to open and to close; not safe to use from two threads at once.

    Opening declares the topology. Raises BrokerError when that fails.
    """

    def __init__(
        self,
        url: str,
        topology: Topology = STANDARD,
        tls: Tls = PLAIN,
        patience: Patience = DEFAULT,
    ) -> None:
        self.blocked_at: float | None = None
        """When (monotonic) the broker said that it takes no more messages; None while it does."""
        self.blocked_for = ""
        self._url = url
        connection = connect(url, tls, patience)
        try:
            channel = connection.channel()
            declare(channel, topology, url)
            channel.confirm_delivery()
        except pika.exceptions.AMQPError as error:
            raise BrokerError(sentence(error, url)) from None
        except BaseException:
            if connection.is_open:
                connection.close()
            raise
        self._socket, rest, frame_max, self._interval = _take(connection)
        self._channel = channel.channel_number
        self._incoming = Incoming(self._channel, rest)
        renamed = {EVENTS_EXCHANGE: topology.events, RAW_EXCHANGE: topology.raw}
        self._outgoing = Outgoing(self._channel, frame_max, renamed, topology.persistent)
        self._backlog: deque[memoryview] = deque()
        self._ended: LinkLostError | BrokerError | None = None
        self.heard = self._said = time.monotonic()
        """When (monotonic) the broker last said anything."""
        self._receive_needs_writing = False

    def fileno(self) -> int:
        """Of the socket, for a poll."""
        return self._socket.fileno()

    @property
    def backlogged(self) -> bool:
        """Whether the socket took less than was written, so that `resume` is due once it can."""
        return bool(self._backlog) or self._receive_needs_writing

    def encode(self, messages: Sequence[Message]) -> bytes:
        """What to `write` to publish these messages; raises WireError."""
        return self._outgoing.encode(messages)

    def write(self, data: bytes) -> None:
        """Send, now as much as the socket takes; the rest stays for `resume`."""
        if self._ended is not None:
            return
        self._said = time.monotonic()
        self._backlog.append(memoryview(data))
        if len(self._backlog) == 1:
            self.resume()

    def resume(self) -> None:
        """Send what is left over; nothing once the connection is given up."""
        if self._ended is not None:
            # An interrupt may have kept from us how much of it the kernel has taken.
            return
        backlog = self._backlog
        try:
            while backlog:
                sent = self._socket.send(backlog[0])
                if sent == len(backlog[0]):
                    backlog.popleft()
                else:
                    backlog[0] = backlog[0][sent:]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        except OSError as error:
            self.abandon(error)

    def receive(self) -> list[Confirm]:
        """The confirms and refusals that have come. What ends the link is for `tend` to raise."""
        confirms: list[Confirm] = []
        while data := self._read():
            self.heard = time.monotonic()
            try:
                some, others = self._incoming.feed(data)
            except pika.exceptions.AMQPError as error:
                self.abandon(f"it sent what is not AMQP: {error}")
                break
            confirms += some
            for frame in others:
                if isinstance(frame, pika.frame.Method):
                    self._hear(frame.method)
            # TLS may hold back more than it was asked for, and a poll would not tell.
            if len(data) < _RECEIVE and not isinstance(self._socket, ssl.SSLSocket):
                break
        return confirms

    def tend(self, now: float) -> None:
        """Keep the connection alive; to be called a few times a heartbeat.

        Raises LinkLostError, or BrokerError if the broker refused what we sent.
        """
        if self._ended is not None:
            raise self._ended
        if not self._interval:
            return
        if now - self.heard > 2 * self._interval:
            lost = LinkLostError(f"it was silent for {2 * self._interval} s")
            lost.silent = True
            raise lost
        if now - self._said > self._interval / 2:
            self.write(HEARTBEAT)

    def abandon(self, why: object) -> None:
        """Give the connection up: the next `tend` raises LinkLostError."""
        self._ended = self._ended or LinkLostError(why)

    def close(self, patience: float = 2.0) -> None:
        """Say goodbye, wait that long for the answer, and close the socket."""
        with suppress(OSError):
            if self._ended is None and not self._backlog and patience:
                until = time.monotonic() + patience
                self._socket.settimeout(patience)
                self._socket.sendall(method(0, pika.spec.Connection.Close(200, "", 0, 0)))
                while time.monotonic() < until:
                    data = self._socket.recv(_RECEIVE)
                    _, others = self._incoming.feed(data)
                    if not data or any(_is(one, pika.spec.Connection.CloseOk) for one in others):
                        break
        with suppress(OSError):
            self._socket.close()

    def _read(self) -> bytes:
        self._receive_needs_writing = False
        try:
            data = self._socket.recv(_RECEIVE)
        except (BlockingIOError, ssl.SSLWantReadError):
            return b""
        except ssl.SSLWantWriteError:
            self._receive_needs_writing = True
            return b""
        except OSError as error:
            self.abandon(error)
            return b""
        if not data:
            self.abandon("it closed the connection")
        return data

    def _hear(self, said: pika.amqp_object.Method) -> None:
        if isinstance(said, pika.spec.Channel.Close):
            self._refused(f"{said.reply_code} {said.reply_text}")
        elif isinstance(said, pika.spec.Connection.Close):
            why = f"{said.reply_code} {said.reply_text}"
            if said.reply_code == _FORCED:
                self.abandon(f"it closed the connection: {why}")
            else:
                self._refused(why)
        elif isinstance(said, pika.spec.Connection.Blocked):
            self.blocked_at, self.blocked_for = time.monotonic(), str(said.reason)
        elif isinstance(said, pika.spec.Connection.Unblocked):
            self.blocked_at = None

    def _refused(self, why: str) -> None:
        self._ended = self._ended or BrokerError(f"broker {redacted(self._url)}: {why}")


def _is(frame: pika.frame.Frame, kind: type) -> bool:
    return isinstance(frame, pika.frame.Method) and isinstance(frame.method, kind)


def _take(connection: pika.BlockingConnection) -> tuple[socket.socket, bytes, int, int]:
    """From an idle connection: its socket, what it read ahead, frame size (bytes), heartbeat (s).

    pika's own loop is shut, without a word to the broker; the connection must not be used again.
    """
    implementation = connection._impl  # type: ignore[attr-defined]
    sock: socket.socket = implementation._transport._sock
    rest: bytes = implementation._frame_buffer
    implementation.ioloop.remove_handler(sock.fileno())
    implementation.ioloop.close()
    sock.setblocking(False)
    tuned = implementation.params
    return sock, rest, int(tuned.frame_max or 0), int(tuned.heartbeat or 0)
