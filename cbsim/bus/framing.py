"""AMQP frames as bytes: many publishes in one buffer out, a broker's confirms in."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import pika
import pika.amqp_object
import pika.exceptions
import pika.frame
import pika.spec

from cbsim.errors import WireError
from cbsim.wire.message import Message

__all__ = ["HEARTBEAT", "Confirm", "Incoming", "Outgoing", "Refusal", "method"]

HEARTBEAT = pika.frame.Heartbeat().marshal()
_END = b"\xce"
_SIZE = struct.Struct(">I").pack
_LONG_SIZE = struct.Struct(">Q").pack
_KEYS = 4096
"""Kinds of message remembered; feeds and watchlists can make more keys than memory should hold."""


def method(channel: int, said: pika.amqp_object.Method) -> bytes:
    """The frame of one AMQP method."""
    return pika.frame.Method(channel, said).marshal()


class _Kind(NamedTuple):
    """What all messages of one exchange, key, type and headers share, around the body's size."""

    before: bytes
    """The method's frame, and the content header up to the size of the body."""
    after: bytes
    """The properties, and the body's frame up to its size."""


class Outgoing:
    """Encodes messages as `basic.publish` on one channel.

    The frames of a message differ from those of its like in the body and its size alone: the rest
    is encoded once. `renamed` maps our exchanges to those of the topology. `frame_max` is what was
    negotiated, in bytes; 0 means without limit. Messages are transient, as those of real servers,
    unless they are to be `persistent`.
    """

    def __init__(
        self, channel: int, frame_max: int, renamed: Mapping[str, str], persistent: bool = False
    ) -> None:
        self._channel, self._renamed = channel, renamed
        self._delivery_mode: Literal[1, 2] = 2 if persistent else 1
        # Eight bytes of each frame are not payload.
        self._room = frame_max - 8 if frame_max else 0xFFFFFFFF
        self._kinds: dict[object, _Kind] = {}

    def encode(self, messages: Iterable[Message]) -> bytes:
        """Their frames, in order; raises WireError for a routing key or headers AMQP forbids."""
        kinds, room = self._kinds, self._room
        parts: list[bytes] = []
        for exchange, routing_key, content_type, body, headers, _, _ in messages:
            key: object = exchange, routing_key, content_type
            if headers:
                key = key, tuple(headers.items())
            kind = kinds.get(key)
            if kind is None:
                kind = self._remember(key, exchange, routing_key, content_type, headers)
            size = len(body)
            if 0 < size <= room:
                before, after = kind
                parts += (before, _LONG_SIZE(size), after, _SIZE(size), body, _END)
            else:
                parts += self._pieces(kind, body)
        return b"".join(parts)

    def check(self, messages: Iterable[Message]) -> None:
        """Raise the WireError that `encode` would raise, before anything is done about them."""
        self.encode([message._replace(body=b"") for message in messages])

    def _pieces(self, kind: _Kind, body: bytes) -> list[bytes]:
        """A body of no frame at all, or of several."""
        # `after` ends with the type and channel of a body frame.
        start, properties = kind.after[-3:], kind.after[:-3]
        parts = [kind.before, _LONG_SIZE(len(body)), properties]
        for at in range(0, len(body), self._room):
            piece = body[at : at + self._room]
            parts += (start, _SIZE(len(piece)), piece, _END)
        return parts

    def _remember(
        self,
        key: object,
        exchange: str,
        routing_key: str,
        content_type: str,
        headers: Mapping[str, int | str],
    ) -> _Kind:
        properties = pika.BasicProperties(
            content_type=content_type,
            headers=dict(headers) or None,
            delivery_mode=self._delivery_mode,
        )
        publish = pika.spec.Basic.Publish(
            exchange=self._renamed.get(exchange, exchange), routing_key=routing_key
        )
        try:
            said = method(self._channel, publish)
            header = pika.frame.Header(self._channel, 0, properties).marshal()
        except (pika.exceptions.AMQPError, struct.error, UnicodeEncodeError) as error:
            why = str(error)[:80] or type(error).__name__
            raise WireError(
                f"message with routing key {routing_key[:40]!r}: AMQP does not allow its routing "
                f"key (at most 255 bytes) or headers: {why}"
            ) from None
        # Type, channel, size, class and weight take 11 bytes; then come 8 for the body's size.
        kind = _Kind(said + header[:11], header[19:] + struct.pack(">BH", 3, self._channel))
        if len(self._kinds) >= _KEYS:
            self._kinds.clear()
        self._kinds[key] = kind
        return kind


Confirm = tuple[int, bool]
"""A delivery tag, and whether the broker has taken all messages up to it or that one alone."""


class Refusal(NamedTuple):
    """Among confirms: it will not take that message, or none up to it that is open (nack)."""

    tag: int
    multiple: bool


class Incoming:
    """Takes the bytes that a broker sends apart, confirms quickly and the rest through pika."""

    def __init__(self, channel: int, rest: bytes = b"") -> None:
        self._rest, self._channel = rest, channel
        ack = struct.pack(">BHII", pika.spec.FRAME_METHOD, channel, 13, pika.spec.Basic.Ack.INDEX)
        self._acks = re.compile(b"(?:%b.{9}%b)+" % (re.escape(ack), _END), re.DOTALL)
        self._confirms = struct.Struct(f">{len(ack)}xQ?x")

    def feed(self, data: bytes) -> tuple[list[Confirm], list[pika.frame.Frame]]:
        """The confirms and refusals, and every other frame, that are complete with these bytes.

        Raises pika's InvalidFrameError for bytes that are no frames.
        """
        data = self._rest + data if self._rest else data
        confirms: list[Confirm] = []
        others: list[pika.frame.Frame] = []
        at, end = 0, len(data)
        while at < end:
            if run := self._acks.match(data, at):
                confirms += self._confirms.iter_unpack(run[0])
                at = run.end()
                continue
            consumed, frame = pika.frame.decode_frame(data[at:])
            if not consumed:
                break
            if refusal := self._refusal(frame):
                confirms.append(refusal)
            elif isinstance(frame, pika.frame.Frame):
                others.append(frame)
            at += consumed
        self._rest = data[at:]
        return confirms, others

    def _refusal(self, frame: object) -> Refusal | None:
        if not isinstance(frame, pika.frame.Method) or frame.channel_number != self._channel:
            return None
        said = frame.method
        if not isinstance(said, pika.spec.Basic.Nack):
            return None
        return Refusal(int(said.delivery_tag or 0), bool(said.multiple))
