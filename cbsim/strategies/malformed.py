"""Messages broken on purpose, each labelled with what is wrong. A robust consumer survives all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from cbsim.catalog import (
    NOTIFICATIONS,
    Dialect,
    Field,
    Kind,
    Notification,
    ServerVersion,
    Shape,
    lookup,
)
from cbsim.errors import StrategyError, WireError
from cbsim.strategies import form, value
from cbsim.strategies.argument import drawn, entry_of, given, labels_of, server_of
from cbsim.strategies.broken_bundle import BUNDLE_FAULTS
from cbsim.strategies.cast import Cast
from cbsim.strategies.delivery import message_of, notification_message
from cbsim.strategies.fault import FaultName, Malformed
from cbsim.strategies.form import JsonObject
from cbsim.strategies.value import Draw
from cbsim.wire.event import decode
from cbsim.wire.fault import Fault
from cbsim.wire.message import JSON_TYPE, PROTOBUF_TYPE, ZIP_TYPE, Message

__all__ = ["OVERSIZE", "malformed"]

OVERSIZE = 4 * 1024 * 1024
"""Bytes that an oversized body has at least; a broker takes up to 128 MiB."""
_DEPTH = 100_000
_FILLER = "@oversized@"


def malformed(
    *faults: FaultName | Fault,
    name: str | None = None,
    server: str | None = None,
    dialect: Dialect | Literal["documented", "observed"] = Dialect.OBSERVED,
) -> SearchStrategy[Malformed]:
    """A message with one of these faults, or with any.

    With a `name`, that notification or raw event, broken in a way it can be; without a `server`,
    one that sends it. Nothing else of a message is wrong; what is odd and legal is in `odd`. Raises
    StrategyError.

    >>> malformed("truncated-json", "wrong-type", name="watchlist.hit.process")
    malformed('truncated-json', 'wrong-type', name='watchlist.hit.process')
    """
    version = server_of(server, None if name is None else entry_of(name))
    if dialect not in [*Dialect]:
        raise StrategyError(f"dialect={dialect!r}: expected documented or observed")
    wanted = labels_of(Fault, faults)
    able = [fault for fault in wanted if name is None or _can(fault, name)]
    if not able:
        raise StrategyError(f"name={name!r}: it cannot have the fault {', '.join(wanted)}")
    spoken = Dialect(dialect)
    for one in _JSON if name is None else ():
        form.plan(one, version, spoken)
    if name is not None and len(able) < len(wanted) and faults:
        wrong = next(fault for fault in wanted if fault not in able)
        raise StrategyError(f"name={name!r}: it cannot have the fault {wrong}")

    which = st.sampled_from(able)

    def draw_one(draw: Draw) -> Malformed:
        return _broken(draw, draw(which), name, version, spoken)

    return drawn("malformed", draw_one, *map(str, faults), name=name, server=server,
                 dialect=str(dialect))  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Sound:
    """What is to be broken: a message, and of a notification its fields."""

    draw: Draw
    message: Message
    fields: JsonObject
    notification: Notification | None
    dialect: Dialect


_RAW = ("filemod", "netconn", "process", "regmod", "module")
_JSON = ("watchlist.hit.process", "feed.ingress.hit.process", "feed.storage.hit.binary",
         "binaryinfo.observed", "binarystore.file.added")  # fmt: skip
_OF_EVENTS = (Fault.TRUNCATED_PROTOBUF,)
_OF_FIELDS = (Fault.WRONG_TYPE, Fault.MISSING_FIELD)
_OF_ANY = (Fault.EMPTY_BODY, Fault.WRONG_CONTENT_TYPE)


def _broken(
    draw: Draw, fault: Fault, name: str | None, version: ServerVersion, dialect: Dialect
) -> Malformed:
    cast = Cast(draw, given(docs=(1, 1)), version)
    if fault in BUNDLE_FAULTS:
        return BUNDLE_FAULTS[fault](draw, cast)
    if name is None:
        raw = fault in _OF_EVENTS or (fault in _OF_ANY and draw(value.BOOLEAN))
        name = f"ingress.event.{draw(_RAW_NAMES)}" if raw else draw(_JSON_NAMES)
        if not lookup(name).in_version(version):
            name = "ingress.event.procstart"
    if name not in NOTIFICATIONS:
        sound = _Sound(draw, message_of(cast, name, dialect), {}, None, dialect)
    else:
        plan = form.plan(name, version, dialect)
        fields = form.notification(draw, plan, cast.given, cast)
        whole = notification_message(cast, name, fields)
        sound = _Sound(draw, whole, fields, NOTIFICATIONS[name], dialect)
    return _BREAKS[fault](sound)


def _with(
    sound: _Sound, fault: Fault, body: bytes, detail: str, at: str | None = None
) -> Malformed:
    return Malformed(sound.message._replace(body=body), fault, detail, at)


def _truncated(sound: _Sound, fault: Fault) -> Malformed:
    body = sound.message.body
    cut = sound.draw(st.integers(1, len(body) - 1))
    if fault is Fault.TRUNCATED_PROTOBUF and _is_event(body[:cut]):
        # Cut between two fields it is a shorter event; one byte less never is.
        cut = len(body) - 1
    return _with(sound, fault, body[:cut], f"cut after {cut} of {len(body)} bytes")


def _is_event(body: bytes) -> bool:
    try:
        decode(body)
    except WireError:
        return False
    return True


def _empty(sound: _Sound) -> Malformed:
    return _with(sound, Fault.EMPTY_BODY, b"", "no body")


def _no_object(sound: _Sound) -> Malformed:
    body = sound.draw(_NO_OBJECTS)
    return _with(sound, Fault.NOT_AN_OBJECT, body, f"the body is {body.decode()}")


def _wrong_content_type(sound: _Sound) -> Malformed:
    right = sound.message.content_type
    others = [one for one in _CONTENT_TYPES if one != right]
    wrong = sound.draw(st.sampled_from(others))
    message = sound.message._replace(content_type=wrong)
    return Malformed(message, Fault.WRONG_CONTENT_TYPE, f"{wrong!r} over {right}")


def _wrong_type(sound: _Sound) -> Malformed:
    at, holder, field = _chosen(sound, lambda field: bool(_wrong_values(field)))
    wrong = sound.draw(st.sampled_from(_wrong_values(field)))
    was, holder[field.name] = holder[field.name], wrong
    detail = f"{json.dumps(wrong)} instead of {json.dumps(was)[:60]}"
    return _with(sound, Fault.WRONG_TYPE, _json(sound.fields), detail, f"{at}/{field.name}")


def _missing(sound: _Sound) -> Malformed:
    at, holder, field = _chosen(sound, lambda field: _required(field, sound))
    del holder[field.name]
    detail = f"{field.name} is left out"
    return _with(sound, Fault.MISSING_FIELD, _json(sound.fields), detail, f"{at}/{field.name}")


def _duplicate(sound: _Sound) -> Malformed:
    name = sound.draw(st.sampled_from([*sound.fields]))
    first = json.dumps({name: sound.draw(_JSON_VALUES)}).encode()
    body = first[:-1] + b", " + _json(sound.fields)[1:]
    return _with(sound, Fault.DUPLICATE_KEY, body, f"{name!r} comes twice", f"/{name}")


def _deep(sound: _Sound) -> Malformed:
    name = sound.draw(st.sampled_from([*sound.fields]))
    opening, closing = sound.draw(st.sampled_from(((b"[", b"]"), (b'{"a":', b"}"))))
    inner = opening * _DEPTH + b"1" + closing * _DEPTH
    rest = {key: one for key, one in sound.fields.items() if key != name}
    body = b"{" + json.dumps(name).encode() + b":" + inner
    body += b"," + _json(rest)[1:] if rest else b"}"
    return _with(sound, Fault.DEEP_NESTING, body, f"{name!r} is {_DEPTH} deep", f"/{name}")


def _not_a_number(sound: _Sound) -> Malformed:
    at, holder, field = _chosen(sound, lambda field: _numeric(field))
    wrong = sound.draw(st.sampled_from((float("nan"), float("inf"), float("-inf"))))
    holder[field.name] = wrong
    detail = f"{field.name} is {json.dumps(wrong)}"
    return _with(sound, Fault.NOT_A_NUMBER, _json(sound.fields), detail, f"{at}/{field.name}")


def _invalid_utf8(sound: _Sound) -> Malformed:
    wrong = sound.draw(st.sampled_from((b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80")))
    fields = {"cb_version": "?", **sound.fields}
    name = sound.draw(st.sampled_from([key for key, one in fields.items() if isinstance(one, str)]))
    marked = _json(fields | {name: "@@@@"})
    body = marked.replace(b"@@@@", wrong, 1)
    return _with(sound, Fault.INVALID_UTF8, body, f"{wrong!r} in {name}", f"/{name}")


def _surrogate(sound: _Sound) -> Malformed:
    fields = {"cb_version": "?", **sound.fields}
    name = sound.draw(st.sampled_from([key for key, one in fields.items() if isinstance(one, str)]))
    body = json.dumps(fields | {name: "\ud800"}).encode()
    return _with(sound, Fault.LONE_SURROGATE, body, rf"\ud800 in {name}", f"/{name}")


def _oversized(sound: _Sound) -> Malformed:
    name = sound.draw(st.sampled_from([*sound.fields]))
    # Put in as bytes: encoding it each time would take most of the time of a draw.
    body = _json(sound.fields | {name: _FILLER}).replace(_FILLER.encode(), b"A" * OVERSIZE, 1)
    return _with(sound, Fault.OVERSIZED_BODY, body, f"{len(body)} bytes, in {name}", f"/{name}")


_BREAKS: dict[Fault, Callable[[_Sound], Malformed]] = {
    Fault.TRUNCATED_JSON: lambda sound: _truncated(sound, Fault.TRUNCATED_JSON),
    Fault.TRUNCATED_PROTOBUF: lambda sound: _truncated(sound, Fault.TRUNCATED_PROTOBUF),
    Fault.EMPTY_BODY: _empty,
    Fault.NOT_AN_OBJECT: _no_object,
    Fault.WRONG_CONTENT_TYPE: _wrong_content_type,
    Fault.WRONG_TYPE: _wrong_type,
    Fault.MISSING_FIELD: _missing,
    Fault.DUPLICATE_KEY: _duplicate,
    Fault.DEEP_NESTING: _deep,
    Fault.NOT_A_NUMBER: _not_a_number,
    Fault.INVALID_UTF8: _invalid_utf8,
    Fault.LONE_SURROGATE: _surrogate,
    Fault.OVERSIZED_BODY: _oversized,
}
_RAW_NAMES = value.choice(_RAW)
_JSON_NAMES = value.choice(_JSON)
_NO_OBJECTS = value.choice((b"[]", b"null", b"0", b'"text"', b"true", b"[{}]"))
_CONTENT_TYPES = (JSON_TYPE, PROTOBUF_TYPE, ZIP_TYPE, "text/plain", "")
_JSON_VALUES: SearchStrategy[Any] = value.choice((0, "", None, [], {}))


def _chosen(sound: _Sound, able: Callable[[Field], bool]) -> tuple[str, JsonObject, Field]:
    """A field of the message or of its first document.

    A pointer to what holds it, that, and its declaration.
    """
    assert sound.notification is not None
    entry = sound.notification
    found = [("", sound.fields, field) for field in entry.fields]
    for document in sound.fields.get("docs", [])[:1]:
        found += [("/docs/0", document, field) for field in entry.documents]
    found = [it for it in found if it[2].name in it[1] and able(it[2])]
    return sound.draw(st.sampled_from(found))


def _json(fields: JsonObject) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()


# The JSON types that a value of each shape has.
_JSON_TYPES = {
    Shape.STRING: "string", Shape.DIGITS: "string", Shape.TRUTH: "string", Shape.JSON: "string",
    Shape.DISPLAY: "string", Shape.SECONDS: "string", Shape.TRIMMED: "string",
    Shape.MICROS: "string", Shape.INTEGER: "number", Shape.NUMBER: "number",
    Shape.BOOLEAN: "boolean", Shape.OBJECT: "object", Shape.TEXTS: "object",
    Shape.ARRAY: "array", Shape.NULL: "null", Shape.MILLIS: "number", Shape.KEY: "string",
}  # fmt: skip
_OF_TYPE: dict[str, Any] = {
    "null": None, "number": 7, "string": "?", "boolean": True, "array": [], "object": {},
}  # fmt: skip


@cache
def _right_types(name: str) -> frozenset[str]:
    """The JSON types that a field of that name has anywhere: somewhere else may be here too."""
    right: set[str] = set()
    for entry in NOTIFICATIONS.values():
        for field in (*entry.fields, *entry.documents):
            if field.name == name:
                shapes = [*field.observed, *filter(None, [field.documented])]
                right |= {_JSON_TYPES[shape] for shape in shapes}
    return frozenset(right)


def _wrong_values(field: Field) -> list[Any]:
    """A value of each JSON type that the field never has."""
    right = {*_right_types(field.name)}
    if field.domain.kind in (Kind.INTEGER, Kind.NUMBER):
        right |= {"string", "number"}
    if field.domain.kind is Kind.TEXT and "array" in right:
        right |= {"string"}
    return [one for kind, one in _OF_TYPE.items() if kind not in right]


def _required(field: Field, sound: _Sound) -> bool:
    if sound.dialect is Dialect.DOCUMENTED and sound.notification and sound.notification.section:
        return field.documented is not None and not field.optional
    since = sound.notification.since if sound.notification else field.since
    return field.required and since.includes(field.since)


def _numeric(field: Field) -> bool:
    return bool({Shape.INTEGER, Shape.NUMBER} & {*field.observed, field.documented})


def _can(fault: Fault, name: str) -> bool:
    if fault in BUNDLE_FAULTS:
        return False
    if fault in _OF_ANY:
        return True
    if fault in _OF_FIELDS and name in NOTIFICATIONS and NOTIFICATIONS[name].guessed:
        # Nobody knows what would be wrong.
        return False
    return (fault in _OF_EVENTS) != (name in NOTIFICATIONS)
