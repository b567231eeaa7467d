"""Outputs that hold messages as they were: by the byte, or as JSON with the same content."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import Any

import orjson
import xxhash

from cbsim.checks.layout import (
    UNKNOWN,
    Expected,
    Item,
    Layout,
    Mismatch,
    Pair,
    first_difference,
    received_at,
)
from cbsim.checks.record import Record
from cbsim.checks.visible import Visible, known_name, of_event_fields, of_fields, of_message
from cbsim.errors import WireError
from cbsim.wire.event import as_dict
from cbsim.wire.event import decode as event_of
from cbsim.wire.json_text import parse_json
from cbsim.wire.legible import legible
from cbsim.wire.message import PROTOBUF_TYPE, Message, server_headers
from cbsim.wire.reading import read

__all__ = ["Bodies", "Contents", "bare_key", "body_key", "route_seed"]

_hash = xxhash.xxh3_64_intdigest
_NO_HEADERS: Mapping[str, Any] = {}


class Bodies(Layout):
    """Messages as they came: envelopes, or bodies alone, byte for byte.

    Bodies that are JSON have the same content, where nothing says how they were routed.
    """

    def items(self, record: Record) -> Iterator[Item]:
        """The message of a record."""
        message = record.message
        if message is None:
            yield _content_item(record)
            return
        received = (record.envelope or {}).get("received")
        yield Item(_key(message), received=received_at(received) if received else 0.0)

    def expected(self, message: Message) -> Iterator[Expected]:
        """The message."""
        yield Expected(_name(message), _key(message))

    def otherwise(self, message: Message) -> Iterator[Expected]:
        """The body alone, in an output that does not say how it was routed."""
        yield Expected(_name(message), bare_key(message.body))

    def seen(self, record: Record) -> Iterator[Visible]:
        """What can be seen of the message."""
        message = record.message
        if message is None:
            yield _visible("", record.fields or {})
        else:
            yield next(of_message(message, **_WHOLE))

    def shown(self, message: Message) -> Iterator[Visible]:
        """What can be seen of the message."""
        yield next(of_message(message, **_WHOLE))

    def mismatches(self, pair: Pair) -> list[Mismatch]:
        """How it was routed, and the first place where the bodies differ."""
        got, message = pair.record.message, pair.message
        if got is None:
            _, fields = next(_contents(message))
            return _unlike(pair.record, fields)
        found = []
        if got.routing_key or got.exchange:
            found = [Mismatch(name, repr(ours), repr(theirs)) for name, ours, theirs in (
                ("routing_key", got.routing_key, message.routing_key),
                ("content_type", got.content_type, message.content_type),
                ("headers", server_headers(got.headers), server_headers(message.headers)),
            ) if ours != theirs]  # fmt: skip
        if got.body != message.body:
            found.append(_difference(got, message))
        return found


_WHOLE: dict[str, bool] = {"documents": False, "events": False}


def _name(message: Message) -> str:
    return known_name(message.routing_key) or message.exchange


def body_key(body: bytes, seed: int, headers: Mapping[str, Any] = _NO_HEADERS) -> int:
    """The key of a body and how it was routed, where the output says so.

    Headers of a broker, such as the number of a delivery, are none of the message.
    """
    if own := server_headers(headers):
        seed ^= _hash(orjson.dumps(own, option=orjson.OPT_SORT_KEYS))
    return _hash(body, seed) or 1 if seed else bare_key(body)


def bare_key(body: bytes) -> int:
    """The key of a body alone; of its content, where that is JSON."""
    if body[:1] == b"{":
        with suppress(WireError):
            return content_key(parse_json(body))
    return _hash(body) or 1


def _key(message: Message) -> int:
    routed = message.routing_key or message.exchange
    seed = route_seed(message.routing_key, message.content_type) if routed else 0
    return body_key(message.body, seed, message.headers)


@lru_cache(maxsize=4096)
def route_seed(routing_key: str, content_type: str) -> int:
    """What tells apart equal bodies that were routed differently; 0 where nobody says how."""
    if not routing_key and not content_type:
        return 0
    return _hash(f"{routing_key}\x1f{content_type}".encode())


def _difference(got: Message, message: Message) -> Mismatch:
    """Where two bodies differ: in which field, or else at which byte."""
    try:
        pairs = zip(_readings(got, message), read(message), strict=True)
        for number, (ours, theirs) in enumerate(pairs):
            found = first_difference(ours, theirs.fields)
            if found is not None:
                event = f"event {number + 1} " if not message.routing_key else ""
                return replace(found, field=event + found.field)
    except (WireError, ValueError):
        pass
    size = min(len(got.body), len(message.body))
    at = next((n for n in range(size) if got.body[n] != message.body[n]), size)
    return Mismatch(f"byte {at} of the body", *(
        it.body[at : at + 16].hex(" ") or "its end" for it in (got, message)
    ))  # fmt: skip


def _readings(got: Message, message: Message) -> list[dict[str, object]]:
    routed = got._replace(routing_key=message.routing_key, content_type=message.content_type,
                          headers=message.headers)  # fmt: skip
    return [reading.fields for reading in read(routed)]


class Contents(Layout):
    """JSON with the same content, whatever its white space and the order of its keys."""

    def items(self, record: Record) -> Iterator[Item]:
        """The JSON object of a record: a notification, or an event in protobuf's JSON mapping."""
        yield _content_item(record)

    def expected(self, message: Message) -> Iterator[Expected]:
        """The notification, the event, or each event of a bundle."""
        for name, fields in _contents(message):
            yield Expected(name, UNKNOWN if fields is None else content_key(fields))

    def otherwise(self, message: Message) -> Iterator[Expected]:
        """Events as `cbsim subscribe --format json` shows them."""
        for name, fields in _contents(message):
            shown = fields is not None and "header" in fields
            yield Expected(name, content_key(legible(fields)) if shown and fields else UNKNOWN)

    def seen(self, record: Record) -> Iterator[Visible]:
        """What can be seen of the object."""
        yield _visible("", _fields(record) or {})

    def shown(self, message: Message) -> Iterator[Visible]:
        """What can be seen of each."""
        for name, fields in _contents(message):
            yield _visible(name, fields or {})

    def mismatches(self, pair: Pair) -> list[Mismatch]:
        """The first place where the contents differ."""
        for name, fields in _contents(pair.message):
            if _visible(name, fields or {}) == pair.expected:
                return _unlike(pair.record, fields)
        return []


