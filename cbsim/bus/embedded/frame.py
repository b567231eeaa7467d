"""Frames: methods through pamqp, and by hand what a message costs on its way in and out."""

from __future__ import annotations

import struct
from typing import Any

from pamqp import base, commands

from cbsim.bus.embedded import table
from cbsim.bus.embedded.error import command_invalid, syntax_error

__all__ = [
    "BODY",
    "END",
    "FRAME_HEAD",
    "HEADER",
    "HEARTBEAT",
    "METHOD",
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


def method(payload: bytes) -> Any:
    """The pamqp command of a method frame; raises AmqpError."""
    try:
        (index,) = _INDEX.unpack_from(payload)
        made = commands.INDEX_MAPPING[index]()
    except (struct.error, KeyError):
        raise command_invalid("unknown method") from None
    try:
        made.unmarshal(payload[4:])
    except (ValueError, TypeError, IndexError, struct.error):
        raise syntax_error(f"cannot decode {made.name.lower()}") from None
    return made


def method_frame(channel: int, made: base.Frame) -> bytes:
    """The whole frame of a command."""
    payload = _INDEX.pack(made.index) + made.marshal()
    return FRAME_HEAD.pack(METHOD, channel, len(payload)) + payload + END


def arguments_of(command: base.Frame, payload: bytes) -> dict[str, table.Field]:
    """The typed arguments of a command whose last field they are; raises AmqpError."""
    offset, bits = 4, 0
    for name in command.attributes():
        kind = command.amqp_type(name)
        if kind == "bit":
            bits += 1
            continue
        offset, bits = offset + (bits + 7) // 8, 0
        if kind == "table":
            break
        offset += payload[offset] + 1 if kind == "shortstr" else _SIZES[kind]
    try:
        return table.decode(payload, offset)[0]
    except ValueError as error:
        raise syntax_error(str(error)) from None


_SIZES = {"short": 2, "long": 4, "longlong": 8, "octet": 1}
