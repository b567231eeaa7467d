"""Messages, as they came: the frames of their content are kept and sent on as bytes."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from cbsim.bus.embedded import table
from cbsim.bus.embedded.error import internal_error
from cbsim.bus.embedded.frame import BODY, END, FRAME_HEAD, HEADER, shortstr

__all__ = ["CONTENT_HEAD", "PLACE", "SPECIAL", "Entry", "Message", "Properties"]

CONTENT_HEAD = struct.Struct(">HHQH")
"""Class, weight, size of the body, flags of the properties."""
_HEADERS, _EXPIRATION, _USER = 13, 8, 4
SPECIAL = 1 << _HEADERS | 1 << _EXPIRATION | 1 << _USER | 1
"""The flags of the properties that a broker acts on."""
_OCTETS = {12: 1, 11: 1, 6: 8}
_OVERHEAD = 250
"""What Python needs for a message beside its frames, bytes."""
PLACE = 250
"""What Python needs for a message's place in one queue or with its consumer, bytes."""


class Message:
    """One message: where it was published to, and its content.

    `frames` is a header frame and, unless the body is empty, one body frame, however large, with
    `channel` in both: a consumer on that channel is sent these bytes as they are.
    """

    __slots__ = (
        "address",
        "body_size",
        "channel",
        "exchange",
        "expiration",
        "frames",
        "header_size",
        "held",
        "routing_key",
    )

    def __init__(
        self,
        exchange: str,
        routing_key: str,
        address: bytes,
        frames: bytes,
        channel: int,
        header_size: int,
        body_size: int,
    ) -> None:
        self.exchange = exchange
        self.routing_key = routing_key
        self.address = address
        self.frames = frames
        self.channel = channel
        self.header_size = header_size
        self.body_size = body_size
        self.held = 0
        self.expiration: float | None = None

    @classmethod
    def of(cls, exchange: str, routing_key: str, header: bytes, body: bytes) -> Message:
        """A message from its content header's payload and its body."""
        frames = FRAME_HEAD.pack(HEADER, 1, len(header)) + header + END
        if body:
            frames += FRAME_HEAD.pack(BODY, 1, len(body)) + body + END
        address = shortstr(exchange) + shortstr(routing_key)
        return cls(exchange, routing_key, address, frames, 1, len(header), len(body))

    @property
    def header(self) -> bytes:
        """The payload of the content header."""
        return self.frames[7 : 7 + self.header_size]

    @property
    def body(self) -> bytes:
        """The whole body."""
        return self.frames[self.header_size + 15 : -1] if self.body_size else b""

    @property
    def memory(self) -> int:
        """About how many bytes it takes."""
        return len(self.frames) + _OVERHEAD

    def content(self, channel: int, frame_max: int) -> bytes:
        """The frames of its content for a channel of a connection with that frame size."""
        if self.body_size + 8 <= frame_max:
            if channel == self.channel:
                return self.frames
            head = FRAME_HEAD.pack(HEADER, channel, self.header_size)
            if not self.body_size:
                return head + self.frames[7:]
            size, frames = self.header_size, self.frames
            return b"".join(
                (
                    head,
                    frames[7 : size + 8],
                    FRAME_HEAD.pack(BODY, channel, self.body_size),
                    frames[size + 15 :],
                )
            )
        parts = [FRAME_HEAD.pack(HEADER, channel, self.header_size), self.header, END]
        body, largest = memoryview(self.body), frame_max - 8
        for start in range(0, self.body_size, largest):
            part = body[start : start + largest]
            parts += (FRAME_HEAD.pack(BODY, channel, len(part)), bytes(part), END)
        return b"".join(parts)


class Entry:
    """A message's place in one queue."""

    __slots__ = ("expires", "message", "position", "redelivered")

    def __init__(self, message: Message, position: int, expires: float | None) -> None:
        self.message = message
        self.position = position
        self.expires = expires
        self.redelivered = False


@dataclass(slots=True)
class Properties:
    """The properties of a content header: the raw bytes of each by its flag's bit."""

    raw: dict[int, bytes]

    @classmethod
    def parse(cls, header: bytes) -> Properties:
        """Read the payload of a content header; raises AmqpError."""
        try:
            flags = CONTENT_HEAD.unpack_from(header)[3]
            offset, raw = CONTENT_HEAD.size, {}
            if flags & 1:
                raise internal_error()
            for bit in range(15, 1, -1):
                if flags & 1 << bit:
                    if bit == _HEADERS:
                        size = 4 + int.from_bytes(header[offset : offset + 4], "big")
                    else:
                        size = _OCTETS.get(bit) or 1 + header[offset]
                    if offset + size > len(header):
                        raise IndexError
                    raw[bit] = header[offset : offset + size]
                    offset += size
        except (struct.error, IndexError):
            raise internal_error() from None
        return cls(raw)

    def build(self, body_size: int) -> bytes:
        """The payload of a content header."""
        flags = sum(1 << bit for bit in self.raw)
        values = b"".join(self.raw[bit] for bit in sorted(self.raw, reverse=True))
        return CONTENT_HEAD.pack(60, 0, body_size, flags) + values

    @property
    def headers(self) -> dict[str, table.Field]:
        """The headers; raises AmqpError."""
        try:
            return table.decode(self.raw[_HEADERS])[0] if _HEADERS in self.raw else {}
        except ValueError:
            raise internal_error() from None

    @headers.setter
    def headers(self, headers: table.Table) -> None:
        self.raw[_HEADERS] = table.encode(headers)

    @property
    def expiration(self) -> str | None:
        """The time to live, milliseconds, as its sender wrote it."""
        return self._text(_EXPIRATION)

    @expiration.deleter
    def expiration(self) -> None:
        self.raw.pop(_EXPIRATION, None)

    @property
    def user_id(self) -> str | None:
        """Who says to have sent it."""
        return self._text(_USER)

    def _text(self, bit: int) -> str | None:
        found = self.raw.get(bit)
        return None if found is None else found[1:].decode("utf-8", "surrogateescape")
