"""Messages on standard output, in the format that was asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click
import orjson

from cbsim.bus.sink import as_line
from cbsim.wire.bundle import join
from cbsim.wire.message import JSON_TYPE, Message
from cbsim.wire.reading import read

__all__ = ["FORMATS", "writer"]

FORMATS = ("ndjson", "json", "protobuf", "text")


def writer(form: str) -> Callable[[Message], None]:
    """Writes a message: `ndjson` as our envelope, `json` decoded and indented, `protobuf` as a run
    of length-prefixed events, `text` as a line for a person.
    """
    write = {"ndjson": as_line, "json": _json, "protobuf": _protobuf, "text": _text}[form]

    def out(message: Message) -> None:
        sys.stdout.buffer.write(write(message))
        sys.stdout.buffer.flush()

    return out


def _json(message: Message) -> bytes:
    shown = b""
    for reading in read(message):
        shown += orjson.dumps(reading.fields, option=orjson.OPT_INDENT_2) + b"\n"
    return shown


def _protobuf(message: Message) -> bytes:
    if message.content_type == JSON_TYPE:
        raise click.UsageError(f"{message.routing_key} is JSON: it has no protobuf form")
    return join([message.body])


def _text(message: Message) -> bytes:
    lines = []
    for reading in read(message):
        key = reading.routing_key or f"bundle of sensor {message.headers.get('sensorId', '?')}"
        fields = {
            name: one for name, one in reading.fields.items() if name not in ("env", "strings")
        }
        said = orjson.dumps(fields).decode()
        lines.append(f"{key:<40} {said if len(said) <= 400 else said[:397] + '...'}\n")
    return "".join(lines).encode()