def _fields(record: Record) -> dict[str, Any] | None:
    """A record's JSON object; of a raw event that has no routing key, its JSON mapping."""
    message = record.message
    if message is None or message.content_type != PROTOBUF_TYPE:
        return record.fields
    with suppress(WireError):
        return as_dict(event_of(message.body))
    return None


def _content_item(record: Record) -> Item:
    fields = _fields(record)
    if fields is None:
        return Item(UNKNOWN, fault=record.fault or "expected a JSON object")
    return Item(content_key(fields))


def _unlike(record: Record, expected: dict[str, Any] | None) -> list[Mismatch]:
    """The first place where a record's content differs from that of a message."""
    ours = _fields(record)
    if ours is None or expected is None:
        return []
    stamp = (ours.get("header") or {}).get("timestamp")
    if "header" in expected and isinstance(stamp, str) and not stamp.isdigit():
        expected = legible(expected)
    found = first_difference(ours, expected)
    return [] if found is None else [found]


def content_key(fields: object) -> int:
    """The key of a JSON value; `1.0` is `1`, as in languages that have one kind of number."""
    text = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
    return _hash(_WHOLE_FLOAT.sub(b"", text)) or 1


_WHOLE_FLOAT = re.compile(rb"(?<=\d)\.0(?=[],}])")


def _contents(message: Message) -> Iterator[tuple[str, dict[str, Any] | None]]:
    try:
        for reading in read(message):
            fields: dict[str, Any] = reading.fields
            name = known_name(reading.routing_key) or _visible("", fields).name
            yield name or message.exchange, fields
    except (WireError, ValueError):
        yield _name(message), None


def _visible(name: str, fields: Mapping[str, Any]) -> Visible:
    if isinstance(fields.get("header"), dict):
        return of_event_fields(fields)
    return next(of_fields(name, fields, documents=False), Visible(name))
