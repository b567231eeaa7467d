"""Messages on standard output, in the format that was asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import click
import orjson

from cbsim.bus.sink import as_line
from cbsim.printable import printable, printable_json
from cbsim.wire.bundle import join
from cbsim.wire.legible import legible
from cbsim.wire.message import JSON_TYPE, Message
from cbsim.wire.reading import Reading, read

__all__ = ["FORMATS", "writer"]

FORMATS = ("ndjson", "json", "text", "protobuf", "protojson")


def writer(form: str) -> Callable[[Message], None]:
    """Writes a message: `ndjson` as our envelope, `json` decoded and indented for a person, `text`
    as a line for one, `protobuf` as a run of length-prefixed events, `protojson` as protobuf's own
    JSON mapping has it, which `cbsim validate` takes.
    """
    write = {
        "ndjson": _line,
        "json": _json,
        "text": _text,
        "protobuf": _protobuf,
        "protojson": _protojson,
    }[form]

    def out(message: Message) -> None:
        sys.stdout.buffer.write(write(message))
        sys.stdout.buffer.flush()

    return out


def _line(message: Message) -> bytes:
    return printable_json(as_line(message).decode()).encode()


def _json(message: Message) -> bytes:
    return b"".join(map(_indented, _shown(message)))


def _protojson(message: Message) -> bytes:
    return b"".join(map(_indented, read(message)))


def _indented(reading: Reading) -> bytes:
    text = orjson.dumps(reading.fields, option=orjson.OPT_INDENT_2).decode()
    return printable_json(text).encode() + b"\n"


def _shown(message: Message) -> Iterator[Reading]:
    """What a message carries, for a person."""
    for reading in read(message):
        is_event = message.content_type != JSON_TYPE
        yield reading._replace(fields=legible(reading.fields)) if is_event else reading


def _protobuf(message: Message) -> bytes:
    if message.content_type == JSON_TYPE:
        raise click.UsageError(f"{message.routing_key} is JSON: it has no protobuf form")
    return join([message.body])


def _text(message: Message) -> bytes:
    lines = []
    for reading in _shown(message):
        key = reading.routing_key or f"bundle of sensor {message.headers.get('sensorId', '?')}"
        # What happened comes first: where it happened is much the same for many events.
        last = {name: one for name, one in reading.fields.items() if name in ("strings", "header")}
        fields = {name: one for name, one in reading.fields.items() if name not in ("env", *last)}
        fields |= {name: last[name] for name in ("strings", "header") if name in last}
        said = orjson.dumps(fields).decode()
        lines.append(f"{printable(key):<40} {printable(said, limit=400)}\n")
    return "".join(lines).encode()
