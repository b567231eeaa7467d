"""What a consumer put out, in whatever format: each item by what it can be matched with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import jsonpath
import orjson

from cbsim.catalog import name_of
from cbsim.checks.identity import identity_of, part_of_fields
from cbsim.checks.ledger import content_digest, digest
from cbsim.checks.record import Record
from cbsim.errors import CatalogError, InputError, WireError
from cbsim.wire.clock import TICKS, parse_iso_time

__all__ = ["EVENT_KEY", "FIELDS", "PRESETS", "Item", "Layout", "key_of", "known_name", "layout_of"]

FIELDS = ("name", "guid", "md5", "timestamp", "report_id", "sensor", "received")
"""What `--map` may say the place of: `name` is the routing key, `received` when it arrived."""

_UNIX = 11_644_473_600


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a consumer put out. Without a key it cannot be read."""

    where: str
    key: bytes | None
    name: str | None = None
    """The notification or raw event, when the output says so."""
    identity: Mapping[str, Any] = field(default_factory=dict)
    received: float | None = None
    """Seconds since 1970."""
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How an output is matched: by the digest of bodies, by content, or by identity fields."""

    by: str
    """`digest`, `content`, or `identity`."""
    read: Callable[[Record], Iterable[Item]]
    fields: tuple[str, ...] = ()
    """Of `identity`: what makes the key, of FIELDS and `subject`: the GUID, or else the MD5."""
    exploded: bool = False
    """Whether the documents of a hit and the events of a bundle come one by one."""
    end: Callable[[], None] = lambda: None
    """To be called when all is read; raises InputError for a place that no item has."""


def layout_of(first: Record, preset: str | None, places: Mapping[str, str]) -> Layout:
    """The layout of an output that begins with a record; raises InputError.

    `places` gives, for some of FIELDS, a JSON path or the name of a CSV column. Without it and a
    preset, messages are expected as they were: envelopes, bodies, or JSON with the same content.
    """
    if places:
        return _mapped(places)
    if preset is not None:
        if preset not in _PRESETS:
            raise InputError(f"unknown preset {preset!r}: expected {', '.join(PRESETS)}")
        return _PRESETS[preset]
    return _DIGEST if first.message is not None else _CONTENT


def _mapped(places: Mapping[str, str]) -> Layout:
    """Objects of a foreign format; `places` gives a JSON path or a CSV column for fields."""
    for name, path in places.items():
        if name not in FIELDS:
            near = get_close_matches(name, FIELDS, n=1)
            hint = f"did you mean {near[0]}?" if near else "expected one of " + ", ".join(FIELDS)
            raise InputError(f"--map {name}={path}: {hint}")
    if not set(places) - {"received"}:
        raise InputError("--map: expected a field besides `received`, by which messages are known")
    foreign = _Foreign(places)
    return Layout("identity", foreign.read, foreign.key, end=foreign.end)


class _Foreign:
    """Reads objects of a foreign format, and counts how often each place has something."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places
        self._finders = {name: _finder(path) for name, path in places.items()}
        self._objects = 0
        self._barren = set(places)
        """The fields whose place had nothing so far."""
        self.key = tuple(name for name in places if name != "received")

    def read(self, record: Record) -> Iterator[Item]:
        """The item of a record."""
        fields = _object(record)
        if fields is None:
            yield _unreadable(record)
            return
        found = {name: find(fields) for name, find in self._finders.items()}
        self._objects += 1
        if self._barren:
            self._barren = {name for name in self._barren if found[name] in (None, "")}
        identity = {name: it for name, it in found.items() if name not in ("received", "name")}
        name = known_name(found.get("name"))
        key = key_of(self.key, name, identity)
        fault = None if key is not None else self._fault(found)
        yield Item(record.where, key, name, identity, seconds(found.get("received")), fault)

    def end(self) -> None:
        """Raises InputError for a place that had nothing in any object."""
        if self._objects:
            for name in self._places:
                if name in self._barren:
                    raise InputError(
                        f"--map {name}={self._places[name]}: nothing stands there in any item, of "
                        f"{self._objects:,}"
                    )

    def _fault(self, found: Mapping[str, Any]) -> str:
        """Why an item has no key."""
        return "; ".join(
            f"{name}: nothing at {self._places[name]}" if found[name] in (None, "")
            else f"{name}: {found[name]!r} at {self._places[name]} is no {name}"
            for name in self.key
            if name != "name" or self.key == ("name",)
        )  # fmt: skip


