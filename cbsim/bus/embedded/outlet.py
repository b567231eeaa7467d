"""The way out to a client: frames in batches, at its pace, and when not to read from it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pamqp import base, commands

from cbsim.bus.embedded.frame import method_frame

if TYPE_CHECKING:
    from cbsim.bus.embedded.channel import Channel
    from cbsim.bus.embedded.server import Server

__all__ = ["Outlet"]

_FLUSH_AT = 1 << 16
_WRITE_HIGH = 1 << 18
_MOST_UNSENT = 1 << 24
"""From here on a client that reads nothing is not read from either."""
_MUCH_UNSENT = 1 << 20
"""From here on it is asked how much all clients together have not read."""


class Outlet(asyncio.Protocol):
    """The half of a connection that writes, and that paces both halves.

    A connection is not read from while publishers wait (`blocked`), while a fault stalls it
    (`stalled`), and while its client asks for answers that it does not read.
    """

    transport: Any

    def __init__(self, server: Server) -> None:
        self.server = server
        self.vhost = server.vhost
        self.loop = server.loop
        self.channels: dict[int, Channel] = {}
        self.client: dict[str, Any] = {}
        self.state = "header"
        self.writable = True
        """Whether consumers may be sent more."""
        self.blocked = False
        self.stalled = False
        self.sent = False
        """Whether anything was sent since the last heartbeat."""
        self.tail = b""
        """What came and is not handled yet."""
        self._out: list[bytes] = []
        self._out_size = 0
        self._full = False
        self._held_back = False

    @property
    def paused(self) -> bool:
        """Whether the client is not read from."""
        return self.blocked or self.stalled or self._held_back

    @property
    def leaving(self) -> bool:
        """Whether the connection has its end behind it."""
        return bool(self.transport.is_closing())

    def capable(self, name: str) -> bool:
        """Whether the client says that it understands an extension."""
        found = self.client.get("capabilities")
        return isinstance(found, dict) and bool(found.get(name))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self.transport = transport
        self.transport.set_write_buffer_limits(high=_WRITE_HIGH)

    def pause_writing(self) -> None:
        """The client does not keep up."""
        self._full = True
        self.writable = False

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._full = False
        self._write_on()

    def write(self, data: bytes) -> None:
        """Queue a frame; what is queued is sent when the input at hand is done."""
        if self.state == "closed":
            return
        if not self._out:
            self.vhost.unflushed.append(self)
        self._out.append(data)
        self._out_size += len(data)
        if self._out_size > _FLUSH_AT:
            self.flush()

    def flush(self) -> None:
        """Send what is queued."""
        if self.stalled:
            self.writable = False
            return
        if not self._out:
            return
        self.sent = True
        self.transport.write(b"".join(self._out))
        self._out.clear()
        self._out_size = 0
        if not self.writable and not self.leaving:
            unsent = self.transport.get_write_buffer_size()
            if unsent > _MOST_UNSENT:
                self._hold_back(True)
            if unsent > _MUCH_UNSENT:
                self.server.mind_unsent()

    def send(self, made: base.Frame) -> None:
        """Send a method of channel 0."""
        self.write(method_frame(0, made))

    def discard(self) -> None:
        """Send nothing any more, not even what is queued."""
        self.state = "closed"
        self.writable = False
        self._out.clear()
        self._out_size = 0

    def block(self) -> None:
        """Stop reading: memory is short."""
        if self.blocked or self.state != "open":
            return
        self.blocked = True
        if self.capable("connection.blocked"):
            self.send(commands.Connection.Blocked(self.server.alarm_reason))
            self.flush()
        self._pace()

    def unblock(self) -> None:
        """Read on."""
        if not self.blocked:
            return
        self.blocked = False
        if self.capable("connection.blocked") and self.state == "open":
            self.send(commands.Connection.Unblocked())
            self.flush()
        self._read_on()

    def stall(self, stalled: bool) -> None:
        """Neither read nor write, or do so again."""
        if stalled == self.stalled:
            return
        self.stalled = stalled
        if stalled:
            self.writable = False
            self._pace()
        else:
            self.flush()
            self._write_on()
            self._read_on()

    def _write_on(self) -> None:
        if self._full or self.stalled or self.state == "closed":
            return
        self.writable = True
        self._hold_back(False)
        for channel in self.channels.values():
            channel.wake()
        self.vhost.settle()

    def _hold_back(self, held: bool) -> None:
        if held != self._held_back:
            self._held_back = held
            if held:
                self._pace()
            else:
                self._read_on()

    def _read_on(self) -> None:
        self._pace()
        if self.tail:
            self.loop.call_soon(self.data_received, b"")

    def _pace(self) -> None:
        if self.transport.is_closing():
            return
        if self.paused:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()
