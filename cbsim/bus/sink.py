"""Sinks that need no broker: NDJSON, one object a message, and nothing at all."""

from __future__ import annotations

import os
import sys
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import IO, Protocol

import orjson

from cbsim.bus.confirm_times import ConfirmTimes
from cbsim.errors import CbsimError, WireError
from cbsim.printable import printable
from cbsim.wire.clock import from_epoch_seconds
from cbsim.wire.json_text import parse_json
from cbsim.wire.message import JSON_TYPE, Message

__all__ = ["NdjsonSink", "NullSink", "Relay", "Sink", "as_line", "brokerless", "created",
           "from_fields", "from_line"]  # fmt: skip


class Sink(Protocol):
    """Takes messages."""

    @property
    def confirmed(self) -> int:
        """How many messages have arrived for certain."""

    def publish(self, message: Message) -> None:
        """Take one message; may hold it back until the next `flush`."""

    def publish_many(self, messages: Sequence[Message]) -> None:
        """Take several, in order, at less cost than one by one."""

    def flush(self) -> None:
        """Wait until every message so far has arrived; raises CbsimError when they cannot."""

    def close(self) -> None:
        """Give back what it holds."""


class Relay:
    """A sink before another, which does all that this one does not do itself."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    @property
    def confirmed(self) -> int:
        """As the sink says."""
        return self._sink.confirmed

    @property
    def republished(self) -> int:
        """As the sink says; 0 for one that never has to."""
        return getattr(self._sink, "republished", 0)

    @property
    def confirm_times(self) -> ConfirmTimes | None:
        """As the sink says; None for one that confirms at once."""
        return getattr(self._sink, "confirm_times", None)

    def note(self, said: str) -> None:
        """Tell whoever keeps a record of the run, if anybody does, what was done beside it."""
        if isinstance(self._sink, Relay):
            self._sink.note(said)

    def publish(self, message: Message) -> None:
        """As one of several."""
        self.publish_many((message,))

    def publish_many(self, messages: Sequence[Message]) -> None:
        """As the sink does."""
        self._sink.publish_many(messages)

    def flush(self) -> None:
        """As the sink does."""
        self._sink.flush()

    def close(self) -> None:
        """As the sink does."""
        self._sink.close()


class NullSink:
    """Takes everything and keeps nothing."""

    def __init__(self) -> None:
        self.confirmed = 0

    def publish(self, message: Message) -> None:
        """Count it."""
        del message
        self.confirmed += 1

    def publish_many(self, messages: Sequence[Message]) -> None:
        """Count them."""
        self.confirmed += len(messages)

    def flush(self) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """Nothing is held."""


class NdjsonSink:
    """Writes a line a message to a file, or to standard output for `-`."""

    def __init__(self, path: str) -> None:
        self.confirmed = 0
        self._file: IO[bytes]
        try:
            self._file = sys.stdout.buffer if path == "-" else created(path)
        except OSError as error:
            raise CbsimError(f"cannot write {path}: {error.strerror}") from None

    def publish(self, message: Message) -> None:
        """Write its line."""
        self._file.write(as_line(message))
        self.confirmed += 1

    def publish_many(self, messages: Sequence[Message]) -> None:
        """Write their lines."""
        self._file.write(b"".join(map(as_line, messages)))
        self.confirmed += len(messages)

    def flush(self) -> None:
        """Hand the lines to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file; standard output stays open."""
        self._file.flush()
        if self._file is not sys.stdout.buffer:
            self._file.close()


def created(path: str) -> IO[bytes]:
    """A file for a recording, which names people and hosts: a new one is its owner's alone.

    Raises OSError.
    """
    return os.fdopen(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb")


def brokerless(text: str) -> NdjsonSink | NullSink:
    """The sink that `ndjson:PATH` or `null` stands for; raises CbsimError."""
    if text == "null":
        return NullSink()
    if text.startswith("ndjson:"):
        return NdjsonSink(text.removeprefix("ndjson:"))
    raise CbsimError(f"sink {text!r}: expected amqp, ndjson:PATH or null")


def as_line(message: Message, received: float | None = None) -> bytes:
    """The envelope: exchange, routing_key, content_type, headers, timestamp, and the body.

    The body is text under `body` when it is UTF-8 JSON, else under `body_base64`. `broken` says how
    a message is broken on purpose, and stands on no other. `received` says when a consumer got it,
    seconds since 1970.
    """
    fields: dict[str, object] = {
        "exchange": message.exchange,
        "routing_key": message.routing_key,
        "content_type": message.content_type,
        "headers": dict(message.headers),
        "timestamp": message.timestamp,
    }
    if message.broken is not None:
        fields["broken"] = message.broken
    if received is not None:
        fields["received"] = round(received, 6)
    try:
        if message.content_type != JSON_TYPE:
            raise UnicodeDecodeError("ascii", b"", 0, 1, "binary")
        fields["body"] = message.body.decode()
    except UnicodeDecodeError:
        fields["body_base64"] = b64encode(message.body).decode()
    return orjson.dumps(fields) + b"\n"


def from_line(line: bytes) -> Message:
    """The inverse of `as_line`; raises WireError for anything else."""
    return from_fields(parse_json(line))


def from_fields(fields: object) -> Message:
    """The same of the line's JSON value."""
    if not isinstance(fields, dict):
        raise WireError("expected an object with exchange, routing_key and body")
    for name, kind in (("exchange", str), ("routing_key", str), ("content_type", str)):
        if not isinstance(fields.get(name), kind):
            raise WireError(f"field {name!r}: expected a string, got {_shown(fields.get(name))}")
    headers, moment = fields.get("headers", {}), fields.get("timestamp", 0.0)
    if not isinstance(headers, dict) or not isinstance(moment, int | float):
        raise WireError("fields 'headers' and 'timestamp': expected an object and a number")
    for name, value in headers.items():
        if not isinstance(value, int | str):
            raise WireError(
                f"header {_shown(name)}: expected a number or text, got {_shown(value)}"
            )
    if isinstance(fields.get("body"), str):
        body = fields["body"].encode()
    else:
        try:
            body = b64decode(fields["body_base64"], validate=True)
        except (KeyError, TypeError, ValueError):
            raise WireError("expected `body` (text) or `body_base64`") from None
    ticks = from_epoch_seconds(moment) if moment else 0
    broken = fields.get("broken")
    if not isinstance(broken, str | None):
        raise WireError(f"field 'broken': expected a string, got {_shown(broken)}")
    return Message(
        fields["exchange"], fields["routing_key"], fields["content_type"], body, headers, ticks,
        broken,
    )  # fmt: skip


def _shown(value: object) -> str:
    return printable(repr(value), limit=60)
