"""JSON Schemas (2020-12) of everything on the bus, derived from the catalog.

`documented/` holds the specification's tables to the letter; `observed/` takes every shape that
real servers write, and fields that they may add; `raw/` describes raw events in protobuf's JSON
mapping with the proto's field names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from cbsim.catalog import (
    NOTIFICATIONS,
    RAW_EVENTS,
    Dialect,
    Domain,
    Field,
    Kind,
    Notification,
    Origin,
    RawEvent,
    Shape,
    lookup,
)
from cbsim.catalog.domain import PROCESS_KEY
from cbsim.checks.raw_schema import EVENT, Schema, interface, raw_event

__all__ = ["BASE", "Schema", "location", "schema_of", "schemas", "write"]

BASE = "https://cbsim.invalid/schemas/"
"""What each `$id` starts with. The name resolves nowhere: every `$ref` is to a file beside it."""

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_DIGITS = {
    (Kind.INTEGER, True): r"^\d+$",
    (Kind.INTEGER, False): r"^-?\d+$",
    (Kind.NUMBER, True): r"^\d+(?:\.\d+)?$",
    (Kind.NUMBER, False): r"^-?\d+(?:\.\d+)?$",
}
_DISPLAY = r"^[A-Z][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d\d:\d\d [AP]M$"
_INSTANT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?Z$"
"""How many decimals a time has is its field's, and no reader should depend on it."""
_TYPES = {
    Shape.STRING: "string", Shape.INTEGER: "integer", Shape.NUMBER: "number",
    Shape.BOOLEAN: "boolean", Shape.OBJECT: "object", Shape.ARRAY: "array", Shape.NULL: "null",
    Shape.DIGITS: "string", Shape.TRUTH: "string", Shape.TEXTS: "object", Shape.JSON: "string",
    Shape.DISPLAY: "string", Shape.SECONDS: "string", Shape.TRIMMED: "string",
    Shape.MICROS: "string", Shape.MILLIS: "integer", Shape.KEY: "string",
}  # fmt: skip


@cache
def schemas() -> Mapping[str, Schema]:
    """Every schema by its path below `schemas/`, such as `observed/process.schema.json`."""
    return {path: _headed(path, body) for path, body in _bodies()}


def location(name: str, dialect: Dialect) -> str:
    """The path of the schema of a notification or raw event; raises CatalogError."""
    if name == EVENT:
        return f"raw/{EVENT}.schema.json"
    folder_of = "raw" if isinstance(lookup(name), RawEvent) else dialect
    return f"{folder_of}/{name}.schema.json"


def schema_of(name: str, dialect: Dialect = Dialect.OBSERVED) -> Schema:
    """The schema of a notification in a dialect, or of a raw event; raises CatalogError."""
    return schemas()[location(name, dialect)]


def write(to: Path) -> None:
    """Write every schema below a folder, and remove schemas that are no longer declared."""
    for path in to.glob("*/*.schema.json"):
        if path.relative_to(to).as_posix() not in schemas():
            path.unlink()
    for name, schema in schemas().items():
        path = to / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _bodies() -> Iterator[tuple[str, Schema]]:
    for dialect in Dialect:
        for kind in ("process", "binary"):
            yield f"{dialect}/{kind}.schema.json", _document(kind, dialect)
        for notification in NOTIFICATIONS.values():
            yield location(notification.name, dialect), _notification(notification, dialect)
    yield location(EVENT, Dialect.OBSERVED), interface()
    for event in RAW_EVENTS.values():
        yield location(event.name, Dialect.OBSERVED), raw_event(event)


def _headed(path: str, body: Schema) -> Schema:
    return {"$schema": _DRAFT, "$id": BASE + path} | body


def _notification(notification: Notification, dialect: Dialect) -> Schema:
    name = notification.name
    if dialect is Dialect.DOCUMENTED and notification.section is None:
        return {
            "title": name,
            "description": f"{notification.meaning} The specification does not know it: it is "
            "documented by what servers send.",
            "$ref": f"../{location(name, Dialect.OBSERVED)}",
        }
    if notification.guessed:
        return _guessed(notification)
    named = {field.name: [field] for field in _spoken(notification.fields, dialect)}
    body = _object(named, dialect)
    if "docs" in body["properties"]:
        docs: Schema = {"$ref": f"{notification.document}.schema.json"}
        docs |= _document_of(notification, dialect)
        body["properties"]["docs"] |= {"items": docs}
    source = f"specification: {notification.section}" if notification.section else _SEEN
    head: Schema = {
        "title": name, "description": _told(notification), "$comment": source, "type": "object",
        "required": _always(notification.fields, notification, dialect),
    }  # fmt: skip
    return head | body


def _told(notification: Notification) -> str:
    return f"{notification.meaning} {notification.note or ''}".strip()


