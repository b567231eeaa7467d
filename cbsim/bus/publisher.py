"""The publisher: messages go out in a stream, the broker's confirms come back in their own time."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from cbsim.bus.connection import PLAIN, Tls, redacted
from cbsim.bus.link import Link, LinkLostError
from cbsim.bus.topology import STANDARD, Topology, declare
from cbsim.bus.unconfirmed import Unconfirmed
from cbsim.errors import BrokerError, CbsimError
from cbsim.wire.message import Message

__all__ = ["Publisher", "Topology", "declare"]

_BYTES = 32 << 20
"""How much may be unconfirmed at most, whatever the window: bundles are large."""
_BATCH = 500
"""Messages written at once: the broker need not wait for the last to start on the first."""
_DOZE = 0.01
"""Confirms come in by the dozen; read together, a hundred times a second, they cost little."""
_FEW = 100
"""With so few unconfirmed, someone who waits for them waits for the next."""
_RETRY = 0.2
"""Between attempts to connect, in seconds."""
_TICK = 1.0
"""How often an idle connection is looked after, in seconds."""


class Publisher:
    """Publishes to a broker with confirms always on, at most `window` of them outstanding.

    `confirmed` counts what the broker has taken, `refused` what it would not take (a negative
    acknowledgement: a queue that is full and rejects, for one). A refusal ends nothing.

    The caller's own thread writes to the socket; a thread of the publisher's reads the confirms and
    keeps the connection. When that is lost, it is opened again for up to `patience` seconds, and
    every message that was not confirmed is published again, in order. A broker that takes no
    messages because it is short of memory or disk is waited for as long.

    `on_confirmed` is called in the publisher's thread with the first and the last sequence number
    (0 for the first message) of a range that the broker has confirmed: each message once, in the
    order of publishing, and before `confirmed` counts it. It must not call the publisher. What was
    refused is in no range.

    Any thread may publish; messages go out in the order in which the calls were made.
    """

    def __init__(
        self,
        url: str,
        topology: Topology = STANDARD,
        tls: Tls = PLAIN,
        *,
        window: int = 4000,
        patience: float = 30.0,
        on_confirmed: Callable[[int, int], None] | None = None,
    ) -> None:
        self.confirmed = 0
        self.refused = 0
        self.republished = 0
        self._url, self._topology, self._tls = url, topology, tls
        self._window, self._patience, self._on_confirmed = window, patience, on_confirmed
        self._unconfirmed = Unconfirmed()
        self._lock = threading.Lock()
        """Guards all of the state."""
        self._changed = threading.Condition(self._lock)
        """Told when something that is waited for has come true."""
        self._awaited: list[Callable[[], bool]] = []
        self._error: str | None = None
        self._closing = False
        self._written = self._settled = 0
        self._link: Link | None = Link(url, topology, tls)
        self._bell = _Bell()
        self._thread = threading.Thread(target=self._run, name="cbsim-publisher", daemon=True)
        self._thread.start()

    def publish(self, message: Message) -> None:
        """Publish one message; waits while the window is full. Raises BrokerError, WireError."""
        self.publish_many((message,))

    def publish_many(self, messages: Sequence[Message]) -> None:
        """Publish several, in order, in few writes; waits while the window is full.

        Raises BrokerError, and WireError for a message that AMQP cannot carry: those before it may
        have gone out then.
        """
        at, unconfirmed = 0, self._unconfirmed
        with self._lock:
            while at < len(messages):
                self._check()
                room = min(self._window - len(unconfirmed), _BATCH)
                if room <= 0 or unconfirmed.size >= _BYTES:
                    self._wait_for(self._has_room)
                    continue
                self._take(messages[at : at + room])
                at += room

    def flush(self) -> None:
        """Wait until the broker has confirmed or refused everything; raises BrokerError."""
        with self._lock:
            target = self._unconfirmed.taken
            if self._settled < target:
                self._check()
                self._wait_for(lambda: self._settled >= target)
            self._check(closed=self._settled < target)

    def close(self) -> None:
        """Close the connection. What is not confirmed then is not known to have arrived."""
        with self._lock:
            self._closing = True
            self._changed.notify_all()
            self._bell.ring()
        self._thread.join(10.0)

    def _take(self, messages: Sequence[Message]) -> None:
        unconfirmed, link = self._unconfirmed, self._link
        if link is None:
            unconfirmed.add(messages, sum(len(message.body) for message in messages))
            return
        data = link.encode(messages)
        try:
            unconfirmed.add(messages, len(data))
            self._written = unconfirmed.taken
            link.write(data)
            if link.backlogged:
                self._bell.ring()
        except BaseException:
            # A KeyboardInterrupt may leave half a frame. Another connection starts afresh.
            link.abandon("interrupted")
            self._bell.ring()
            raise

    def _check(self, *, closed: bool = True) -> None:
        if self._error is None and self._closing and closed:
            raise BrokerError(f"broker {redacted(self._url)}: the publisher is closed")
        if self._error is not None:
            raise BrokerError(self._error)

    def _has_room(self) -> bool:
        # A quarter at a time: one by one, each confirm would wake the caller for one message.
        few = len(self._unconfirmed) <= self._window * 3 // 4
        return few and self._unconfirmed.size <= _BYTES * 3 // 4

    def _wait_for(self, reached: Callable[[], bool]) -> None:
        """Wait, the lock being held, until that is so or the publisher has ended."""
        self._awaited.append(reached)
        self._bell.ring()
        try:
            while not (reached() or self._error is not None or self._closing):
                self._changed.wait()
        finally:
            self._awaited.remove(reached)

    # Everything below runs in the thread.

    def _run(self) -> None:
        error: str | None = None
        try:
            self._serve()
        except CbsimError as known:
            error = str(known)
        except Exception as unknown:  # a thread that died in silence would leave its users waiting
            error = f"broker {redacted(self._url)}: the publisher failed: {unknown!r}"
        with self._lock:
            link, self._link = self._link, None
            self._error = error
            self._bell.close()
            self._changed.notify_all()
        if link is not None:
            link.close(0.0 if error else 2.0)

    def _serve(self) -> None:
        """Attend to one connection after another; raises CbsimError when there is no going on."""
        lost_at = 0.0
        while (link := self._link) is not None:
            opened, before = time.monotonic(), self._settled
            try:
                self._attend(link)
                return
            except LinkLostError as error:
                why = str(error)
            with self._lock:
                self._link = None
            link.close(0.0)
            now = time.monotonic()
            # The clock runs on if this connection came to nothing: a broker that drops each one
            # at once is not tried for ever.
            if not lost_at or self._settled > before or now - opened > self._patience:
                lost_at = now
            else:
                time.sleep(_RETRY)
            self._reopen(lost_at + self._patience, why)

    def _reopen(self, until: float, why: str) -> None:
        """Connect again and publish what is unconfirmed, unless the publisher is closed."""
        shown = redacted(self._url)
        cause = f"broker {shown}: the connection was lost: {why}"
        while time.monotonic() < until:
            if self._closing:
                return
            try:
                link = Link(self._url, self._topology, self._tls)
            except BrokerError as error:
                cause = str(error)
                time.sleep(_RETRY)
                continue
            with self._lock:
                self._link = link
                sequences, messages = self._unconfirmed.again()
                self.republished += sum(one < self._written for one in sequences)
                self._written = self._unconfirmed.taken
                link.write(link.encode(messages))
            return
        raise BrokerError(cause)

    def _attend(self, link: Link) -> None:
        """Read confirms and keep the connection alive, until the publisher is closed."""
        poll, bell = select.poll(), self._bell
        poll.register(bell, select.POLLIN)
        poll.register(link, select.POLLIN)
        watching, busy = select.POLLIN, False
        while not self._closing:
            if busy:
                bell.rung(_DOZE)
            else:
                wanted = select.POLLIN | (select.POLLOUT if link.backlogged else 0)
                if wanted != watching:
                    poll.modify(link, wanted)
                    watching = wanted
                poll.poll(_TICK * 1000)
            with self._lock:
                bell.hush()
                if link.backlogged:
                    link.resume()
                confirms = link.receive()
                grown = self._unconfirmed.settle(confirms) if confirms else False
            if grown:
                self._tell()
            with self._lock:
                now = time.monotonic()
                link.tend(now)
                self._mind_block(link, now)
            # More is on its way then. Someone who waits for the last few is served at once.
            urgent = self._awaited and len(self._unconfirmed) <= _FEW
            busy = bool(confirms) and not urgent and not link.backlogged

    def _tell(self) -> None:
        """Pass on that more is settled."""
        first, after = self._settled, self._unconfirmed.settled
        refused = self._unconfirmed.refused()
        taken = after - first - len(refused)
        if self._on_confirmed is not None:
            for end in (*refused, after):
                if first < end:
                    self._on_confirmed(first, end - 1)
                first = end + 1
        with self._lock:
            self._settled = after
            self.confirmed += taken
            self.refused += len(refused)
            if any(reached() for reached in self._awaited):
                self._changed.notify_all()

    def _mind_block(self, link: Link, now: float) -> None:
        if link.blocked_at is not None and now - link.blocked_at > self._patience:
            raise BrokerError(
                f"broker {redacted(self._url)}: took no messages for {self._patience:g} s, "
                f"because of {link.blocked_for}"
            )


class _Bell:
    """Wakes a thread that polls; rung and hushed with the publisher's lock held."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._poll = select.poll()
        self._poll.register(self._read, select.POLLIN)
        self._open, self._ringing = True, False

    def fileno(self) -> int:
        return self._read

    def ring(self) -> None:
        if self._open and not self._ringing:
            self._ringing = True
            os.write(self._write, b"!")

    def hush(self) -> None:
        if self._ringing:
            self._ringing = False
            with suppress(BlockingIOError):
                os.read(self._read, 4096)

    def rung(self, patience: float) -> None:
        """Wait for it, that many seconds."""
        self._poll.poll(patience * 1000)

    def close(self) -> None:
        self._open = False
        os.close(self._read)
        os.close(self._write)
