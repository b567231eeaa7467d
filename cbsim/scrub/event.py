"""Raw events with stand-ins: a field at a time, as the protobuf interface says what it means."""

from __future__ import annotations

import re
from collections.abc import Callable

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message as Proto

from cbsim.catalog import DIGSIG_RESULTS, bytes_lengths
from cbsim.scrub.standin import StandIns
from cbsim.wire.sensor_events_pb2 import CbEventMsg

__all__ = ["EventScrubber"]

_IPV4 = ("ipv4Address", "proxyIpv4Address", "remoteIpAddress", "localIpAddress")
_IPV6 = ("ipv6LoPart", "ipv6HiPart", "ipv6Low", "ipv6High")
_TEXTS = ("commandline", "utf8string")
"""Fields of type bytes that hold text, beside those whose name says so."""
_CODE = re.compile(r"0x[0-9A-Fa-f]{1,8}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z?")


class EventScrubber:
    """Writes raw events anew."""

    def __init__(self, stand_ins: StandIns) -> None:
        self._stand_ins = stand_ins

    def scrub(self, event: CbEventMsg, dropped: Callable[[str], None]) -> None:
        """Put stand-ins in place; what is not understood is dropped, and its path told."""
        before = event.ByteSize()
        event.DiscardUnknownFields()
        if event.ByteSize() != before:
            dropped("a field that the protobuf interface does not have")
        self._message(event, dropped, "")

    def _message(self, message: Proto, dropped: Callable[[str], None], before: str) -> None:
        for field, value in message.ListFields():
            path = before + field.name
            if field.message_type is not None:
                inner = (value,) if isinstance(value, Proto) else value
                for part in inner:
                    self._message(part, dropped, f"{path}.")
            elif field.type == FieldDescriptor.TYPE_STRING:
                setattr(message, field.name, self._text(field.name, value))
            elif field.type == FieldDescriptor.TYPE_BYTES:
                found = self._bytes(message.DESCRIPTOR.name, field.name, value)
                if found is None:
                    message.ClearField(field.name)
                    dropped(path)
                else:
                    setattr(message, field.name, found)
            elif field.name in _IPV4:
                address = self._stand_ins.ipv4(value.to_bytes(4, "little"))
                setattr(message, field.name, int.from_bytes(address, "little"))
            elif field.name in _IPV6:
                half = self._stand_ins.ipv6(value.to_bytes(8, "little"))
                setattr(message, field.name, int.from_bytes(half, "little"))

    def _text(self, name: str, value: str) -> str:
        if name == "utf8_DigSig_Result" and value in DIGSIG_RESULTS:
            return value
        if name == "utf8_DigSig_ResultCode" and _CODE.fullmatch(value):
            return value
        if name == "utf8_DigSig_SignTime" and _TIME.fullmatch(value):
            return value
        return self._stand_ins.text(value)

    def _bytes(self, message: str, name: str, value: bytes) -> bytes | None:
        if bytes_lengths(message, name):
            if re.fullmatch(rb"[0-9A-Fa-f]{32}", value):
                # A module's MD5 is in hex already.
                return self._stand_ins.hex_digits(value.decode()).encode()
            return self._stand_ins.digest(value)
        if name not in _TEXTS and not name.startswith("utf8"):
            return None
        try:
            return self._stand_ins.text(value.decode()).encode()
        except UnicodeDecodeError:
            return None
