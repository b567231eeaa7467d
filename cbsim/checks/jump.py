"""Jumps of the clock during a run: what was published before one and received after it seems late.

A clock is put right by hand or by NTP, or a machine sleeps. How long messages took cannot be told
then unless the consumer's clock jumped with it, so a ledger notes it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cbsim.checks.ledger import Ledger

__all__ = ["SCHEMA", "Clock", "Jump", "jumps"]

SCHEMA = "create table jump (expected real not null, found real not null);"
"""What the clock should have shown, and what it did, in seconds since 1970."""

_LEAST = 1.0
"""Seconds; NTP puts a clock right by so much in half an hour without a jump."""
_SAME = 60.0
"""Seconds within which several workers note the same jump."""


@dataclass(frozen=True, slots=True)
class Jump:
    """The clock was put forward or back. Both are seconds since 1970."""

    expected: float
    found: float

    @property
    def seconds(self) -> float:
        """By how much; below 0 for back."""
        return self.found - self.expected


class Clock:
    """The system's clock, watched."""

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()

    def read(self) -> tuple[float, Jump | None]:
        """Seconds since 1970, and the jump since it was read before, if there was one."""
        steady, now = time.monotonic(), time.time()
        expected, self._ahead = self._ahead + steady, now - steady
        return now, Jump(expected, now) if abs(now - expected) >= _LEAST else None


def jumps(ledger: Ledger) -> tuple[Jump, ...]:
    """Those that a ledger knows of, in order; what several workers saw at once is one."""
    found: list[Jump] = []
    for row in ledger.rows("select expected, found from jump order by rowid", (float, float)):
        jump = Jump(*row)
        if not any(abs(jump.expected - other.expected) < _SAME
                   and abs(jump.seconds - other.seconds) < _LEAST for other in found):  # fmt: skip
            found.append(jump)
    return tuple(found)
