"""Times as consumers write them, and how exactly: to the second, the millisecond, or not at all."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from cbsim.wire.clock import TICKS, filetime

if TYPE_CHECKING:
    from numpy import int64
    from numpy.typing import NDArray

__all__ = ["CLOCKS", "NEVER", "Clock", "moment"]

NEVER = -1
"""In place of a FILETIME: there is none, or it is no time."""
_UNIX = 11_644_473_600 * TICKS
_NOISE = 3
"""Ticks by which a float's seconds since 1970 may be off."""
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d+))? ?(Z|UTC|[+-]\d\d:?\d\d)?")
_LONGEST = 64
"""Characters of a number that may be a time."""
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?")


def moment(value: object) -> int:
    """The FILETIME of what a consumer wrote; NEVER for what is no time.

    Numbers, also in text, are seconds, milliseconds, microseconds or nanoseconds since 1970, or a
    FILETIME, by their size. Text is ISO 8601, in UTC where it does not say.

    >>> moment(1704067200.12) == moment("2024-01-01T00:00:00.12Z") == moment(1704067200120)
    True
    """
    if isinstance(value, str):
        match = _ISO.fullmatch(value)
        if match is not None:
            return _of_iso(match)
        if len(value) > _LONGEST or not _NUMBER.fullmatch(value):
            return NEVER
        value = float(value) if {*value} & {*".eE"} else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e19:
        return NEVER
    if value < 1e11:
        ticks, micros = round(value * TICKS), round(value * 1_000_000) * 10
        # A float of that size cannot tell them apart.
        return (micros if abs(ticks - micros) < _NOISE else ticks) + _UNIX
    if value < 1e14:
        return round(value * 10_000) + _UNIX
    if value < 1e16:
        return round(value * 10) + _UNIX
    return int(value) if value < 1e18 else round(value / 100) + _UNIX


def _of_iso(match: re.Match[str]) -> int:
    day, clock, fraction, zone = match.groups()
    offset = "+00:00" if zone in (None, "Z", "UTC") else zone
    try:
        whole = filetime(datetime.fromisoformat(f"{day}T{clock}{offset}").astimezone(UTC))
    except (ValueError, OverflowError):
        return NEVER
    return whole + int((fraction or "0")[:7].ljust(7, "0"))


class Clock(NamedTuple):
    """How exactly an output has its times."""

    decimals: int
    """Of a second: 7 is a FILETIME's own."""
    rounded: bool
    """Rounded, not cut; with all decimals, as a float has them, whose last ones are noise."""

    @property
    def _unit(self) -> int:
        return 1 << _FLOAT if self == _FLOATING else int(10 ** (7 - self.decimals))

    def of_message(self, ticks: NDArray[int64], *, down: bool = False) -> NDArray[int64]:
        """Where the clock stands at some FILETIMEs; `down` rounds what is half down, not up.

        A float's clock has its borders elsewhere then: no noise crosses both.
        """
        half = self._unit // 2 if self.rounded else 0
        if down:
            half = 0 if self == _FLOATING else half - 1
        return (ticks + half) // self._unit

    def of_item(self, ticks: NDArray[int64], *, down: bool = False) -> NDArray[int64]:
        """The same of times that an output has; below 0 for what this clock cannot show."""
        if self == _FLOATING:
            return self.of_message(ticks, down=down)
        stand = (ticks + self._unit // 2) // self._unit
        off = abs(ticks - stand * self._unit)
        stand[off > _NOISE] = NEVER
        return stand

    def __str__(self) -> str:
        if self.decimals == 7:
            return "the digits of a float" if self.rounded else "exact"
        unit = {0: "seconds", 3: "milliseconds", 6: "microseconds"}.get(
            self.decimals, f"{self.decimals} decimals of a second"
        )
        return f"{unit}, {'rounded' if self.rounded else 'cut'}"


_FLOATING = Clock(7, True)
_FLOAT = 6
"""Bits of a FILETIME that may be noise where it was made a float."""
CLOCKS = (
    Clock(7, False), *(Clock(*it) for it in product(range(6, -1, -1), (False, True))), _FLOATING,
)  # fmt: skip
"""The clocks that an output may have, the finest first, and a float's last."""
