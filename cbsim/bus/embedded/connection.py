"""Connections: frames in and out, the handshake, heartbeats, and how a connection ends."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from typing import TYPE_CHECKING

from pamqp import base, commands

from cbsim.bus.embedded import login
from cbsim.bus.embedded.channel import Channel
from cbsim.bus.embedded.content import Content
from cbsim.bus.embedded.error import (
    NO_METHOD,
    AmqpError,
    bad_frame,
    channel_error,
    command_invalid,
    internal_error,
    not_allowed,
    not_implemented,
    out_of_place,
    unexpected_frame,
)
from cbsim.bus.embedded.frame import (
    BODY,
    END,
    FRAME_HEAD,
    HEADER,
    HEARTBEAT,
    METHOD,
    UnknownMethodError,
    method,
)
from cbsim.bus.embedded.outlet import Outlet
from cbsim.bus.embedded.vhost import Route

if TYPE_CHECKING:
    from cbsim.bus.embedded.server import Server

__all__ = ["CHANNEL_MAX", "FRAME_MAX", "Connection"]

CHANNEL_MAX, FRAME_MAX, _FRAME_MIN = 2047, 131072, 4096
_LOGGER = logging.getLogger(__name__)
_PROTOCOL = b"AMQP\x00\x00\x09\x01"
_PUBLISH, _ACK = b"\x00\x3c\x00\x28", b"\x00\x3c\x00\x50"
_HEADER_FRAME = struct.Struct(">BHIHHQH")
"""A content header's frame up to the flags."""
_IDS = struct.Struct(">HH")
_TAG = struct.Struct(">QB")
_BEAT = FRAME_HEAD.pack(HEARTBEAT, 0, 0) + END
_HANDSHAKE, _FAREWELL = 10.0, 5.0
"""How long a client may take, seconds."""


