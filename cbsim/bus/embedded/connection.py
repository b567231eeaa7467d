"""Connections: what comes in from a client, frame by frame, and to which channel it goes."""

from __future__ import annotations

import asyncio
import logging
import struct
import traceback
from typing import TYPE_CHECKING

from pamqp import commands

from cbsim.bus.embedded.channel import Channel
from cbsim.bus.embedded.content import Content
from cbsim.bus.embedded.conversation import Conversation
from cbsim.bus.embedded.error import (
    NO_METHOD,
    AmqpError,
    bad_frame,
    channel_error,
    internal_error,
    out_of_place,
    unexpected_frame,
)
from cbsim.bus.embedded.frame import (
    BODY,
    FRAME_HEAD,
    HEADER,
    HEARTBEAT,
    METHOD,
    UnknownMethodError,
    method,
)
from cbsim.bus.embedded.route import Route

if TYPE_CHECKING:
    from cbsim.bus.embedded.server import Server

__all__ = ["Connection"]

_LOGGER = logging.getLogger(__name__)
_FRAMES, _LONGEST = 6, 4000
"""How many frames of a traceback are logged, and how many characters."""
_PUBLISH, _ACK = b"\x00\x3c\x00\x28", b"\x00\x3c\x00\x50"
_HEADER_FRAME = struct.Struct(">BHIHHQH")
"""A content header's frame up to the flags."""
_IDS = struct.Struct(">HH")
_TAG = struct.Struct(">QB")