def _guessed(notification: Notification) -> Schema:
    """Of one whose body nobody knows: what it may hold, and that it may hold anything."""
    properties = {
        field.name: _described(field.domain, field.meaning)
        | {"$comment": field.source, "examples": [field.domain.example]}
        for field in notification.fields
    }
    return {
        "title": notification.name, "description": _told(notification), "$comment": Origin.GUESS,
        "type": "object", "properties": properties,
    }  # fmt: skip


_SEEN = "examples and captured traffic"


def _spoken(fields: Iterable[Field], dialect: Dialect) -> list[Field]:
    if dialect is Dialect.OBSERVED:
        return list(fields)
    return [field for field in fields if field.documented is not None]


def _always(fields: Iterable[Field], notification: Notification, dialect: Dialect) -> list[str]:
    """The fields that every such message has, whichever server version sends it."""
    if dialect is Dialect.DOCUMENTED:
        return [field.name for field in _spoken(fields, dialect) if not field.optional]
    return [
        field.name
        for field in fields
        if field.required and notification.since.includes(field.since)
    ]


def _document_of(notification: Notification, dialect: Dialect) -> Schema:
    """What one notification asks of its documents beyond what all documents of the kind share."""
    documents = notification.documents
    own: Schema = {"required": _always(documents, notification, dialect)}
    if dialect is Dialect.DOCUMENTED:
        tabled = {field.name for field in _spoken(documents, dialect)}
        shared = _document(str(notification.document), dialect)["properties"]
        foreign = [name for name in shared if name not in tabled]
        if foreign:
            own["properties"] = dict.fromkeys(foreign, False)
    return own


def _document(kind: str, dialect: Dialect) -> Schema:
    named: dict[str, list[Field]] = {}
    for notification in NOTIFICATIONS.values():
        if notification.document == kind:
            for field in _spoken(notification.documents, dialect):
                named.setdefault(field.name, []).append(field)
    return {
        "title": f"{kind} document",
        "description": f"A {kind} as the server's data store holds it, in the `docs` of hits.",
        "type": "object",
    } | _object(named, dialect)


def _object(named: Mapping[str, list[Field]], dialect: Dialect) -> Schema:
    body: Schema = {"properties": {}}
    families: Schema = {}
    for name, fields in named.items():
        if fields[0].is_family:
            families[_family(name)] = _field(fields, dialect)
        else:
            body["properties"][name] = _field(fields, dialect)
    if families:
        body["patternProperties"] = families
    body["additionalProperties"] = dialect is Dialect.OBSERVED
    return body


def _family(name: str) -> str:
    stem, _, placeholder = name.partition("<")
    return f"^{stem}" + (r"\d+$" if placeholder == "id>" else ".+$")


def _field(fields: list[Field], dialect: Dialect) -> Schema:
    """The schema of a field that several notifications have."""
    first, domain = fields[0], fields[0].domain
    known = {shape for field in fields for shape in field.shapes(dialect)}
    known |= {field.documented for field in fields if field.documented is not None}
    if dialect is Dialect.OBSERVED:
        known |= _also_met(domain.kind, known)
    meanings = [field.meaning for field in fields if field.table_type] or [first.meaning]
    described = _described(domain, meanings[0])
    sources = [field.source for field in fields if field.table_type] or [first.source]
    return described | {"$comment": sources[0]} | _value(domain, known, dialect)


def _also_met(kind: Kind, known: set[Shape]) -> set[Shape]:
    """Shapes that a field of that kind has in one message or another (wire: Dialects)."""
    met: set[Shape] = set()
    if kind in (Kind.INTEGER, Kind.NUMBER):
        met = {Shape.DIGITS, Shape.NUMBER if kind is Kind.NUMBER else Shape.INTEGER}
    elif kind is Kind.TRUTH:
        met = {Shape.TRUTH, Shape.BOOLEAN}
    elif kind is Kind.OBJECT:
        met = {Shape.TEXTS, Shape.OBJECT}
    elif kind is Kind.TEXT and Shape.ARRAY in known:
        met = {Shape.STRING}
    return met


def _described(domain: Domain, meaning: str) -> Schema:
    text = meaning or domain.meaning
    if domain.meaning and domain.meaning not in text:
        text = f"{text.rstrip('.')}. {domain.meaning}" if text else domain.meaning
    if domain.unit and domain.unit not in text:
        text = f"{text.rstrip('.')}. Unit: {domain.unit}."
    return {"title": domain.name} | ({"description": text.strip()} if text.strip() else {})


