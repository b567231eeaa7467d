"""Single messages of a type, realistic, with some fields as a test wants them."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

import orjson
from google.protobuf.message import Message as ProtoMessage

from cbsim.catalog import RAW_EVENTS, Dialect, Notification, ServerVersion, lookup
from cbsim.errors import CbsimError
from cbsim.wire.identity import store_path
from cbsim.wire.message import Message
from cbsim.wire.sensor_events_pb2 import CbEventMsg

__all__ = ["Emitter"]

_KEYS = ("process_id", "process_guid", "id", "unique_id", "parent_unique_id")


class Emitter:
    """Makes messages of one type after the other, each about something else."""

    def __init__(self, version: ServerVersion, dialect: Dialect, seed: int) -> None:
        self._version, self._dialect, self._seed = version, dialect, seed
        self._streams: dict[str, Iterator[Message]] = {}

    def message(self, name: str, fields: dict[str, Any]) -> Message:
        """The next message of that name, with these fields; raises CbsimError."""
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = self._stream(name)
        # AMQP does not carry the moment: what is emitted is what is delivered.
        message = next(stream)._replace(moment=0)
        if not fields:
            return message
        entry = lookup(name)
        if isinstance(entry, Notification):
            return _notification(entry, message, fields)
        return _event(name, message, fields)

    def _stream(self, name: str) -> Iterator[Message]:
        from cbsim.scenario.model import EstateModel, Phase, Scenario, ServerModel
        from cbsim.scenario.stream import FIXED_START, messages

        entry = lookup(name)
        if not entry.in_version(self._version):
            raise CbsimError(f"{entry.name} is not sent by a {self._version} server")
        scenario = Scenario(
            server=ServerModel(version=self._version, dialect=self._dialect),
            estate=EstateModel(sensors=5, binaries=50),
            seed=self._seed,
            phases=(Phase(count=1_000_000, rate=100.0, mix={entry.name: 1.0}),),
        )
        for _, message, _, _ in messages(scenario, FIXED_START):
            yield message


def _notification(entry: Notification, message: Message, fields: dict[str, Any]) -> Message:
    body = orjson.loads(message.body)
    parts = [body, *body.get("docs", [])]
    known = {one.name for form in entry.forms for one in (*form.fields, *form.documents)}
    key = message.routing_key
    for name, value in fields.items():
        holders = [part for part in parts if name in part] or [body]
        held = any(name in part for part in parts)
        if not held and name not in known and name not in ("sensor_id", "hostname", "md5"):
            raise CbsimError(_unknown(entry.name, name, [*known]))
        for holder in holders if held or name in known else ():
            was = holder.get(name)
            holder[name] = str(value) if isinstance(was, str) else value
        if name == entry.database_id:
            key = key.replace(f".{_database_id(message)}.", f".{value}.")
        for part in parts:
            _derive(part, name, value)
    return message._replace(body=orjson.dumps(body), routing_key=key)


def _database_id(message: Message) -> str:
    parts = message.routing_key.split(".")
    return parts[1] if parts[1].isdigit() else ""


def _derive(part: dict[str, Any], name: str, value: Any) -> None:
    """Change what tells the same in another way."""
    if name == "sensor_id":
        for key in _KEYS:
            text = part.get(key)
            # An alert's unique_id is a UUID, and no process.
            if isinstance(text, str) and not (key == "unique_id" and "alert_type" in part):
                part[key] = f"{int(value):08x}{text[8:]}"
    elif name == "md5" and "file_path" in part:
        part["file_path"] = store_path(str(value))
    if name in ("sensor_id", "hostname") and "endpoint" in part:
        told = part["endpoint"]
        listed = told if isinstance(told, list) else [told]
        renamed = [_endpoint(str(one), name, value) for one in listed]
        part["endpoint"] = renamed if isinstance(told, list) else renamed[0]


def _endpoint(text: str, name: str, value: Any) -> str:
    host, _, number = text.rpartition("|")
    return f"{value}|{number}" if name == "hostname" else f"{host}|{value}"


def _event(name: str, message: Message, fields: dict[str, Any]) -> Message:
    event = CbEventMsg.FromString(message.body)
    env = event.env.endpoint
    carried: ProtoMessage = next(
        value for one, value in event.ListFields() if one.name in RAW_EVENTS[name].carries
    )
    for key, value in fields.items():
        if key == "sensor_id":
            env.SensorId = value
        elif key == "hostname":
            env.SensorHostName = value
        elif key == "md5":
            event.header.process_md5 = bytes.fromhex(value)
        else:
            _set(name, (carried, event.header), key, value)
    return message._replace(body=event.SerializeToString())


def _set(name: str, parts: tuple[ProtoMessage, ...], key: str, value: Any) -> None:
    for part in parts:
        if key in part.DESCRIPTOR.fields_by_name:
            try:
                setattr(part, key, value)
            except (TypeError, ValueError) as error:
                raise CbsimError(f"{name}: {key}={value!r}: {error}") from None
            return
    known = [field for part in parts for field in part.DESCRIPTOR.fields_by_name]
    raise CbsimError(_unknown(name, key, known))


def _unknown(name: str, field: str, known: list[str]) -> str:
    near = get_close_matches(field, [*known, "sensor_id", "hostname", "md5"], n=1)
    hint = f": did you mean {near[0]!r}?" if near else f"; `cbsim events {name}` lists them"
    return f"{name} has no field {field!r}{hint}"