class Connection(Conversation):
    """One client."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self._at = self._from = 0
        self._published = False
        self._filled = False
        """Whether frames wait since the messages before them have filled the memory."""

    @property
    def coming(self) -> int:
        """Bytes of bodies that have not come to their end."""
        contents = (channel.content for channel in self.channels.values())
        return sum(content.size for content in contents if content is not None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        super().connection_made(transport)
        self.server.arrive(self)
        if self.server.away:
            self.drop("reset")

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: its queues and messages go back."""
        del self.server.connections[self]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes have come: whole frames are handled, the rest waits."""
        self.heard = True
        if self.tail:
            data = self.tail + data
            self.tail = b""
        if self.paused:
            self.tail = data
            return
        self._at = 0
        while True:
            try:
                self._frames(data)
                break
            except AmqpError as error:
                self._failed(data, error)
            except UnknownMethodError:
                self._leave()
            except Exception as error:
                said = "".join(traceback.format_exception(error, limit=-_FRAMES))[-_LONGEST:]
                _LOGGER.error("the embedded broker failed; it closes %s: %s", self.name, said)
                self.close(internal_error())
        self.tail = data[self._at :] if self._at < len(data) else b""
        for channel in self.confirming:
            channel.confirm(channel.published)
        self.confirming.clear()
        self.vhost.settle()
        if self._published:
            self._published = False
            if self.server.alarmed:
                self.block()
        if self._filled:
            self._filled = False
            if not self.paused:
                self.loop.call_soon(self.data_received, b"")

    def _frames(self, data: bytes) -> None:
        """Handle the frames in `data` from `_at` on; leaves `_at` behind the last whole one."""
        if self.state == "header":
            self._at = self._greet(data)
        at, size = self._at, len(data)
        channels, vhost = self.channels, self.vhost
        route_of, most = vhost.route, self.server.quota.memory
        head = FRAME_HEAD.unpack_from
        while size - at >= 8:
            self._from = at
            kind, number, length = head(data, at)
            end = at + 7 + length
            if length > self.frame_max:
                self._at = size
                raise bad_frame(kind, b"", f"{{frame_too_large,{length},{self.frame_max - 8}}}")
            if end >= size:
                break
            if data[end] != 0xCE:
                self._at = size
                raise bad_frame(
                    kind, data[at + 7 : end], f"{{invalid_frame_end_marker,{data[end]}}}"
                )
            self._at = end + 1
            if kind == METHOD:
                index = data[at + 7 : at + 11]
                if index == _PUBLISH or (index == _ACK and length == 13):
                    channel = channels.get(number)
                    if channel is not None and not channel.closing and not channel.content:
                        if index == _ACK:
                            channel.ack(*_TAG.unpack_from(data, at + 11))
                        else:
                            route = route_of(data[at + 13 : end])
                            self._publish(channel, route, data, end + 1)
                        at = self._at
                        if vhost.memory > most or not self.writable:
                            self._filled = vhost.memory > most or self.paused
                            if self._filled:
                                return
                        continue
            self._frame(kind, number, data[at + 7 : end])
            at = end + 1
            if not self.writable and self.paused:
                break
        self._at = at

    def _publish(self, channel: Channel, route: Route, data: bytes, at: int) -> None:
        """Take the content of a message, if it is all here in one frame for the body."""
        size, number = len(data), channel.number
        if size - at > 21:
            kind, same, length, class_id, _, body, flags = _HEADER_FRAME.unpack_from(data, at)
            body_at = at + 8 + length
            last = body_at + 7 + body if body else body_at - 1
            if (
                kind == HEADER
                and same == number
                and class_id == 60
                and last < size
                and data[body_at - 1] == data[last] == 0xCE
                and (not body or FRAME_HEAD.unpack_from(data, body_at) == (BODY, number, body))
            ):
                self._at = last + 1
                self._published = True
                channel.publish(route, data[at : last + 1], length, body, flags)
                return
        channel.content = Content(route)

    def _frame(self, kind: int, number: int, payload: bytes) -> None:
        """Handle a frame that is not of the common kind."""
        if self.state == "closed":
            return
        if self.state == "closing":
            self._closing(kind, number, payload)
        elif kind not in (METHOD, HEADER, BODY) and (kind != HEARTBEAT or payload):
            raise bad_frame(kind, payload, "unknown_frame")
        elif number == 0:
            if kind == METHOD:
                self._negotiate(method(payload))
            elif kind != HEARTBEAT:
                raise out_of_place(kind, payload)
        elif self.state != "open":
            raise channel_error("a channel before the connection is open")
        elif kind == METHOD:
            self._method(number, payload)
        elif kind == HEARTBEAT:
            raise out_of_place(kind, payload)
        else:
            self._content(kind, number, payload)

    def _method(self, number: int, payload: bytes) -> None:
        channel = self.channels.get(number)
        asked = method(payload)
        if channel is None:
            if not isinstance(asked, commands.Channel.Open):
                raise channel_error("expected 'channel.open'")
            if len(self.channels) >= self.channel_max:
                raise AmqpError(
                    530,
                    f"number of channels opened ({len(self.channels)}) has reached the negotiated "
                    f"channel_max ({self.channel_max})",
                    method=NO_METHOD,
                )
            self.server.open_channel(self.user)
            self.channels[number] = opened = Channel(self, number)
            opened.send(commands.Channel.OpenOk())
        elif channel.closing:
            if isinstance(asked, commands.Channel.CloseOk):
                del self.channels[number]
            elif isinstance(asked, commands.Channel.Close):
                channel.send(commands.Channel.CloseOk())
        elif channel.content is not None:
            raise channel.content.interrupted()
        elif isinstance(asked, commands.Channel.Open):
            raise channel_error("second 'channel.open' seen")
        elif isinstance(asked, commands.Channel.Close):
            channel.close()
            channel.send(commands.Channel.CloseOk())
            del self.channels[number]
        else:
            self.vhost.settle()
            channel.handle(asked, payload)

    def _content(self, kind: int, number: int, payload: bytes) -> None:
        channel = self.channels.get(number)
        if channel is not None and channel.closing:
            return
        content = channel.content if channel is not None else None
        if channel is None or content is None:
            raise unexpected_frame("expected method frame, got non method frame instead", NO_METHOD)
        before = content.size
        whole = content.add(kind, payload)
        self.server.take_in(content.size - before)
        if whole and channel.content is content:
            channel.complete()
            self._published = True
            frames, header_size, body_size = content.frames(number)
            # Since the method came, queues may have gone.
            route = self.vhost.route(content.route.publish)
            channel.publish(route, frames, header_size, body_size, content.flags)

    def _failed(self, data: bytes, error: AmqpError) -> None:
        """The frame at `_from` cannot be done: close its channel, or the connection."""
        kind, number, _ = FRAME_HEAD.unpack_from(data, self._from)
        index = _PUBLISH
        if kind == METHOD:
            index = data[self._from + 7 : self._from + 11]
        class_id, method_id = error.method or _IDS.unpack(index.ljust(4, b"\0"))
        channel = self.channels.get(number)
        if self.state in ("start", "secure", "tune"):
            self._leave()
        elif error.hard or channel is None:
            self.close(error, class_id, method_id)
        else:
            channel.fail(error, class_id, method_id)