def _value(domain: Domain, shapes: set[Shape], dialect: Dialect) -> Schema:
    types = sorted({_TYPES[shape] for shape in shapes})
    if "number" in types and "integer" in types:
        types.remove("integer")
    out: Schema = {"type": types[0] if len(types) == 1 else types}
    if shapes & {Shape.INTEGER, Shape.NUMBER}:
        out |= _bounds(domain, dialect)
    elif Shape.MILLIS in shapes:
        out["minimum"] = 0
    out |= _string(domain, shapes, alone=types == ["string"], dialect=dialect)
    if Shape.ARRAY in shapes and domain.kind is not Kind.DOCUMENTS:
        out["items"] = _items(domain)
    if domain.kind is Kind.DOCUMENTS:
        out["minItems"] = 1
    if shapes & {Shape.OBJECT, Shape.TEXTS} and domain.entries:
        out |= _entries(domain, lenient=Shape.TEXTS in shapes)
    example = _example(domain, shapes)
    return out if example is None else out | {"examples": [example]}


def _bounds(domain: Domain, dialect: Dialect) -> Schema:
    low, high = domain.minimum, domain.maximum
    if dialect is Dialect.DOCUMENTED and high is not None and high == 2**32 - 1:
        high = 2**31 - 1
    return ({} if low is None else {"minimum": low}) | ({} if high is None else {"maximum": high})


def _string(
    domain: Domain, shapes: set[Shape], *, alone: bool, dialect: Dialect = Dialect.OBSERVED
) -> Schema:
    """What a value must be where it is a string."""
    patterns: list[str] = []
    if domain.format == "date-time" and dialect is Dialect.OBSERVED:
        patterns.append(_INSTANT)
    elif Shape.STRING in shapes:
        if domain.closed:
            if alone:
                return {"enum": list(domain.choices)}
            patterns.append(f"^(?:{'|'.join(domain.choices)})$")
        elif domain.pattern:
            patterns.append(domain.pattern)
        else:
            return {}
    if Shape.DIGITS in shapes:
        patterns.append(_DIGITS[domain.kind, domain.minimum == 0])
    if Shape.TRUTH in shapes:
        patterns.append("^(?:true|false)$")
    if Shape.DISPLAY in shapes:
        patterns.append(_DISPLAY)
    if Shape.KEY in shapes:
        patterns.append(str(PROCESS_KEY.pattern))
    if Shape.JSON in shapes:
        return {"contentMediaType": "application/json"}
    if not patterns:
        return {}
    if len(patterns) == 1:
        form = domain.format if alone and Shape.DISPLAY not in shapes else None
        return ({"format": form} if form else {}) | {"pattern": patterns[0]}
    inner = "|".join(pattern.removeprefix("^").removesuffix("$") for pattern in patterns)
    return {"pattern": f"^(?:{inner})$"}


def _items(domain: Domain) -> Schema:
    if domain.kind is Kind.HIGHLIGHTS:
        return {"type": ["string", "object"]}
    if domain.kind is Kind.RECORDS:
        names = [name for name, _ in domain.entries]
        return {"type": "object", "required": names} | _entries(domain, lenient=False)
    if domain.kind is Kind.INTEGER:
        return {"type": "integer"} | _bounds(domain, Dialect.OBSERVED)
    return {"type": "string"} | _string(domain, {Shape.STRING}, alone=True)


def _entries(domain: Domain, *, lenient: bool) -> Schema:
    plain: Schema = {}
    families: Schema = {}
    for name, entry in domain.entries:
        usual = {
            Kind.INTEGER: Shape.INTEGER, Kind.NUMBER: Shape.NUMBER, Kind.HIGHLIGHTS: Shape.ARRAY,
        }.get(entry.kind, Shape.STRING)  # fmt: skip
        shapes = {usual} | ({Shape.DIGITS} if lenient and usual is Shape.INTEGER else set())
        value = _described(entry, "") | _value(entry, shapes, Dialect.OBSERVED)
        if name.endswith(">"):
            families[_family(name)] = value
        else:
            plain[name] = value
    out: Schema = {"properties": plain} if plain else {}
    return out | ({"patternProperties": families} if families else {})


def _example(domain: Domain, shapes: set[Shape]) -> object | None:
    example = domain.example
    if domain.kind in (Kind.DOCUMENTS, Kind.HIGHLIGHTS, Kind.RECORDS) or example == "":
        return None
    if domain.kind in (Kind.INTEGER, Kind.NUMBER):
        if not shapes & {Shape.INTEGER, Shape.NUMBER}:
            return str(example)
        # The unsigned code of an example is none of the int32 that the table says.
        return None if domain.maximum == 2**32 - 1 else example
    if domain.format == "date-time" and Shape.STRING not in shapes:
        whole = str(example).partition(".")[0]
        return f"{whole}.544000Z" if Shape.MICROS in shapes else f"{whole}Z"
    if domain.kind is Kind.TRUTH:
        return example if Shape.BOOLEAN in shapes else str(example).lower()
    if domain.kind is Kind.OBJECT:
        return example if Shape.OBJECT in shapes else None
    return example if Shape.STRING in shapes else [example]