class Connection(Outlet):
    """One client."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.name = self.given_name = ""
        self.user = ""
        self.confirming: set[Channel] = set()
        self.frame_max = FRAME_MAX
        self.channel_max = CHANNEL_MAX
        self.beating = True
        self._at = self._from = 0
        self._published = False
        self._received = False
        self._silent = 0
        self._heartbeat = 0
        self._beat: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        super().connection_made(transport)
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self.name = f"{peer[0]}:{peer[1]} -> {own[0]}:{own[1]}"
        self.server.connections[self] = None
        self._expect(_HANDSHAKE)

    def data_received(self, data: bytes) -> None:
        """Bytes have come: whole frames are handled, the rest waits."""
        self._received = True
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
            except Exception:
                _LOGGER.exception("the embedded broker failed; it closes connection %s", self.name)
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

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: its queues and messages go back."""
        del exc
        self.state = "closed"
        self.writable = False
        for timer in (self._beat, self._deadline):
            if timer is not None:
                timer.cancel()
        self._give_back()
        self.server.connections.pop(self, None)
        self.vhost.settle()

    def close(self, error: AmqpError, class_id: int = 0, method_id: int = 0) -> None:
        """Close by the protocol: tell why, and give the client a moment to answer."""
        if self.state in ("closing", "closed"):
            return
        self.state = "closing"
        self._give_back()
        self.send(commands.Connection.Close(error.code, error.reply_text, class_id, method_id))
        self.flush()
        self._expect(_FAREWELL)

    def drop(self, how: str) -> None:
        """End the connection the way a fault says: close, eof, reset or mid-frame."""
        if how == "close":
            self.close(AmqpError(320, "dropped by a fault"))
            return
        self.flush()
        self.discard()
        self._give_back()
        if how == "reset":
            self.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            self.transport.abort()
        else:
            if how == "mid-frame":
                self.transport.write(FRAME_HEAD.pack(METHOD, 1, 100) + b"\x00\x3c\x00\x3c")
            self._end()

    def abort(self) -> None:
        """Cut the connection; what was queued is lost."""
        self.discard()
        self.transport.abort()

    # In.

    def _frames(self, data: bytes) -> None:
        """Handle the frames in `data` from `_at` on; leaves `_at` behind the last whole one."""
        if self.state == "header" and not self._greeted(data):
            return
        at, size = self._at, len(data)
        channels, route_of = self.channels, self.vhost.route
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
                        continue
            self._frame(kind, number, data[at + 7 : end])
            at = end + 1
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
        if content.add(kind, payload):
            channel.content = None
            self._published = True
            frames, header_size, body_size = content.frames(number)
            # Since the method came, queues may have gone.
            route = self.vhost.route(content.route.publish)
            channel.publish(route, frames, header_size, body_size, content.flags)

    # The conversation on channel 0.

    def _greeted(self, data: bytes) -> bool:
        if len(data) < 8 and _PROTOCOL.startswith(data):
            return False
        if data[:8] != _PROTOCOL:
            self._at = len(data)
            self.state = "closing"
            self.write(_PROTOCOL)
            self.flush()
            self._end()
            return False
        self._at = 8
        self.state = "start"
        self.send(
            commands.Connection.Start(
                server_properties=self.server.properties,
                mechanisms=login.MECHANISMS,
                locales="en_US",
            )
        )
        return True

    def _negotiate(self, asked: base.Frame) -> None:
        if isinstance(asked, commands.Connection.Close):
            self.state = "closing"
            self._give_back()
            self.send(commands.Connection.CloseOk())
            self.flush()
            self._end()
        elif self.state == "start" and isinstance(asked, commands.Connection.StartOk):
            self._log_in(asked)
        elif self.state == "tune" and isinstance(asked, commands.Connection.TuneOk):
            self._tuned(asked)
        elif self.state == "opening" and isinstance(asked, commands.Connection.Open):
            if asked.virtual_host != self.vhost.name:
                raise not_allowed(f"vhost {asked.virtual_host} not found")
            self.state = "open"
            self._expect(None)
            self.send(commands.Connection.OpenOk())
        elif isinstance(asked, commands.Connection.UpdateSecret):
            raise not_implemented("connection.update-secret is not part of the embedded broker")
        else:
            state = "running" if self.state == "open" else self.state
            raise channel_error(f"unexpected method in connection state {state}")

    def _log_in(self, asked: commands.Connection.StartOk) -> None:
        self.client = dict(asked.client_properties)
        self.given_name = str(self.client.get("connection_name") or "")
        if asked.mechanism not in login.MECHANISMS.split():
            raise command_invalid(f"unknown authentication mechanism '{asked.mechanism}'")
        user = self.server.log_in(asked.mechanism, asked.response)
        if user is None:
            error = AmqpError(
                403,
                f"Login was refused using authentication mechanism {asked.mechanism}. For details "
                "see the broker logfile.",
                hard=True,
                method=NO_METHOD,
            )
            if self.capable("authentication_failure_close"):
                raise error
            self._leave()
            return
        self.user = user
        self.state = "tune"
        self.send(commands.Connection.Tune(CHANNEL_MAX, FRAME_MAX, self.server.heartbeat))

    def _tuned(self, asked: commands.Connection.TuneOk) -> None:
        for name, given, least, most in (
            ("frame_max", asked.frame_max, _FRAME_MIN, FRAME_MAX),
            ("channel_max", asked.channel_max, 1, CHANNEL_MAX),
        ):
            if given and given < least:
                raise not_allowed(
                    f"negotiated {name} = {given} is lower than the minimum allowed value ({least})"
                )
            if given == 0 or given > most:
                raise not_allowed(
                    f"negotiated {name} = {given} is higher than the maximum allowed value ({most})"
                )
        self.frame_max, self.channel_max = asked.frame_max, asked.channel_max
        self._heartbeat = asked.heartbeat
        self.beating = not self.server.tampering.silent(self)
        if self._heartbeat:
            self._beat = self.loop.call_later(self._heartbeat / 2, self._tick)
        self.state = "opening"

    def _tick(self) -> None:
        """Half a heartbeat's time is over: say that we live, see whether the client does."""
        self._beat = self.loop.call_later(self._heartbeat / 2, self._tick)
        if not self.sent and self.beating and not self.stalled:
            self.transport.write(_BEAT)
        self.sent = False
        self._silent = 0 if self._received or self.paused else self._silent + 1
        self._received = False
        if self._silent >= 4:
            self.abort()

    # Ends.

    def _failed(self, data: bytes, error: AmqpError) -> None:
        """The frame at `_from` cannot be done: close its channel, or the connection."""
        kind, number, _ = FRAME_HEAD.unpack_from(data, self._from)
        index = _PUBLISH
        if kind == METHOD:
            index = data[self._from + 7 : self._from + 11]
        class_id, method_id = error.method or _IDS.unpack(index.ljust(4, b"\0"))
        channel = self.channels.get(number)
        if self.state in ("start", "tune") and error.code != 403:
            self._leave()
        elif error.hard or channel is None:
            self.close(error, class_id, method_id)
        else:
            channel.fail(error, class_id, method_id)

    def _closing(self, kind: int, number: int, payload: bytes) -> None:
        if kind != METHOD or number:
            return
        asked = method(payload)
        if isinstance(asked, commands.Connection.Close):
            self.send(commands.Connection.CloseOk())
            self.flush()
        if isinstance(asked, commands.Connection.Close | commands.Connection.CloseOk):
            self._end()

    def _give_back(self) -> None:
        for channel in list(self.channels.values()):
            if not channel.closing:
                channel.close()
        self.channels.clear()
        self.confirming.clear()
        for queue in [one for one in self.vhost.queues.values() if one.owner is self]:
            self.vhost.delete_queue(queue)

    def _leave(self) -> None:
        """End without a word, as RabbitMQ does where the protocol has no words for it."""
        self.state = "closing"
        self._give_back()
        self._end()

    def _end(self) -> None:
        """Close the socket when what was sent is through, or the client takes too long."""
        self.transport.close()
        self._expect(_FAREWELL)

    def _expect(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if seconds is not None:
            self._deadline = self.loop.call_later(seconds, self.abort)
