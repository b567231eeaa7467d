"""Frames: methods through pamqp, and by hand what a message costs on its way in and out."""

from __future__ import annotations

import struct
from typing import Any

from pamqp import base, commands

from cbsim.bus.embedded import table
from cbsim.bus.embedded.error import NO_METHOD, AmqpError, bad_frame, cannot_decode

__all__ = [
    "BODY",
    "END",
    "FRAME_HEAD",
    "HEADER",
    "HEARTBEAT",
    "METHOD",
    "UnknownMethodError",
    "arguments_of",
    "method",
    "method_frame",
    "shortstr",
]

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
END = b"\xce"
FRAME_HEAD = struct.Struct(">BHI")
"""Type, channel, size of the payload."""
_INDEX = struct.Struct(">I")


def shortstr(text: str) -> bytes:
    """A string of at most 255 bytes as it goes on the wire."""
    data = text.encode("utf-8", "surrogateescape")
    return bytes((len(data),)) + data


class UnknownMethodError(Exception):
    """No method has these ids; RabbitMQ cuts the connection without a word, and so do we."""


def method(payload: bytes) -> Any:
    """The pamqp command of a method frame; raises AmqpError and UnknownMethodError."""
    if len(payload) < 4:
        raise bad_frame(METHOD, payload, "unknown_frame")
    try:
        made = commands.INDEX_MAPPING[_INDEX.unpack_from(payload)[0]]()
    except KeyError:
        raise UnknownMethodError from None
    try:
        table_at, end = _layout(made, payload)
        if end != len(payload):
            raise cannot_decode(payload[4:])
        if table_at:
            # pamqp goes as deep into one as it is nested.
            table.decode(payload, table_at)
        made.unmarshal(payload[4:])
    except UnicodeDecodeError:
        raise AmqpError(501, "Malformed UTF-8 in shortstr", method=NO_METHOD) from None
    except (ValueError, TypeError, IndexError, struct.error):
        raise cannot_decode(payload[4:]) from None
    return made


def method_frame(channel: int, made: base.Frame) -> bytes:
    """The whole frame of a command."""
    payload = _INDEX.pack(made.index) + made.marshal()
    return FRAME_HEAD.pack(METHOD, channel, len(payload)) + payload + END


def arguments_of(command: base.Frame, payload: bytes) -> dict[str, table.Field]:
    """The typed arguments of a command; raises AmqpError."""
    try:
        return table.decode(payload, _layout(command, payload)[0])[0]
    except ValueError:
        raise cannot_decode(payload[4:]) from None


def _layout(command: base.Frame, payload: bytes) -> tuple[int, int]:
    """Where the last table of a command begins, and where the command ends."""
    offset, bits, arguments = 4, 0, 0
    for name in command.attributes():
        kind = command.amqp_type(name)
        if kind == "bit":
            bits += 1
            continue
        offset, bits = offset + (bits + 7) // 8, 0
        if kind == "table":
            arguments = offset
        if kind in ("table", "longstr"):
            offset += 4 + _INDEX.unpack_from(payload, offset)[0]
        else:
            offset += payload[offset] + 1 if kind == "shortstr" else _SIZES[kind]
    return arguments, offset + (bits + 7) // 8


_SIZES = {"short": 2, "long": 4, "longlong": 8, "octet": 1}
