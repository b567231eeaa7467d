"""The publisher: messages go out in a stream, the broker's confirms come back in their own time."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Sequence

from cbsim.bus.bell import Bell
from cbsim.bus.confirm_times import ConfirmTimes
from cbsim.bus.connection import PLAIN, Patience, Tls, redacted
from cbsim.bus.link import Link, LinkLostError
from cbsim.bus.retry import Retry
from cbsim.bus.topology import STANDARD, Topology, declare
from cbsim.bus.unconfirmed import Unconfirmed, ranges
from cbsim.bus.witness import Witness
from cbsim.errors import BrokerError, CbsimError
from cbsim.wire.message import Message

__all__ = ["GIVE_UP_AFTER", "Publisher", "Topology", "declare"]

GIVE_UP_AFTER = 30.0
"""Seconds that an outage may last, unless something else is said."""

_BYTES = 32 << 20
"""How much may be unconfirmed at most, whatever the window: bundles are large."""
_BATCH = 500
"""Messages written at once: the broker need not wait for the last to start on the first."""
_DOZE = 0.01
"""Confirms come in by the dozen; read together, a hundred times a second, they cost little."""
_FEW = 100
"""With so few unconfirmed, someone who waits for them waits for the next."""
_TICK = 1.0
"""How often an idle connection is looked after, in seconds."""


class Publisher:
    """Publishes to a broker with confirms always on, at most `window` of them outstanding.

    `confirmed` counts what the broker has taken, `refused` what it would not take (a negative
    acknowledgement: a queue that is full and rejects, for one). A refusal ends nothing.

    The caller's own thread writes to the socket; a thread of the publisher's reads the confirms and
    keeps the connection. When that is lost, it is opened again for up to `patience` seconds, and
    every message that was not confirmed is published again, in order. A broker that is silent is
    taken for lost within that time (2 s at least; a `heartbeat` in the URL says otherwise), and one
    that takes no messages because it is short of memory or disk is waited for as long.

    `witness` is told what became of the messages, and of outages.

    Any thread may publish; messages go out in the order in which the calls were made.
    """

    def __init__(
        self,
        url: str,
        topology: Topology = STANDARD,
        tls: Tls = PLAIN,
        *,
        window: int = 4000,
        patience: float = GIVE_UP_AFTER,
        witness: Witness | None = None,
    ) -> None:
        self.confirmed = 0
        self.refused = 0
        self.republished = 0
        self.confirm_times = ConfirmTimes()
        self._url, self._topology, self._tls = url, topology, tls
        self._window, self._patience, self._witness = window, patience, witness
        self._unconfirmed = Unconfirmed()
        self._lock = threading.Lock()
        """Guards all of the state."""
        self._changed = threading.Condition(self._lock)
        """Told when something that is waited for has come true."""
        self._awaited: list[Callable[[], bool]] = []
        self._error: str | None = None
        self._closing = False
        self._written = self._settled = 0
        self._link: Link | None = Link(url, topology, tls, Patience(silence=patience))
        self._bell = Bell()
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
        now = time.monotonic()
        if link is None:
            unconfirmed.add(messages, sum(len(message.body) for message in messages))
            self.confirm_times.write(len(messages), unconfirmed.taken, now)
            return
        data = link.encode(messages)
        try:
            unconfirmed.add(messages, len(data))
            self._written = unconfirmed.taken
            self.confirm_times.write(len(messages), self._written, now)
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
        retry: Retry | None = None
        while (link := self._link) is not None:
            opened, before = time.monotonic(), self._settled
            try:
                self._attend(link)
                return
            except LinkLostError as error:
                lost = error
            with self._lock:
                self._link = None
            link.close(0.0)
            now = time.monotonic()
            # The clock runs on if this connection came to nothing: a broker that drops each one
            # at once is not tried for ever.
            if retry is None or self._settled > before or now - opened > self._patience:
                retry = Retry(link.heard if lost.silent else now, self._patience)
            else:
                self._pause(retry.delay())
            since = time.time() - (time.monotonic() - link.heard)
            try:
                again = self._reopened(retry, str(lost))
            finally:
                if self._witness is not None:
                    self._witness.outage(since, time.time(), str(lost))
            if again is not None:
                self._publish_again(again)

    def _reopened(self, retry: Retry, why: str) -> Link | None:
        """Another connection, None if the publisher is closed first; raises BrokerError."""
        cause = f"broker {redacted(self._url)}: the connection was lost: {why}"
        while not self._closing:
            if (left := retry.left) <= 0:
                raise BrokerError(cause)
            patience = Patience(self._patience, opening=left, again=True)
            try:
                return Link(self._url, self._topology, self._tls, patience)
            except BrokerError as error:
                cause = f"{error}, {self._patience:g} s after the connection was lost: {why}"
                self._pause(retry.delay())
        return None

    def _pause(self, seconds: float) -> None:
        """Wait so long, or until the publisher is closed."""
        with self._lock:
            self._changed.wait_for(lambda: self._closing, seconds)

    def _publish_again(self, link: Link) -> None:
        """Publish over another connection what was not confirmed, and what came meanwhile."""
        with self._lock:
            sequences, messages = self._unconfirmed.again()
            twice = [one for one in sequences if one < self._written]
            self.republished += len(twice)
            if self._witness is not None:
                for first, last in ranges(twice):
                    self._witness.republish(first, last)
            self._link, self._written = link, self._unconfirmed.taken
            link.write(link.encode(messages))

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
                poll.poll(min(_TICK, self._patience / 4) * 1000)
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
        self.confirm_times.settle(after, time.monotonic())
        if self._witness is not None:
            for end in (*refused, after):
                if first < end:
                    self._witness.confirm(first, end - 1)
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
