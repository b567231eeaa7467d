"""Times as the bus writes them: FILETIME, seconds since 1970, ISO 8601, and a person's form."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cbsim.errors import WireError
from cbsim.printable import printable

__all__ = [
    "TICKS",
    "display_time",
    "epoch_seconds",
    "exact_time",
    "filetime",
    "from_epoch_seconds",
    "from_filetime",
    "iso_and_trimmed",
    "iso_bytes",
    "iso_time",
    "micros_bytes",
    "milliseconds",
    "parse_display_time",
    "parse_iso_time",
    "seconds_bytes",
    "trimmed_bytes",
]

TICKS = 10_000_000
"""FILETIME ticks a second: 100 ns each."""

_UNIX = 11_644_473_600 * TICKS
_LATEST = 253_402_300_800
"""Seconds since 1970: the year 10000."""
_ORIGIN = datetime(1601, 1, 1, tzinfo=UTC)
_ISO = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,7}))?Z")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def filetime(moment: datetime) -> int:
    """The FILETIME of an aware datetime: ticks since 1601-01-01 UTC."""
    return (moment - _ORIGIN) // timedelta(microseconds=1) * 10


def from_filetime(ticks: int) -> datetime:
    """The datetime (UTC) of a FILETIME, to the microsecond; raises WireError past year 9999."""
    try:
        return _ORIGIN + timedelta(microseconds=ticks // 10)
    except OverflowError:
        raise WireError(f"FILETIME {ticks} is past the year 9999") from None


def epoch_seconds(ticks: int) -> float:
    """Seconds since 1970 with milliseconds, as `event_timestamp` has them."""
    return (ticks - _UNIX) // 10_000 / 1000


def milliseconds(ticks: int) -> int:
    """Whole milliseconds since 1970, as segments are named from 6.x on."""
    return (ticks - _UNIX) // 10_000


def from_epoch_seconds(seconds: float) -> int:
    """The FILETIME of seconds since 1970, to the millisecond; raises WireError past year 9999."""
    if not abs(seconds) < _LATEST:
        raise WireError(f"{seconds!r} is no time: expected seconds since 1970")
    return round(seconds * 1000) * 10_000 + _UNIX


def iso_time(ticks: int) -> str:
    """ISO 8601 with milliseconds: `2014-08-08T15:15:42.193Z`."""
    return iso_bytes(ticks).decode()


def exact_time(ticks: int) -> str:
    """ISO 8601 to the tick, which `parse_iso_time` reads: `2014-08-08T15:15:42.1934567Z`."""
    return f"{from_filetime(ticks):%Y-%m-%dT%H:%M:%S}.{ticks % TICKS:07d}Z"


def iso_bytes(ticks: int) -> bytes:
    """The same in ASCII."""
    return _to_the_second(ticks // TICKS) + _MILLISECONDS[ticks // 10_000 % 1000]


def trimmed_bytes(ticks: int) -> bytes:
    """The same without the zeros at its end: `2015-10-06T15:52:07.1Z`, in ASCII."""
    return iso_and_trimmed(ticks)[1]


def iso_and_trimmed(ticks: int) -> tuple[bytes, bytes]:
    """Both of these at once."""
    whole, fraction = _to_the_second(ticks // TICKS), ticks // 10_000 % 1000
    return whole + _MILLISECONDS[fraction], whole + _TRIMMED[fraction]


def micros_bytes(ticks: int) -> bytes:
    """ISO 8601 with microseconds: `2015-11-12T20:00:04.240317Z`, in ASCII."""
    return b"%b.%06dZ" % (_to_the_second(ticks // TICKS), ticks // 10 % 1_000_000)


def seconds_bytes(ticks: int) -> bytes:
    """ISO 8601 without a fraction: `2010-11-21T00:37:00Z`, in ASCII."""
    return _to_the_second(ticks // TICKS) + b"Z"


_MILLISECONDS = [b".%03dZ" % number for number in range(1000)]
_TRIMMED = [(b".%03d" % number).rstrip(b"0").rstrip(b".") + b"Z" for number in range(1000)]


@lru_cache(maxsize=256)
def _to_the_second(seconds: int) -> bytes:
    return f"{from_filetime(seconds * TICKS):%Y-%m-%dT%H:%M:%S}".encode()


def parse_iso_time(text: str) -> int:
    """The FILETIME of an ISO 8601 time with up to seven decimals; raises WireError."""
    match = _ISO.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        moment = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
    except ValueError:
        raise WireError(
            f"{printable(text)!r} is no time: expected the form 2014-08-08T15:15:42.193Z"
        ) from None
    return filetime(moment) + int((match[2] or "0").ljust(7, "0"))


def display_time(ticks: int) -> str:
    """A time as one storage hit has it: `Aug 9, 2014 5:27:56 PM`."""
    at = from_filetime(ticks)
    half = "AM" if at.hour < 12 else "PM"
    month = _MONTHS[at.month - 1]
    return f"{month} {at.day}, {at.year} {at.hour % 12 or 12}:{at:%M:%S} {half}"


def parse_display_time(text: str) -> int:
    """The inverse of `display_time`, to the second; raises WireError."""
    match = re.fullmatch(r"(\w{3}) (\d+), (\d{4}) (\d+):(\d\d):(\d\d) ([AP])M", text)
    try:
        if match is None:
            raise ValueError
        day, year, hour, minute, second = (int(part) for part in match.groups()[1:6])
        hour = hour % 12 + (12 if match[7] == "P" else 0)
        month = _MONTHS.index(match[1]) + 1
        return filetime(datetime(year, month, day, hour, minute, second, tzinfo=UTC))
    except (ValueError, OverflowError):
        raise WireError(
            f"{printable(text)!r} is no time: expected the form Aug 9, 2014 5:27:56 PM"
        ) from None