def _finder(path: str) -> Callable[[Mapping[str, Any]], Any]:
    if re.fullmatch(r"(?:\$\.)?[\w-]+", path):
        name = path.removeprefix("$.")
        return lambda fields: fields.get(name)
    try:
        compiled = jsonpath.compile(path)
    except jsonpath.JSONPathError as error:
        raise InputError(f"--map: {path!r} is no JSON path: {error}") from None

    def find(fields: Mapping[str, Any]) -> Any:
        return next(iter(compiled.findall(fields)), None)

    return find


def key_of(fields: Sequence[str], name: str | None, identity: Mapping[str, Any]) -> bytes | None:
    """The key of an identity: its values in one form, whoever wrote them.

    GUIDs are compared by their 36 characters, hashes without regard to case, times to the
    millisecond, whether they are seconds, ISO 8601 or a FILETIME. None when the identity has none
    of the fields, or a name alone where more makes the key: that is the key of all its like.
    """
    values: list[object] = []
    for wanted in fields:
        if wanted == "name":
            values.append(name)
        elif wanted == "subject":
            guid = _text(identity.get("guid"))[:36].lower()
            values.append(guid or _text(identity.get("md5")).upper())
        elif wanted == "timestamp":
            at = seconds(identity.get("timestamp"))
            values.append(None if at is None else round(at * 1000))
        elif wanted == "guid":
            values.append(_text(identity.get("guid"))[:36].lower())
        elif wanted == "md5":
            values.append(_text(identity.get("md5")).upper())
        else:
            values.append(_text(identity.get(wanted)))
    telling = sum(value not in (None, "") for value in values)
    if not telling or (telling == 1 < len(values) and "name" in fields and name):
        return None
    return digest(orjson.dumps(values))


def seconds(value: object) -> float | None:
    """Seconds since 1970 of a number, digits, ISO 8601, or a FILETIME; None for anything else."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            try:
                return parse_iso_time(str(value).replace("+00:00", "Z")) / TICKS - _UNIX
            except WireError:
                return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if value > 1e16:
        return int(value) / TICKS - _UNIX
    return value / 1000 if value > 1e11 else value


def known_name(value: object) -> str | None:
    """The catalog's name for a routing key; the text itself when there is none."""
    if not isinstance(value, str) or not value:
        return None
    try:
        return name_of(value)
    except CatalogError:
        return value


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _unreadable(record: Record) -> Item:
    return Item(record.where, None, fault=record.fault or "no JSON object stands there")


def _object(record: Record) -> Mapping[str, Any] | None:
    if record.fields is not None:
        return record.fields
    if record.message is not None and record.envelope is not None:
        try:
            body = orjson.loads(record.message.body)
        except orjson.JSONDecodeError:
            body = None
        return record.envelope | {"body": body}
    return None


def _read_body(record: Record) -> Iterator[Item]:
    message = record.message
    if message is None:
        yield _unreadable(record)
        return
    received = seconds((record.envelope or {}).get("received"))
    name = known_name(message.routing_key)
    yield Item(record.where, digest(message.body), name, identity_of(message), received)


def _read_content(record: Record) -> Iterator[Item]:
    fields = record.fields
    if fields is None:
        yield _unreadable(record)
        return
    identity = part_of_fields(fields)
    is_event = "header" in fields
    key = key_of(EVENT_KEY, None, identity) if is_event else content_digest(fields)
    yield Item(record.where, key, None, identity)


def _read_forwarded(record: Record) -> Iterator[Item]:
    """A line of a forwarder: `type`, `process_guid`, an upper-case MD5, one document of `docs`."""
    fields = record.fields
    if fields is None:
        yield _unreadable(record)
        return
    docs = fields.get("docs")
    own, name = part_of_fields(fields), known_name(fields.get("type"))
    received = seconds(fields.get("received"))
    for inner in docs if isinstance(docs, list) and docs else [docs]:
        inside = part_of_fields(inner) if isinstance(inner, dict) else {}
        identity = own | {key: it for key, it in inside.items() if key in ("guid", "md5")}
        key = key_of(_FORWARDED, name, identity)
        fault = None if key is not None else "neither process_guid nor md5 nor a time stands there"
        yield Item(record.where, key, name, identity, received, fault)


EVENT_KEY = ("sensor", "guid", "timestamp")
"""What a raw event is known by where its bytes are not kept."""
_FORWARDED = ("name", "subject", "timestamp")
_DIGEST = Layout("digest", _read_body)
_CONTENT = Layout("content", _read_content)
_PRESETS = {"forwarder": Layout("identity", _read_forwarded, _FORWARDED, exploded=True)}
PRESETS = tuple(_PRESETS)
"""The names of the presets."""
