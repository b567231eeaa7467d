"""Validates records: what each one is, and whether it is as its schema and the rules say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from google.protobuf.message import DecodeError

from cbsim.catalog import NOTIFICATIONS, RAW_EVENTS, Dialect, lookup, name_of, name_of_event
from cbsim.checks.line import Tapped, tapped
from cbsim.checks.raw_schema import EVENT
from cbsim.checks.record import Record, of_lines
from cbsim.checks.rules import broken
from cbsim.checks.sound import SoundEvent, carried_by
from cbsim.checks.validator import Problem, validator
from cbsim.checks.visible import event_name
from cbsim.errors import CatalogError, UnknownKeyError, WireError
from cbsim.wire.event import as_dict, decode
from cbsim.wire.message import JSON_TYPE, PROTOBUF_TYPE
from cbsim.wire.reading import events, forwarded, read
from cbsim.wire.sensor_events_pb2 import CbEventMsg

__all__ = ["Finding", "Group", "Tally", "Validation"]

_FORWARDED = ("type", "cb_server", "computer_name", "process_guid", "timestamp")
"""What the common forwarder writes, and a message of the bus does not have."""
_AROUND = frozenset({"header", "strings", "env"})
"""What a raw event has around what it carries."""
_GROUPS = 10_000
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem of a message, and where that message stands."""

    record: Record
    part: str
    """Which event of a bundle; empty when the record is the message."""
    name: str
    """The notification's or raw event's name; empty when it could not be told."""
    problem: Problem

    @property
    def where(self) -> str:
        """File, line and part, for a person."""
        return self.record.where + (f" ({self.part})" if self.part else "")

    @property
    def like(self) -> tuple[str, ...]:
        """What findings have in common that are alike."""
        problem = self.problem
        place = re.sub(r"/\d+(?=/|$)", "/*", problem.pointer)
        return self.name, place, problem.rule, problem.expected if problem.rule else ""


@dataclass(slots=True)
class Group:
    """Findings that are alike: the same place in the same kind of message, the same mistake."""

    first: Finding
    count: int = 0
    examples: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class Tally:
    """What a validation has seen so far."""

    messages: int = 0
    invalid: int = 0
    """Messages with an error, those that cannot be read among them."""
    warned: int = 0
    """Messages with no error, but a warning."""
    groups: dict[tuple[str, ...], Group] = field(default_factory=dict)
    others: int = 0
    """Findings past the limit on groups."""

    def add(self, finding: Finding) -> int:
        """Count a finding; how many like it there were before."""
        key = finding.like
        group = self.groups.get(key)
        if group is None:
            if len(self.groups) >= _GROUPS:
                self.others += 1
                return _EXAMPLES
            group = self.groups[key] = Group(finding)
        group.count += 1
        if len(group.examples) < _EXAMPLES:
            group.examples.append(finding)
        return group.count - 1

    def absorb(self, other: Tally) -> None:
        """Count what was seen elsewhere, but for the examples, which were added before."""
        self.messages += other.messages
        self.invalid += other.invalid
        self.warned += other.warned
        self.others += other.others
        for key, group in other.groups.items():
            more = group.count - len(group.examples)
            if key in self.groups:
                self.groups[key].count += more
            else:
                self.others += more


