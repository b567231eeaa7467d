"""A raw event as a person reads it: text, digests in hex, addresses, ports and times."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from cbsim.errors import WireError
from cbsim.wire.address import ipv4_from_wire, ipv6_from_wire, swap_port
from cbsim.wire.clock import exact_time
from cbsim.wire.sensor_events_pb2 import CbEventMsg, CbIpAddr

__all__ = ["legible"]

_DIGESTS = {"md5": 16, "sha256": 32}
"""What is in the name of a digest's field, and its bytes."""
_ADDRESSES = ("ipv4Address", "proxyIpv4Address", "remoteIpAddress", "localIpAddress")
_LONG = (FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT64)
_ENDS_OF_TIMES = ("time", "timestamp", "timstamp")


def legible(fields: Mapping[str, Any]) -> dict[str, object]:
    """An event in protobuf's JSON mapping (see `Reading.fields`), for a person.

    Bytes are UTF-8 text, or else hex; FILETIMEs are ISO 8601 to the tick; an address is one text;
    ports are in the order of the host, and 64-bit numbers are numbers.
    """
    return _message(fields, CbEventMsg.DESCRIPTOR)


def _message(fields: Mapping[str, Any], kind: Descriptor) -> dict[str, object]:
    shown: dict[str, object] = {}
    for name, value in fields.items():
        if name in ("ipv6LoPart", "ipv6HiPart"):
            shown["ipv6Address"] = _ipv6(fields.get("ipv6LoPart"), fields.get("ipv6HiPart"))
            continue
        field = kind.fields_by_name[name]
        each = value if isinstance(value, list) else [value]
        if field.message_type is None:
            read = [_value(field, one) for one in each]
        elif field.message_type is CbIpAddr.DESCRIPTOR:
            read = [_address(one) for one in each]
        else:
            read = [_message(one, field.message_type) for one in each]
        shown[name] = read if isinstance(value, list) else read[0]
    return shown


def _value(field: FieldDescriptor, value: Any) -> object:
    name = field.name
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _bytes(name, b64decode(value))
    if field.type in _LONG:
        number = int(value)
        return _time(number) if name.lower().endswith(_ENDS_OF_TIMES) else number
    if name in _ADDRESSES:
        return ipv4_from_wire(value)
    if field.type == FieldDescriptor.TYPE_UINT32 and name.lower().endswith("port"):
        return swap_port(value) if value <= 0xFFFF else value
    return value


def _bytes(name: str, data: bytes) -> str:
    if name.startswith("utf8") or name == "commandline":
        return data.decode("utf-8", "backslashreplace")
    for part, length in _DIGESTS.items():
        if part in name.lower() and len(data) == 2 * length:
            # A module's MD5 is in hex already.
            return data.decode("ascii", "backslashreplace")
    return data.hex()


def _time(ticks: int) -> str | int:
    try:
        return exact_time(ticks) if ticks > 0 else ticks
    except WireError:
        return ticks


def _address(value: Mapping[str, Any]) -> str:
    if value.get("bIsIpv6"):
        scope = value.get("ipv6Scope")
        address = _ipv6(value.get("ipv6Low"), value.get("ipv6High"))
        return f"{address}%{scope}" if scope else address
    return ipv4_from_wire(value.get("ipv4Address", 0))


def _ipv6(low: object, high: object) -> str:
    return ipv6_from_wire(int(str(low or 0)), int(str(high or 0)))
