"""What a consumer is likely to keep of a message: by that it can be found again in any format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from google.protobuf.message import DecodeError

from cbsim.catalog import name_of_event
from cbsim.errors import CatalogError, WireError
from cbsim.wire import bundle
from cbsim.wire.clock import parse_iso_time
from cbsim.wire.identity import process_key
from cbsim.wire.message import JSON_TYPE, Message
from cbsim.wire.sensor_events_pb2 import CbEventMsg

__all__ = ["Identity", "identity_of", "part_of_fields"]

Identity = Mapping[str, Any]
"""Any of `guid`, `md5`, `timestamp` (seconds, or a FILETIME in raw events), `report_id`, `sensor`;
and `parts`, a list of the same for the documents of a hit or, with `name`, a bundle's events."""


class _Names(NamedTuple):
    guid: Sequence[str] = ("process_id", "process_guid", "id", "unique_id")
    md5: Sequence[str] = ("md5",)
    timestamp: Sequence[str] = ("event_timestamp", "timestamp")
    report_id: Sequence[str] = ("report_id",)
    sensor: Sequence[str] = ("sensor_id",)


_NAMES = _Names()


def identity_of(message: Message, fields: object = None) -> dict[str, Any]:
    """The identity of a message; empty when its body is broken, as it is in a test of robustness.

    `fields` is the parsed body of a notification, when it is at hand.

    >>> identity_of(Message("api.events", "cmd.feed.synchronize", JSON_TYPE, b'{"sensor_id": 3}'))
    {'sensor': 3}
    """
    if message.content_type == JSON_TYPE:
        try:
            fields = orjson.loads(message.body) if fields is None else fields
        except orjson.JSONDecodeError:
            return {}
        return _of_notification(fields) if isinstance(fields, dict) else {}
    try:
        if message.routing_key:
            return _of_event(message.body, 0)
        sensor = int(message.headers.get("sensorId", 0))
        parts = [
            _of_bundled(body, sensor)
            for run in bundle.members(message.body)
            for body in bundle.split(run)
        ]
    except (DecodeError, WireError, ValueError):
        return {}
    return {"sensor": sensor, "parts": parts}


def part_of_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The identity of a JSON object: a notification, a document, or an event in JSON mapping."""
    header = fields.get("header")
    if isinstance(header, dict):
        endpoint = (fields.get("env") or {}).get("endpoint") or {}
        sensor = _whole(endpoint.get("SensorId"))
        key = _key(sensor, _whole(header.get("process_pid")),
                   _whole(header.get("process_create_time")))  # fmt: skip
        at = {"sensor": sensor, "timestamp": _whole(header.get("timestamp"))}
        return at | ({"guid": key} if key else {})
    found: dict[str, Any] = {}
    for name, candidates in _NAMES._asdict().items():
        for candidate in candidates:
            value = fields.get(candidate)
            if value not in (None, ""):
                found[name] = value
                break
    if isinstance(found.get("guid"), str):
        found["guid"] = found["guid"][:36]
    return found


def _of_notification(fields: Mapping[str, Any]) -> dict[str, Any]:
    found = part_of_fields(fields)
    docs = fields.get("docs")
    if isinstance(docs, list) and docs:
        parts = [part_of_fields(document) for document in docs if isinstance(document, dict)]
        for part in parts:
            # A document's own times say when the binary was seen, not which message this is.
            part.pop("timestamp", None)
        found["parts"] = parts
    return found


def _of_event(body: bytes, sensor: int) -> dict[str, Any]:
    return _named(CbEventMsg.FromString(body), sensor)


def _named(event: CbEventMsg, sensor: int) -> dict[str, Any]:
    header = event.header
    sensor = event.env.endpoint.SensorId or sensor
    key = _key(sensor, header.process_pid, header.process_create_time)
    found: dict[str, Any] = {"sensor": sensor, "timestamp": header.timestamp}
    if key:
        found["guid"] = key
    elif event.HasField("module"):
        found["md5"] = event.module.md5.decode("ascii", "replace")
    return found


def _of_bundled(body: bytes, sensor: int) -> dict[str, Any]:
    event = CbEventMsg.FromString(body)
    found = _named(event, sensor)
    del found["sensor"]
    carried = {field.name: value for field, value in event.ListFields() if field.name != "strings"}
    shape = {name: {inner.name: it for inner, it in value.ListFields()}
             for name, value in carried.items()}  # fmt: skip
    with suppress(CatalogError):
        found["name"] = name_of_event(shape)
    return found


# The events of a process follow one another: most keys were made a moment ago.
@lru_cache(maxsize=1 << 16)
def _key(sensor: int, pid: int, create_time: int) -> str | None:
    if not create_time:
        return None
    try:
        return process_key(sensor, pid, create_time)
    except WireError:
        return None


def _whole(value: object) -> int:
    try:
        return int(value)  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError):
        pass
    try:
        # `cbsim subscribe --format json` shows a FILETIME so.
        return parse_iso_time(value) if isinstance(value, str) else 0
    except WireError:
        return 0
