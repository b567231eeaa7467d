"""Lines as the common forwarder writes them: one a document, with names of its own for some fields.

JSON alone, behind a prefix of syslog or in the envelope of Splunk's HTTP collector, and LEEF
(wire: What forwarders write).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from cbsim.checks.layout import (
    UNKNOWN,
    Expected,
    Item,
    Layout,
    Mismatch,
    Pair,
    differing,
    identity_key,
    received_at,
)
from cbsim.checks.line import parsed
from cbsim.checks.moment import NEVER, moment
from cbsim.checks.record import Record
from cbsim.checks.visible import Visible, canonical, known_name, of_message
from cbsim.errors import WireError
from cbsim.wire.json_text import parse_json
from cbsim.wire.message import Message

__all__ = ["Forwarded"]


class Forwarded(Layout):
    """Lines of a forwarder: known by their type, their process or binary, and their time."""

    timed = True
    identities = ("subject",)

    def __init__(self, more: Mapping[str, Sequence[str]] | None = None) -> None:
        """`more` says which identities else are compared, for each type of line."""
        self._more = {name: tuple(fields) for name, fields in (more or {}).items()}

    def fitted(self, records: Iterable[Record], messages: Iterable[Message]) -> Forwarded:
        """The same, which also compares what lines have besides, where it is what messages have.

        `records` and `messages` are samples: formats differ, and filters take fields away.
        """
        told: dict[tuple[str, str], dict[str, set[str]]] = {}
        for message in messages:
            for visible in self.shown(message):
                values = told.setdefault(_subject(visible), {})
                for field in _OPTIONAL:
                    values.setdefault(field, set()).add(visible.values.get(field, ""))
        lines: dict[str, Counter[str]] = {}
        there, apart = dict[str, Counter[str]](), Counter[str]()
        for record in records:
            for visible in self.seen(record):
                if (known := told.get(_subject(visible))) is not None:
                    present = [it for it in _OPTIONAL if visible.values.get(it)]
                    agreed = [it for it in present if visible.values[it] in known[it]]
                    lines.setdefault(visible.name, Counter()).update(["", *agreed])
                    there.setdefault(visible.name, Counter()).update(present)
                    apart.update(it for it in present if it not in agreed)
        for name, count in lines.items():
            # Of a type with a line or two, these cannot say what most have.
            for field in _MACHINE if count[""] < _FEW else ():
                if 2 * apart[field] < sum(of[field] for of in there.values()):
                    count[field] = there[name][field]
        return Forwarded({name: [it for it in _OPTIONAL if 2 * count[it] > count[""]]
                          for name, count in lines.items()})  # fmt: skip

    def items(self, record: Record) -> Iterator[Item]:
        """The line's item, or one for each of its documents."""
        line = _line(record)
        if line is None:
            yield Item(UNKNOWN, fault=record.fault or "no line of a forwarder")
            return
        received = received_at(line.get("received"))
        for visible in _seen(line):
            key = self._key(visible)
            fault = None
            if key == UNKNOWN:
                fault = "neither process_guid nor md5 nor a time stands there"
            yield Item(key, visible.ticks, int(visible.raw), received, fault)

    def expected(self, message: Message) -> Iterator[Expected]:
        """A line a document, or an event."""
        for visible in self.shown(message):
            yield Expected(visible.name, self._key(visible), visible.ticks, int(visible.raw))

    def otherwise(self, message: Message) -> Iterator[Expected]:
        """The line with the key that the message was sent under as its type; with the time of its
        document, which takes the place of the message's in LEEF.
        """
        for visible in self.shown(message):
            if visible.also:
                visible = visible._replace(name=visible.also)
            elif visible.inner != NEVER:
                visible = visible._replace(ticks=visible.inner)
            else:
                yield Expected(visible.name, UNKNOWN, NEVER, int(visible.raw))
                continue
            yield Expected(visible.name, self._key(visible), visible.ticks, int(visible.raw))

    def compared(self, name: str) -> Sequence[str]:
        """The type of a line, its process or else its binary, its time, and what else agrees."""
        return ["name", *self._fields_of(name), "timestamp"]

    def seen(self, record: Record) -> Iterator[Visible]:
        """What can be seen of the line, for each of its documents."""
        line = _line(record)
        yield from [Visible()] if line is None else _seen(line)

    def shown(self, message: Message) -> Iterator[Visible]:
        """What can be seen of each document or event, of those that become lines."""
        for visible in of_message(message, documents=True, events=True):
            if visible.carried not in _NO_LINE:
                yield _in_lines(visible)

    def mismatches(self, pair: Pair) -> list[Mismatch]:
        """The identities that differ."""
        fields = self._fields_of(pair.expected.name)
        return differing(fields, pair.item, pair.expected, named=True, timed=True)

    def _fields_of(self, name: str) -> tuple[str, ...]:
        return self.identities + self._more.get(name, ())

    def _key(self, visible: Visible) -> int:
        return identity_key(visible, visible.name, self._fields_of(visible.name))


