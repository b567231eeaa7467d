"""How long the broker took to confirm messages, from when they were written."""

from __future__ import annotations

import threading
from collections import deque

from cbsim.scenario.lag import Lags

__all__ = ["ConfirmTimes"]


class ConfirmTimes:
    """Times of messages that go out and are settled in order; one thread tells of each.

    What was written together counts from then, and when its last message is settled.
    """

    def __init__(self) -> None:
        self._written: deque[tuple[int, int, float]] = deque()
        """How many messages go out together, how many there were with them, and when."""
        self._lock = threading.Lock()
        self._lags = Lags()

    def write(self, count: int, total: int, at: float) -> None:
        """So many messages went out, `total` with them, at a moment (monotonic)."""
        self._written.append((count, total, at))

    def settle(self, total: int, at: float) -> None:
        """So many messages in all are settled at a moment."""
        written = self._written
        with self._lock:
            while written and written[0][1] <= total:
                count, _, since = written.popleft()
                self._lags.count(at - since, count)

    def taken(self) -> Lags:
        """The times of what was settled since this was last called."""
        with self._lock:
            lags, self._lags = self._lags, Lags()
        return lags
