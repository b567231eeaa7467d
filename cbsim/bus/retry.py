"""How long a broker that went away is tried for, and how often."""

from __future__ import annotations

import random
import time

__all__ = ["Retry"]

_FIRST = 0.1
_LONGEST = 5.0


class Retry:
    """Attempts that come ever more slowly, and not all at once with those of others.

    `since` is when the outage began (monotonic), `patience` how many seconds it may last.
    """

    def __init__(self, since: float, patience: float) -> None:
        self._until = since + patience
        self._next = min(_FIRST, patience / 10)
        self._longest = min(_LONGEST, patience / 5)

    @property
    def left(self) -> float:
        """Seconds until the broker is given up; not above 0 when it is time."""
        return self._until - time.monotonic()

    def delay(self) -> float:
        """Seconds to wait before the next attempt."""
        now, self._next = self._next, min(2 * self._next, self._longest)
        return min(now * random.uniform(0.5, 1.0), max(0.0, self.left))
