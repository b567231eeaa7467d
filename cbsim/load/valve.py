"""A sink that can be shut during a run, and knows how much of the time it is waited for."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from cbsim.bus.sink import Relay, Sink
from cbsim.wire.message import Message

__all__ = ["Valve"]

_WINDOW = 1.0


class Valve(Relay):
    """Passes messages on until `shut` says that it is enough; that ends the run as Ctrl-C does."""

    def __init__(self, sink: Sink, shut: Callable[[Valve], bool]) -> None:
        super().__init__(sink)
        self._shut, self._before = shut, sink.confirmed
        self.closed = False
        """Whether it was shut."""
        self._waited = 0.0
        self._recent: deque[tuple[float, float]] = deque()
        """Moments of the last second, and how long the sink had taken by then."""

    @property
    def confirmed(self) -> int:
        """How many of its messages have arrived."""
        return super().confirmed - self._before

    @property
    def waiting(self) -> float:
        """The share of the time, lately, that went by until the sink took messages, 0 to 1."""
        if len(self._recent) < 2:
            return 0.0
        (since, waited), (until, more) = self._recent[0], self._recent[-1]
        return (more - waited) / (until - since)

    def publish_many(self, messages: Sequence[Message]) -> None:
        """Pass them on; raises KeyboardInterrupt once it is shut."""
        if self._shut(self):
            self.closed = True
            raise KeyboardInterrupt
        before = time.monotonic()
        super().publish_many(messages)
        now = time.monotonic()
        self._waited += now - before
        self._recent.append((now, self._waited))
        while len(self._recent) > 2 and self._recent[1][0] <= now - _WINDOW:
            self._recent.popleft()
