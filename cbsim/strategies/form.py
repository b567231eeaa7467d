"""A notification of the catalog drawn field by field: who it speaks of first, then each field's
presence, value and shape.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from hypothesis.strategies import SearchStrategy

from cbsim.catalog import NOTIFICATIONS, Dialect, Field, Kind, Notification, ServerVersion, Shape
from cbsim.catalog import domain as domains
from cbsim.strategies import value
from cbsim.strategies.cast import Cast, Given
from cbsim.strategies.value import Draw, Time
from cbsim.wire.clock import (
    display_time,
    epoch_seconds,
    iso_time,
    micros_bytes,
    milliseconds,
    seconds_bytes,
    trimmed_bytes,
)  # fmt: skip
from cbsim.wire.identity import UNKNOWN_PARENT_MD5, store_path, unique_id

__all__ = ["MANY", "MIXED", "JsonObject", "Plan", "Slot", "fields_of", "notification", "plan"]

JsonObject = dict[str, Any]
"""A JSON object as `json.loads` gives it."""

MIXED = "mixed"
"""Each field as one dialect or the other has it; of a document, as any notification with such
documents has it.
"""

# As large as Hypothesis still shows without a warning (30,000 characters).
MANY = 25
"""How many documents the largest messages hold when nobody says; real ones were seen with 100."""
HUGE = 20_000
"""How many characters the largest texts have."""

T = TypeVar("T")
Source = Callable[[Cast], Any]


@dataclass(frozen=True, slots=True)
class Slot:
    """One field as a server of a version and dialect may write it."""

    name: str
    domain: domains.Domain
    source: Source
    shapes: tuple[Shape, ...]
    optional: bool
    family: bool
    signed: bool
    """Whether only a signed binary has it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A notification as servers of one version and dialect may write it."""

    notification: Notification
    version: ServerVersion
    fields: tuple[Slot, ...]
    documents: tuple[Slot, ...]
    about: str
    """What it is a hit of: `process`, `binary`, `host`, or anything else."""
    kinds: tuple[str, ...]
    """The types of its indicator."""
    single: bool
    """Whether it names one process or binary, and all its documents are of that."""
    swells: SearchStrategy[str | None]
    """What may grow huge: mostly nothing, else a text or `docs`."""


_UNKNOWN = value.choice((False, False, False, True))
_LENGTH = value.choice((1, 0, 2, 3))
_FAMILY = value.choice((1, 2, 3))
_ROLES = {"process": ("process", "parent"), "binary": ("endpoint", "binary")}
"""Whom a document of that kind speaks of."""

_ENDPOINT: dict[str, Source] = {
    "sensor_id": lambda cast: cast.endpoint.sensor_id,
    "hostname": lambda cast: cast.endpoint.hostname,
    "group": lambda cast: cast.endpoint.group,
}
_INDICATOR: dict[str, Source] = {
    "ioc_type": lambda cast: cast.indicator.type,
    "ioc_value": lambda cast: cast.indicator.value,
}
_SIGNATURE: dict[str, Source] = {
    "digsig_result": lambda cast: cast.binary.signature,
    "digsig_result_code": lambda cast: cast.binary.result_code,
    "signed": lambda cast: cast.binary.signature,
}
_IN_MESSAGE: dict[str, Source] = _ENDPOINT | _INDICATOR | _SIGNATURE | {
    "process_id": lambda cast: cast.process.key,
    "process_unique_id": lambda cast: cast.process.unique_id(cast.version),
    "segment_id": lambda cast: cast.process.segment,
    "process_name": lambda cast: cast.process.name,
    "process_path": lambda cast: cast.process.path,
    "md5": lambda cast: cast.binary.md5,
    "sha256": lambda cast: cast.binary.sha256,
    "file_path": lambda cast: store_path(cast.binary.md5),
    "size": lambda cast: cast.binary.size,
    "watchlist_id": lambda cast: cast.watchlist_id,
    "feed_id": lambda cast: cast.feed_id,
    "event_timestamp": lambda cast: epoch_seconds(cast.moment),
}  # fmt: skip
_IN_PROCESS: dict[str, Source] = _ENDPOINT | {
    "id": lambda cast: cast.process.key,
    "unique_id": lambda cast: cast.process.unique_id(cast.version),
    "segment_id": lambda cast: cast.process.segment,
    "process_pid": lambda cast: cast.process.pid,
    "process_md5": lambda cast: cast.process.md5,
    "process_name": lambda cast: cast.process.name,
    "path": lambda cast: cast.process.path,
    "os_type": lambda cast: cast.endpoint.os,
    "start": lambda cast: Time(cast.process.created),
    "last_update": lambda cast: Time(cast.acted),
    "interface_ip": lambda cast: cast.endpoint.address - (cast.endpoint.address >> 31 << 32),
    "parent_id": lambda cast: cast.parent.guid,
    "process_sha256": lambda cast: cast.process.sha256,
    "parent_sha256": lambda cast: cast.parent.sha256,
    "parent_md5": lambda cast: UNKNOWN_PARENT_MD5 if cast.draw(_UNKNOWN) else cast.parent.md5,
    "parent_name": lambda cast: cast.parent.name,
    "parent_pid": lambda cast: cast.parent.pid,
    "parent_unique_id": lambda cast: cast.parent.unique_id(cast.version),
}  # fmt: skip
_IN_BINARY: dict[str, Source] = _ENDPOINT | _SIGNATURE | {
    "md5": lambda cast: cast.binary.md5,
    "sha256": lambda cast: cast.binary.sha256,
    "orig_mod_len": lambda cast: cast.binary.size,
    "endpoint": lambda cast: f"{cast.endpoint.hostname}|{cast.endpoint.sensor_id}",
}  # fmt: skip
_SOURCES = {None: _IN_MESSAGE, "process": _IN_PROCESS, "binary": _IN_BINARY}
# The message's own name, and what must be what its type says.
_EXACT = ("type", "alert_type", "ioc_value")
_IF_SIGNED = frozenset(
    "digsig_publisher digsig_sign_time digsig_issuer digsig_subject digsig_prog_name".split()
)


@cache
def plan(name: str, version: ServerVersion, dialect: str) -> Plan:
    """How a server of that version writes a notification: `documented`, `observed` or `mixed`."""
    notification = NOTIFICATIONS[name]
    spoken = [*Dialect] if dialect == MIXED else [Dialect(dialect)]
    fields = _slots(notification, notification.fields, spoken, version, None)
    documents = _slots(notification, notification.documents, spoken, version, notification.document)
    growing: list[str | None] = [slot.name for slot in (*fields, *documents) if _may_grow(slot)]
    growing[:0] = ["docs"] * (len(growing) // 3) if documents else []
    kinds = [one.domain.choices for one in notification.fields if one.name == "ioc_type"]
    return Plan(
        notification,
        version,
        fields,
        documents,
        notification.name.rpartition(".")[2],
        kinds[0] if kinds else (),
        any(slot.name in ("process_id", "md5") for slot in fields),
        value.choice([None] * (9 + 5 * len(growing)) + growing),
    )


def _slots(
    notification: Notification,
    fields: tuple[Field, ...],
    spoken: list[Dialect],
    version: ServerVersion,
    document: str | None,
) -> tuple[Slot, ...]:
    slots = []
    for field in fields:
        shapes: dict[Shape, None] = {}
        optional = False
        for dialect in spoken:
            tables = dialect is Dialect.DOCUMENTED and notification.section is not None
            known = field.documented is not None if tables else bool(field.observed)
            if known and (tables or version.includes(field.since)):
                shapes |= dict.fromkeys(notification.shapes(field.in_version(version), dialect))
                optional |= field.optional if tables else not field.required
            else:
                optional = True
        if shapes and document is not None and len(spoken) > 1:
            shapes |= _elsewhere(document, field.name)
        if shapes and field.domain.kind is not Kind.DOCUMENTS:
            slots.append(
                Slot(
                    field.name,
                    field.domain,
                    _source(notification, field, document, tabled=Dialect.DOCUMENTED in spoken),
                    tuple(shapes),
                    optional,
                    field.is_family,
                    field.name in _IF_SIGNED,
                )
            )
    return tuple(slots)


@cache
def _elsewhere(document: str, field: str) -> dict[Shape, None]:
    """The shapes that a field of such documents has in any notification, of any server."""
    return dict.fromkeys(
        shape
        for notification in NOTIFICATIONS.values()
        if notification.document == document
        for one in notification.documents
        if one.name == field
        for dialect in Dialect
        for shape in notification.shapes(one, dialect)
    )


def _source(
    notification: Notification, field: Field, document: str | None, *, tabled: bool
) -> Source:
    name = notification.name
    if document is None:
        if field.name == "type":
            return lambda _: name
        if field.name == "alert_type":
            return lambda _: name.removeprefix("alert.")
        if field.name == "md5" and field.domain is domains.MD5_LOWER:
            return lambda cast: cast.process.md5
        if field.name == "sha256" and notification.name.endswith(".process"):
            return lambda cast: cast.process.sha256.upper()
        if field.name == "highlights":
            return _highlights
        if name == "feed.query.hit.process" and field.name == "sensor_id" and tabled:
            return _sensor_or_none
    known = _SOURCES[document].get(field.name)
    if known is not None and field.domain is not domains.REPORT:
        return known
    draw_value = value.drawing(field.domain)
    return lambda cast: draw_value(cast.draw)


def _may_grow(slot: Slot) -> bool:
    free = not slot.domain.pattern and not slot.domain.choices
    return slot.domain.kind is Kind.TEXT and free and slot.name not in _EXACT


def notification(draw: Draw, plan: Plan, given: Given, cast: Cast | None = None) -> JsonObject:
    """The whole of a notification; who it speaks of is read from, or put into, `cast`."""
    cast = cast or Cast(draw, given, plan.version)
    cast.about, cast.kinds = plan.about, plan.kinds
    swells = draw(plan.swells)
    slots = plan.fields
    if not plan.documents:
        return fields_of(cast, slots, swells)
    if plan.single:
        # Drawn by all documents alike, so that one can be taken out by whoever shrinks them.
        for role in _ROLES[plan.about]:
            getattr(cast, role)
    documents = []
    for number in range(draw(_numbers(given.least_docs, given.most_docs))):
        # What the message itself says is said of its first document.
        one = cast if number == 0 else Cast(draw, given, plan.version)
        if number and plan.single:
            one.share(cast)
        documents.append(fields_of(one, plan.documents, swells))
    if swells == "docs" and not given.docs_given and given.md5 is None:
        documents = [*_multiplied(documents[0], cast, plan)]
    cast.ids = tuple(str(one.get("unique_id") or one.get("md5")) for one in documents[:3])
    fields = fields_of(cast, slots, swells)
    fields["docs"] = documents
    return fields


@cache
def _one_of(choices: tuple[T, ...]) -> SearchStrategy[T]:
    return value.choice(choices)


@cache
def _numbers(least: int, most: int) -> SearchStrategy[int]:
    return value.number(least, most)


def _multiplied(one: JsonObject, cast: Cast, plan: Plan) -> Iterator[JsonObject]:
    """Many documents like one: other processes' or binaries', unless the hit is of this one."""
    yield one
    for number in range(1, MANY):
        other = dict(one)
        if not plan.single and "unique_id" in one:
            digits = cast.version.segment_digits
            segment = (cast.process.segment + number) % 2 ** (4 * digits - 1)
            other["unique_id"] = unique_id(cast.process.key, segment, digits)
            if "segment_id" in one:
                other["segment_id"] = segment
        elif not plan.single:
            other["md5"] = f"{int(one['md5'], 16) ^ number:032X}"
        yield other


def fields_of(cast: Cast, slots: tuple[Slot, ...], swells: str | None = None) -> JsonObject:
    """The fields of a message or of a document; the one named by `swells` is huge."""
    draw = cast.draw
    fields: JsonObject = {}
    for slot in slots:
        if slot.optional and not draw(value.BOOLEAN):
            continue
        if slot.signed and not cast.binary.signed:
            continue
        shapes = slot.shapes
        if slot.family:
            for _ in range(draw(_FAMILY)):
                name = value.family_member(draw, slot.name)
                shape = shapes[0] if len(shapes) == 1 else draw(_one_of(shapes))
                fields[name] = _written(slot, slot.source(cast), shape, cast)
            continue
        found = slot.source(cast)
        if slot.name == swells:
            found = ((found or "A") * HUGE)[:HUGE]
        shape = shapes[0] if len(shapes) == 1 else draw(_one_of(shapes))
        fields[slot.name] = _written(slot, found, shape, cast)
    return fields


def _written(slot: Slot, found: Any, shape: Shape, cast: Cast) -> Any:
    if shape is Shape.STRING:
        return iso_time(found) if isinstance(found, Time) else found
    if shape is Shape.INTEGER:
        if slot.domain is domains.RESULT_CODE:
            # 0x800B0100 does not fit the table's int32: as signed it does.
            return found - 2**32 if found > 2**31 - 1 else found
        return int(found)
    if shape is Shape.NUMBER:
        return float(found)
    if shape is Shape.DIGITS:
        return str(found)
    if shape is Shape.JSON and slot.domain is domains.QUERY:
        return json.dumps({"index_type": "events", "search_query": found})
    if shape is Shape.ARRAY:
        return _listed(slot, found, cast.draw)
    if shape is Shape.KEY:
        return cast.parent.key
    return _WRITTEN[shape](found)


def _listed(slot: Slot, found: Any, draw: Draw) -> list[Any]:
    if isinstance(found, list):
        return found
    length = draw(_LENGTH)
    drawn = value.drawing(slot.domain)
    return [found, *(drawn(draw) for _ in range(length - 1))] if length else []


def _as_texts(found: dict[str, Any]) -> dict[str, Any]:
    return {name: one if isinstance(one, list) else str(one) for name, one in found.items()}


_WRITTEN: dict[Shape, Callable[[Any], Any]] = {
    Shape.BOOLEAN: lambda found: found,
    Shape.OBJECT: lambda found: found,
    Shape.NULL: lambda _: None,
    Shape.TRUTH: lambda found: "true" if found else "false",
    Shape.TEXTS: _as_texts,
    Shape.JSON: json.dumps,
    Shape.DISPLAY: display_time,
    Shape.SECONDS: lambda found: seconds_bytes(found).decode(),
    Shape.TRIMMED: lambda found: trimmed_bytes(found).decode(),
    Shape.MICROS: lambda found: micros_bytes(found).decode(),
    Shape.MILLIS: milliseconds,
}


def _sensor_or_none(cast: Cast) -> int:
    """Of the field that the table has twice, once with the words "Always 0 for event"."""
    free = cast.given.sensor_id is value.ID
    return 0 if free and cast.draw(_UNKNOWN) else cast.endpoint.sensor_id


def _highlights(cast: Cast) -> list[JsonObject]:
    draw_texts = value.drawing(domains.HIGHLIGHTS)
    return [{"name": text, "ids": [*cast.ids]} for text in draw_texts(cast.draw)]
