"""How an output is laid out: what makes the key of an item in it, and of a message that was sent.

One object does both, so that they cannot drift apart.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
import xxhash

from cbsim.checks.moment import NEVER, moment
from cbsim.checks.record import Record
from cbsim.checks.visible import Visible
from cbsim.errors import WireError
from cbsim.wire.clock import TICKS, exact_time
from cbsim.wire.message import Message

__all__ = ["UNKNOWN", "Expected", "Item", "Layout", "Mismatch", "Pair", "differing",
           "first_difference", "identity_key", "received_at", "shown_time"]  # fmt: skip

UNKNOWN = 0
"""In place of a key: there is nothing to know it by."""


class Item(NamedTuple):
    """One thing that a consumer put out."""

    key: int
    """Of all that makes it the same thing, but its time; UNKNOWN when it cannot be matched."""
    ticks: int = NEVER
    """Its time, a FILETIME, where the layout has one."""
    kind: int = 0
    """1 for a raw event, whose time may be written less exactly than that of others."""
    received: float = 0.0
    """Seconds since 1970; 0 where the output does not say."""
    fault: str | None = None
    """Why it cannot be matched."""


class Expected(NamedTuple):
    """An item that a message should become."""

    name: str
    key: int
    ticks: int = NEVER
    kind: int = 0


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Where an item differs from the message that it stands for."""

    field: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.field}: found {self.found}, expected {self.expected}"


class Pair(NamedTuple):
    """An item that differs from the message that it stands for."""

    record: Record
    item: Visible
    message: Message
    expected: Visible


class Layout(ABC):
    """What an output is known by."""

    timed = False
    """Whether times are compared, each at the precision that the output has."""
    identities: Sequence[str] = ()
    """What items are known by, where that is not their content."""

    def fitted(self, records: Iterable[Record], messages: Iterable[Message]) -> Layout:
        """The layout that fits an output best, by samples of both."""
        del records, messages
        return self

    @abstractmethod
    def items(self, record: Record) -> Iterator[Item]:
        """The items of a record: one, or one a document."""

    @abstractmethod
    def expected(self, message: Message) -> Iterator[Expected]:
        """The items that a message should become."""

    def otherwise(self, message: Message) -> Iterator[Expected]:
        """The same, as they may be written in another way; UNKNOWN where there is no other."""
        for expected in self.expected(message):
            yield expected._replace(key=UNKNOWN)

    def uncompared(self) -> Mapping[str, Sequence[str]]:
        """For a name, the identities that messages have and no item: they prove nothing."""
        return {}

    def compared(self, name: str) -> Sequence[str]:
        """Which identities of things of a name are compared, `name` and `timestamp` among them;
        none where all that they hold is.
        """
        del name
        return ()

    @abstractmethod
    def seen(self, record: Record) -> Iterator[Visible]:
        """What can be seen of each item of a record."""

    @abstractmethod
    def shown(self, message: Message) -> Iterator[Visible]:
        """What can be seen of each item that a message should become."""

    @abstractmethod
    def mismatches(self, pair: Pair) -> list[Mismatch]:
        """Where an item differs from a message."""

    def finish(self, tally: Mapping[str, int]) -> None:
        """Raise InputError when what `tally` counted shows that the layout is not the output's."""
        del tally

    def count(self) -> dict[str, int]:
        """What `finish` is to judge; counts of several processes are added up."""
        return {}


_hash = xxhash.xxh3_64_intdigest


def identity_key(visible: Visible, name: str, fields: Sequence[str]) -> int:
    """The key of some identities; UNKNOWN when there is none, or nothing but a name.

    `name` is what is compared of its name, empty for nothing. A time tells something too, and so
    does a name where nothing else is to be compared.
    """
    values = visible.values
    parts = [visible.subject if field == "subject" else values.get(field, "") for field in fields]
    if not any(parts) and visible.ticks == NEVER and (fields or not name):
        return UNKNOWN
    return _hash("\x1f".join([name, *parts]).encode("utf-8", "replace")) or 1


def received_at(value: object) -> float:
    """When an item was received, in seconds since 1970; 0 for no time."""
    if isinstance(value, float) and 0 < value < 1e11:
        return value
    ticks = moment(value)
    return 0.0 if ticks == NEVER else ticks / 10_000_000 - 11_644_473_600


def differing(
    fields: Sequence[str], item: Visible, expected: Visible, *, named: bool, timed: bool
) -> list[Mismatch]:
    """The identities in which an item differs from what was expected, and its time."""
    found = []
    if named and item.name not in (expected.name, expected.also):
        found.append(Mismatch("name", item.name or "nothing", expected.name))
    for field in fields:
        if field == "subject":
            ours, theirs = item.subject, expected.subject
            field = "guid" if expected.values.get("guid") else "md5"
        else:
            ours, theirs = (it.values.get(field, "") for it in (item, expected))
        if ours != theirs:
            found.append(Mismatch(field, *(repr(it) if it else "nothing" for it in (ours, theirs))))
    apart = abs(item.ticks - expected.ticks) > TICKS or NEVER in (item.ticks, expected.ticks)
    if timed and item.ticks != expected.ticks and (apart or not found):
        found.append(Mismatch("timestamp", *map(shown_time, (item.ticks, expected.ticks))))
    return found


def shown_time(ticks: int) -> str:
    """A FILETIME for a person, in ISO 8601 to the tick."""
    try:
        return "nothing" if ticks == NEVER else exact_time(ticks)
    except WireError:
        return f"FILETIME {ticks}"


def first_difference(found: Any, expected: Any, pointer: str = "") -> Mismatch | None:
    """The first place where two JSON values differ; None when they are the same."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for name in [*expected, *(name for name in found if name not in expected)]:
            at = f"{pointer}/{name}"
            if name not in found or name not in expected:
                return Mismatch(at, _text(found, name), _text(expected, name))
            if (inner := first_difference(found[name], expected[name], at)) is not None:
                return inner
        return None
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for number, pair in enumerate(zip(found, expected, strict=True)):
            if (inner := first_difference(*pair, f"{pointer}/{number}")) is not None:
                return inner
        return None
    if found == expected and type(found) is type(expected):
        return None
    return Mismatch(pointer or "/", *(orjson.dumps(it).decode()[:200] for it in (found, expected)))


def _text(fields: Mapping[str, Any], name: str) -> str:
    return orjson.dumps(fields[name]).decode()[:200] if name in fields else "nothing"