class Validation:
    """Validates one record after the other, and keeps the tally.

    `name` says what bare messages are; without it their `type`, their folder or their fields do.
    """

    def __init__(self, dialect: Dialect, *, semantic: bool = True, name: str | None = None) -> None:
        self.tally = Tally()
        self._dialect, self._semantic = dialect, semantic
        self._name = None if name is None else name_of(name)
        self.again = partial(Validation, dialect, semantic=semantic, name=name)
        """Makes another one that asks for the same."""
        self._closest: dict[tuple[str, ...], str] = {}

    def check(self, record: Record) -> Iterator[Finding]:
        """What is wrong with the message or messages of a record."""
        if record.fault is not None:
            yield self._unreadable(record, "", "", record.fault)
            return
        message = record.message
        try:
            if message is None:
                assert record.fields is not None
                name = self._name_of(record, record.fields)
                yield from self._one(record, "", name, record.fields)
            elif not message.exchange and message.content_type == PROTOBUF_TYPE:
                event = decode(message.body)
                yield from self._event(record, "", self._name or _folder(record) or "", event)
            elif message.content_type == JSON_TYPE:
                (reading,) = read(message)
                yield from self._one(record, "", name_of(message.routing_key), reading.fields)
            elif message.routing_key:
                event = decode(message.body)
                yield from self._event(record, "", name_of(message.routing_key), event)
            else:
                for number, event in enumerate(events(message), 1):
                    yield from self._event(record, f"event {number}", "", event)
        except UnknownKeyError as error:
            yield self._unknown(record, "", str(error))
        except (WireError, CatalogError) as error:
            yield self._unreadable(record, "", "", str(error))

    def lines(self, path: str, lines: Iterable[bytes], first: int = 1) -> Iterator[Finding]:
        """What is wrong with the messages in lines, counted from `first` on, as records have them.

        Of what is sound, and most is, no record is made.
        """
        for number, line in enumerate(lines, first):
            found = tapped(line)
            if found is not None and self._is_sound(found):
                self.tally.messages += 1
            else:
                for record in of_lines(path, (line,), number):
                    yield from self.check(record)

    def _is_sound(self, found: Tapped) -> bool:
        """Whether nothing is wrong with a message; False where that is not sure."""
        key, body = found.routing_key, found.body
        try:
            if found.content_type != JSON_TYPE:
                event = CbEventMsg.FromString(body)
                return event.IsInitialized() and _sound_events[key](event)
            fields, name = orjson.loads(body), name_of(key)
        except (ValueError, KeyError, DecodeError, CatalogError):
            return False
        return (
            isinstance(fields, dict)
            and validator(name, self._dialect).is_valid(fields)
            and not (self._semantic and any(broken(fields, name)))
            and not forwarded(fields)
        )

    def _event(self, record: Record, part: str, name: str, event: CbEventMsg) -> Iterator[Finding]:
        """What is wrong with a raw event; it is called by what it carries where nothing says."""
        sound = _sound_events.get(name or event_name(event, carried_by(event)))
        if sound is not None and sound(event):
            self.tally.messages += 1
            return
        fields = as_dict(event)
        yield from self._one(record, part, name or _carried(fields), fields)

    def _one(
        self, record: Record, part: str, name: str, fields: dict[str, Any]
    ) -> Iterator[Finding]:
        if forwarded(fields):
            yield self._forwarded(record, part, name, fields)
            return
        if not name:
            carried = ", ".join(sorted(fields.keys() - _AROUND)) or "nothing"
            yield self._unknown(record, part, f"no kind that is known carries {carried}")
            return
        self.tally.messages += 1
        errors = warnings = 0
        checker = validator(name, self._dialect)
        problems = [] if checker.is_valid(fields) else [*checker.iter_errors(fields)]
        if self._semantic:
            problems += broken(fields, name)
        for problem in problems:
            warnings += problem.warning
            errors += not problem.warning
            yield Finding(record, part, name, problem)
        self.tally.invalid += errors > 0
        self.tally.warned += errors == 0 and warnings > 0

    def _unknown(self, record: Record, part: str, why: str) -> Finding:
        """What a newer server may send, and nobody can judge here."""
        self.tally.messages += 1
        self.tally.warned += 1
        return Finding(record, part, "", Problem("", "unknown-kind", why, "a kind that is known",
                                                 "wire: Routing keys", warning=True))  # fmt: skip

    def _forwarded(self, record: Record, part: str, name: str, fields: dict[str, Any]) -> Finding:
        self.tally.messages += 1
        self.tally.invalid += 1
        told = [field for field in _FORWARDED if field in fields]
        said = f"a forwarder's line (it has {', '.join(told)})"
        return Finding(record, part, name, Problem("", "forwarder-line", said,
                       "a message of the bus", "wire: What forwarders write"))  # fmt: skip

    def _unreadable(self, record: Record, part: str, name: str, why: str) -> Finding:
        self.tally.messages += 1
        self.tally.invalid += 1
        return Finding(record, part, name, Problem("", "unreadable", why, "a message of the bus",
                                                   "wire: Broker"))  # fmt: skip

    def _name_of(self, record: Record, fields: dict[str, Any]) -> str:
        if self._name is not None:
            return self._name
        for said in (
            fields.get("type"),
            fields.get("routing_key"),
            f"alert.{fields.get('alert_type')}",
        ):
            try:
                return name_of(str(said))
            except CatalogError:
                continue
        if found := _folder(record):
            return found
        if "header" in fields:
            return name_of_event(fields)
        return self._like(fields)

    def _like(self, fields: dict[str, Any]) -> str:
        """The notification that the fields come nearest to; raises CatalogError for none."""
        docs = fields.get("docs")
        first = docs[0] if isinstance(docs, list) and docs and isinstance(docs[0], dict) else {}
        shape = (*sorted(fields), "docs", *sorted(first))
        if shape not in self._closest:
            odds = {name: len(list(validator(name, self._dialect).iter_errors(fields)))
                    + len(fields) - _known(name, fields)
                    for name, entry in NOTIFICATIONS.items() if not entry.guessed}  # fmt: skip
            ranked = sorted(odds, key=odds.__getitem__)
            if odds[ranked[0]] >= max(3, len(fields)):
                raise CatalogError("no notification has these fields; --as NAME says what it is")
            self._closest[shape] = ranked[0]
        return self._closest[shape]


_sound_events = {name: SoundEvent(event) for name, event in RAW_EVENTS.items()}


def _carried(event: dict[str, Any]) -> str:
    """The name of a raw event by what it carries; empty for what has none."""
    try:
        return name_of_event(event)
    except UnknownKeyError:
        # Sensors send some messages of the interface for which no key is known.
        return EVENT if event.keys() - _AROUND else ""


def _known(name: str, fields: dict[str, Any]) -> int:
    declared = {field.name for field in NOTIFICATIONS[name].fields}
    return len(declared & fields.keys())


def _folder(record: Record) -> str | None:
    folder = Path(record.file).parent.name
    try:
        return lookup(name_of(folder)).name
    except CatalogError:
        return None
