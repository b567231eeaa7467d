"""Messages with some fields as a test wants them, and all that tells the same changed with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import orjson
from google.protobuf.message import Message as ProtoMessage

from cbsim.catalog import RAW_EVENTS, Notification, lookup
from cbsim.errors import CbsimError, WireError
from cbsim.wire.clock import iso_time, parse_iso_time
from cbsim.wire.identity import (
    parse_process_key,
    parse_unique_id,
    process_key,
    store_path,
    unique_id,
)
from cbsim.wire.message import Message
from cbsim.wire.sensor_events_pb2 import CbEventMsg

__all__ = ["altered"]

_EVERYWHERE = ("sensor_id", "hostname", "md5")
"""Names that every message takes, whether or not it tells such a thing."""

Part = dict[str, Any]
"""A notification, or one of its documents."""


def altered(name: str, message: Message, fields: Mapping[str, Any]) -> Message:
    """The message of that name with these fields; raises CbsimError.

    A field is as it is given, in the type that the message has it in: `3` becomes `"3"` where it
    is a string. What tells the same in other words follows: an MD5 wherever it stands, the parts
    of process keys and unique ids, `host|sensor`, the routing key, the names that a watchlist and
    a feed give to fields of documents.
    """
    entry = lookup(name)
    if isinstance(entry, Notification):
        return _Notification(entry, message).altered(fields)
    return _Event(name, message).altered(fields)


class _Notification:
    def __init__(self, entry: Notification, message: Message) -> None:
        self._entry, self._message, self._key = entry, message, message.routing_key
        self._body: Part = orjson.loads(message.body)
        self._documents: list[Part] = self._body.get("docs", [])
        self._parts = [self._body, *self._documents]

    def altered(self, fields: Mapping[str, Any]) -> Message:
        name, entry = self._entry.name, self._entry
        own = {field.name for field in entry.fields} | {*self._body}
        known = [*own, *(field.name for field in entry.documents), *_EVERYWHERE,
                 *(field for part in self._documents for field in part)]  # fmt: skip
        for field in fields:
            if field not in known:
                raise CbsimError(_unknown(name, field, known))
        for field, value in fields.items():
            if field in _FOLLOWING:
                try:
                    _FOLLOWING[field](self, value)
                except (ValueError, WireError) as error:
                    raise CbsimError(f"{name}: {field}={value!r}: {error}") from None
        for field, value in fields.items():
            told = [part for part in self._parts if field in part]
            if not told and (field not in _EVERYWHERE or field in own):
                told = [self._body] if field in own else self._documents
            for part in told:
                part[field] = _as_was(part.get(field), value)
        try:
            return self._message._replace(body=orjson.dumps(self._body), routing_key=self._key)
        except TypeError as error:
            raise CbsimError(f"{name}: {', '.join(fields)}: {error}") from None

    def sensor_id(self, value: Any) -> None:
        number = _whole(value, 0, 2**32 - 1)
        for part in self._parts:
            for field in _keys(part, "parent_unique_id"):
                part[field] = f"{number:08x}{part[field][8:]}"
        self._rename_endpoints(lambda host, _: f"{host}|{number}")

    def hostname(self, value: Any) -> None:
        if not isinstance(value, str):
            raise ValueError("expected a string")
        self._rename_endpoints(lambda _, sensor: f"{value}|{sensor}")

    def md5(self, value: Any) -> None:
        if not isinstance(value, str) or not re.fullmatch("[0-9A-Fa-f]{32}", value):
            raise ValueError("expected 32 hex digits")
        told = [part[field] for field in ("md5", "process_md5") for part in self._parts
                if isinstance(part.get(field), str)]  # fmt: skip
        if "file_path" in self._body:
            self._body["file_path"] = store_path(value)
        if told:
            old = re.compile(re.escape(told[0]), re.IGNORECASE)
            for part in self._parts:
                for field in [*part]:
                    if field not in ("docs", "parent_md5"):
                        part[field] = _with_md5(part[field], old, value)

    def process_pid(self, value: Any) -> None:
        pid = _whole(value, 0, 2**32 - 1)
        self._rekey(lambda sensor, _, created: (sensor, pid, created))

    def parent_pid(self, value: Any) -> None:
        pid = _whole(value, 0, 2**32 - 1)
        for part in self._parts:
            text = part.get("parent_unique_id")
            if isinstance(text, str):
                key, segment = parse_unique_id(text)
                made = process_key(key.sensor_id, pid, key.create_time)
                part["parent_unique_id"] = unique_id(made, segment, len(text) - 37)

    def start(self, value: Any) -> None:
        created = parse_iso_time(str(value))
        self._rekey(lambda sensor, pid, _: (sensor, pid, created))

    def process_id(self, value: Any) -> None:
        self._be(*parse_process_key(str(value)))

    def unique_id(self, value: Any) -> None:
        if "alert_type" not in self._body:
            key, segment = parse_unique_id(str(value))
            self._be(*key)
            self.segment_id(segment)
            self._tell("segment_id", segment)

    def segment_id(self, value: Any) -> None:
        for part in self._parts:
            for field in _keys(part):
                text = part[field]
                if len(text) > 36:
                    number = _whole(value, 0, 2**63 - 1)
                    part[field] = unique_id(text[:36], number, len(text) - 37)

    def watchlist_id(self, value: Any) -> None:
        number, old = _whole(value, 0, 2**63 - 1), self._body.get("watchlist_id")
        for part in self._documents:
            _rename(
                part, lambda field: f"watchlist_{number}" if field == f"watchlist_{old}" else ""
            )
        self._number("watchlist_id", number)
        # A feed's alert has the feed's id under both names.
        if "alert_type" in self._body and self._body.get("feed_id") == old:
            self._tell("feed_id", number)

    def feed_id(self, value: Any) -> None:
        number, old = _whole(value, -1, 2**63 - 1), self._body.get("feed_id")
        self._number("feed_id", number)
        if "alert_type" in self._body and self._body.get("watchlist_id") == old:
            self._tell("watchlist_id", number)

    def feed_name(self, value: Any) -> None:
        old = self._body.get("feed_name")
        told = re.compile(rf"(alliance_(?:score|link|data|updated)_){re.escape(str(old))}")

        def renamed(field: str) -> str:
            match = told.fullmatch(field)
            return f"{match[1]}{value}" if match else ""

        for part in self._documents:
            _rename(part, renamed)

    def _number(self, field: str, number: int) -> None:
        """Have the routing key tell a database id, where it does."""
        head, _, rest = self._key.partition(".")
        old, _, tail = rest.partition(".")
        if field == self._entry.database_id and old.isdigit():
            self._key = f"{head}.{number}.{tail}"

    def _be(self, sensor: int, pid: int, created: int) -> None:
        """Be of another process, whose parent is of the same sensor then."""
        self._rekey(lambda *_: (sensor, pid, created))
        self.sensor_id(sensor)
        self._tell("sensor_id", sensor)
        self._tell("process_pid", pid)
        self._tell("start", iso_time(created))

    def _rekey(self, change: Callable[[int, int, int], tuple[int, int, int]]) -> None:
        for part in self._parts:
            for field in _keys(part):
                text = part[field]
                part[field] = process_key(*change(*parse_process_key(text[:36]))) + text[36:]

    def _tell(self, field: str, value: Any) -> None:
        for part in self._parts:
            if field in part:
                part[field] = _as_was(part[field], value)

    def _rename_endpoints(self, rename: Callable[[str, str], str]) -> None:
        for part in self._documents:
            told = part.get("endpoint")
            if isinstance(told, list):
                part["endpoint"] = [_renamed(one, rename) for one in told]
            elif told is not None:
                part["endpoint"] = _renamed(told, rename)


_FOLLOWING: Mapping[str, Callable[[_Notification, Any], None]] = {
    "sensor_id": _Notification.sensor_id,
    "hostname": _Notification.hostname,
    "md5": _Notification.md5,
    "process_md5": _Notification.md5,
    "process_pid": _Notification.process_pid,
    "parent_pid": _Notification.parent_pid,
    "start": _Notification.start,
    "process_id": _Notification.process_id,
    "id": _Notification.process_id,
    "unique_id": _Notification.unique_id,
    "segment_id": _Notification.segment_id,
    "watchlist_id": _Notification.watchlist_id,
    "feed_id": _Notification.feed_id,
    "feed_name": _Notification.feed_name,
}
"""What else changes when a field does."""


def _keys(part: Part, *more: str) -> list[str]:
    """The fields that name the process of a part."""
    # An alert's unique_id is a UUID, and no process.
    own = ("process_id", "id") if "alert_type" in part else ("process_id", "id", "unique_id")
    return [field for field in (*own, *more) if isinstance(part.get(field), str)]


def _rename(part: Part, rename: Callable[[str], str]) -> None:
    """Give fields other names, "" for the same; their order stays."""
    items = [(rename(field) or field, value) for field, value in part.items()]
    part.clear()
    part.update(items)


def _renamed(endpoint: object, rename: Callable[[str, str], str]) -> str:
    host, _, sensor = str(endpoint).rpartition("|")
    return rename(host, sensor)


def _with_md5(told: Any, old: re.Pattern[str], new: str) -> Any:
    """A value with another MD5 in place of the old, in the case that it had there."""
    if isinstance(told, str):
        return old.sub(lambda it: new.upper() if it[0].isupper() else new.lower(), told)
    if isinstance(told, list):
        return [_with_md5(one, old, new) for one in told]
    if isinstance(told, dict):
        return {field: _with_md5(one, old, new) for field, one in told.items()}
    return told


def _as_was(was: object, value: Any) -> Any:
    """The value, as a string where there was a string."""
    if isinstance(was, str) and isinstance(value, int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value


class _Event:
    def __init__(self, name: str, message: Message) -> None:
        self._name, self._message = name, message
        self._event = event = CbEventMsg.FromString(message.body)
        carried = [it for one, it in event.ListFields() if one.name in RAW_EVENTS[name].carries]
        inner = [it for part in carried for one, it in part.ListFields()
                 if one.message_type is not None and not one.is_repeated]  # fmt: skip
        self._parts: list[ProtoMessage] = [*carried, *inner, event.header]

    def altered(self, fields: Mapping[str, Any]) -> Message:
        known = [*_EVERYWHERE, *(field for part in self._parts
                                 for field in part.DESCRIPTOR.fields_by_name)]  # fmt: skip
        for field, value in fields.items():
            if field not in known:
                raise CbsimError(_unknown(self._name, field, known))
            try:
                self._alter(field, value)
            except (TypeError, ValueError) as error:
                raise CbsimError(f"{self._name}: {field}={value!r}: {error}") from None
        return self._message._replace(body=self._event.SerializeToString())

    def _alter(self, field: str, value: Any) -> None:
        endpoint = self._event.env.endpoint
        if field == "sensor_id":
            endpoint.SensorId = _whole(value, 0, 2**31 - 1)
        elif field == "hostname":
            endpoint.SensorHostName = value
        elif field == "md5":
            self._md5(value)
        else:
            self._set(field, value)

    def _md5(self, value: Any) -> None:
        """What the event is about, else its process, gets another MD5."""
        for field in ("md5hash", "md5", "blockedmd5Hash", "process_md5"):
            for part in self._parts:
                if field in part.DESCRIPTOR.fields_by_name and part.HasField(field):
                    self._set(field, value)
                    return
        self._set("process_md5", value)

    def _set(self, field: str, value: Any) -> None:
        part = next(part for part in self._parts if field in part.DESCRIPTOR.fields_by_name)
        old = getattr(part, field) if part.HasField(field) else None
        setattr(part, field, _encoded(part, field, value))
        same = next((one for one in _SAME if field in one), frozenset())
        for other, one in self._others(same):
            if old and getattr(other, one) == old:
                setattr(other, one, getattr(part, field))

    def _others(self, names: frozenset[str]) -> Iterator[tuple[ProtoMessage, str]]:
        """Where fields of those names are set."""
        for part in [*self._parts, *self._event.strings]:
            for one, _ in part.ListFields():
                if one.name in names:
                    yield part, one.name


_SAME = (
    frozenset({"process_md5", "md5hash", "blockedmd5Hash"}),
    frozenset({"process_pid", "pid"}),
    frozenset({"process_create_time", "create_time"}),
    frozenset({"process_guid", "guid", "parent_guid", "filepath_string_guid",
               "process_filepath_string_guid", "handlepath_string_guid"}),
)  # fmt: skip
"""Fields of raw events that mean the same thing where they have the same value."""


def _encoded(part: ProtoMessage, field: str, value: Any) -> Any:
    """A value as protobuf takes it: hashes may be hex digits, and bytes a text."""
    wanted = part.DESCRIPTOR.fields_by_name[field]
    if wanted.type != wanted.TYPE_BYTES or not isinstance(value, str):
        return value
    if "md5" not in field.lower() and "sha256" not in field.lower():
        return value.encode()
    digits = 32 if "md5" in field.lower() else 64
    if not re.fullmatch(f"[0-9A-Fa-f]{{{digits}}}", value):
        raise ValueError(f"expected {digits} hex digits")
    # CbModuleInfoMsg has its MD5 in ASCII.
    return value.upper().encode() if field == "md5" else bytes.fromhex(value)


def _whole(value: Any, least: int, most: int) -> int:
    said = f"expected a whole number from {least} to {most}"
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(said) from None
    if isinstance(value, bool) or number != float(value) or not least <= number <= most:
        raise ValueError(said)
    return number


def _unknown(name: str, field: str, known: list[str]) -> str:
    near = get_close_matches(field, known, n=1)
    hint = f": did you mean {near[0]!r}?" if near else f"; `cbsim events {name}` lists them"
    return f"{name} has no field {field!r}{hint}"