_NO_LINE = frozenset({"fbscriptexe"})
"""What raw events carry of which forwarders write nothing."""
_NO_PROCESS = frozenset({"ingress.event.tamper"})
"""Raw events of whose process forwarders write nothing, whatever the header says."""


def _in_lines(visible: Visible) -> Visible:
    """What lines have of what can be seen."""
    if visible.name not in _NO_PROCESS:
        return visible
    return visible._replace(values={name: value for name, value in visible.values.items()
                                    if name not in ("guid", "md5", "pid")})  # fmt: skip


_OPTIONAL = ("md5", "sensor", "host", "report_id", "watchlist_id", "feed_id")
"""What a line may also have, besides its process or binary."""
_MACHINE = ("sensor", "host")
"""Of these, what is written in the same way in lines of all types."""
_FEW = 5


def _subject(visible: Visible) -> tuple[str, str]:
    return visible.name, visible.subject


def _line(record: Record) -> Mapping[str, Any] | None:
    """The object that a forwarder wrote, out of the envelope of Splunk's HTTP collector."""
    fields = record.fields
    if fields is None:
        return None
    event = fields.get("event")
    if isinstance(event, dict) and "type" not in fields:
        return event
    if isinstance(event, str) and "type" not in fields:
        try:
            inner = parsed(event.encode())
        except WireError:
            return None
        return inner if isinstance(inner, dict) else None
    return fields


def _seen(line: Mapping[str, Any]) -> Iterator[Visible]:
    name = known_name(line.get("type"))
    own = _values(line, {}, name)
    ticks = moment(line.get("timestamp", line.get("event_timestamp")))
    docs = line.get("docs")
    if isinstance(docs, str):
        # LEEF and CSV have lists as JSON.
        try:
            docs = parse_json(docs)
        except WireError:
            docs = None
    inner = docs if isinstance(docs, list) else [docs]
    for part in inner or [None]:
        values = _values(part, own, name) if isinstance(part, dict) else own
        yield _in_lines(Visible(name, "", values, ticks))


_PLACES = (
    ("guid", ("process_guid", "process_id", "unique_id", "id")),
    ("md5", ("md5", "process_md5")),
    ("sensor", ("sensor_id",)),
    ("host", ("hostname", "computer_name")),
    ("report_id", ("report_id",)),
    ("watchlist_id", ("watchlist_id",)),
    ("feed_id", ("feed_id",)),
)


def _values(fields: Mapping[str, Any], outer: Mapping[str, str], name: str) -> dict[str, str]:
    found = dict(outer)
    for identity, places in _PLACES:
        # An alert's unique_id is a UUID, and no process.
        for place in islice(places, 2 if identity == "guid" and name[:6] == "alert." else 4):
            if value := canonical(identity, fields.get(place)):
                found[identity] = value
                break
    return found
