"""Deliveries that a fault keeps back, and how they go on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from cbsim.bus.embedded.consumer import Consumer, Get
from cbsim.bus.embedded.message import Entry

__all__ = ["Held", "Pace"]

_PATIENCE = 0.02
"""Seconds that an ack may take until the next delivery goes out without it: a client may collect
several before it acknowledges them all.
"""


class Held:
    """Deliveries that wait, counted as sent, in order."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Consumer | Get, Entry]] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, taker: Consumer | Get, entry: Entry) -> None:
        """Keep one back."""
        taker.reserve()
        taker.held.append(entry)
        self._waiting.append((taker, entry))

    def release(self) -> None:
        """Send the oldest, unless it went back to its queue meanwhile."""
        taker, entry = self._waiting.popleft()
        if entry in taker.held:
            taker.held.remove(entry)
            taker.send(entry)

    def release_all(self) -> None:
        """Send all of them."""
        while self._waiting:
            self.release()


class Pace(Held):
    """Deliveries that go out one by one, so that clients are not ahead of what the broker knows."""

    def __init__(self, loop: asyncio.AbstractEventLoop, settle: Callable[[], None]) -> None:
        super().__init__()
        self._loop, self._settle = loop, settle
        self._timer: asyncio.TimerHandle | None = None
        """Runs while a delivery is out."""

    def add(self, taker: Consumer | Get, entry: Entry) -> None:
        """Keep one back, until the one before it is acknowledged."""
        super().add(taker, entry)
        if self._timer is None:
            self.go_on()

    def go_on(self) -> None:
        """What is out was acknowledged: send the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self:
            self.release()
            self._timer = self._loop.call_later(_PATIENCE, self._late)

    def _late(self) -> None:
        self.go_on()
        self._settle()
