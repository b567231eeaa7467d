"""Raw events on the wire: a writer for single fields, and the codec through the proto's classes.

The world splices events from parts it encoded before; these are the functions it makes them with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError

from cbsim.errors import WireError
from cbsim.wire.sensor_events_pb2 import CbEventMsg

__all__ = ["as_dict", "bytes_field", "decode", "int_field", "stamps", "text_field", "varint"]

_UINT64 = (1 << 64) - 1
_MASK = (1 << 14) - 1
_TWO = tuple(bytes((low | 0x80, high | 0x80)) for high in range(128) for low in range(128))
"""Fourteen bits as two groups of seven, with more to follow."""
_LAST = tuple(bytes((low,)) for low in range(128)) + tuple(
    bytes((low | 0x80, high)) for high in range(1, 128) for low in range(128)
)
"""The varints of the numbers below 2**14."""


def varint(number: int) -> bytes:
    """A protobuf varint; negative numbers as two's complement in 64 bits."""
    if number < 0:
        number &= _UINT64
    if number < 1 << 14:
        return _LAST[number]
    if number < 1 << 28:
        return _TWO[number & _MASK] + _LAST[number >> 14]
    two = _TWO
    out = two[number & _MASK] + two[number >> 14 & _MASK]
    number >>= 28
    if number < 1 << 14:
        return out + _LAST[number]
    out += two[number & _MASK]
    number >>= 14
    if number < 1 << 14:
        return out + _LAST[number]
    return out + two[number & _MASK] + _LAST[number >> 14]


def stamps(moments: Sequence[int]) -> list[bytes]:
    """The varints of times (FILETIME) that follow one another; those of our age are nine bytes."""
    if not moments:
        return []
    low, high = moments[0] >> 14, moments[-1] >> 14
    if high - low > len(moments):
        return [*map(varint, moments)]
    # What stays the same for 1.6 ms is written once.
    two, rest = _TWO, {number: varint(number) for number in range(low, high + 1)}
    return [two[at & _MASK] + rest[at >> 14] for at in moments]


def int_field(field: int, value: int | bool) -> bytes:
    """A field of type int32, int64, uint32, uint64, bool or an enum: tag and varint."""
    return _LAST[field << 3] + varint(value)


def bytes_field(field: int, value: bytes) -> bytes:
    """A field of type bytes, or an embedded message: tag, length and the bytes."""
    return _LAST[field << 3 | 2] + varint(len(value)) + value


def text_field(field: int, value: str) -> bytes:
    """A field of type string, UTF-8."""
    text = value.encode()
    return _LAST[field << 3 | 2] + varint(len(text)) + text


def decode(body: bytes) -> CbEventMsg:
    """The event in a body; raises WireError when it is none or lacks a required field."""
    try:
        event = CbEventMsg.FromString(body)
    except DecodeError as error:
        raise WireError(f"no raw event: {error}") from None
    if not event.IsInitialized():
        raise WireError("no raw event: the header, or its version, is missing")
    return event


def as_dict(event: CbEventMsg) -> dict[str, object]:
    """The event in protobuf's JSON mapping, with the proto's own field names."""
    return cast(dict[str, object], MessageToDict(event, preserving_proto_field_name=True))
