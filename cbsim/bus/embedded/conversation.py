"""The conversation on channel 0: the handshake, heartbeats, and how a connection ends."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING

from pamqp import base, commands

from cbsim.bus.embedded import login
from cbsim.bus.embedded.error import (
    AmqpError,
    channel_error,
    command_invalid,
    not_allowed,
    not_implemented,
)
from cbsim.bus.embedded.frame import END, FRAME_HEAD, HEARTBEAT, METHOD, method
from cbsim.bus.embedded.outlet import Outlet

if TYPE_CHECKING:
    from cbsim.bus.embedded.channel import Channel
    from cbsim.bus.embedded.server import Server

__all__ = ["Conversation"]

_CHANNEL_MAX, _FRAME_MAX, _FRAME_MIN = 2047, 131072, 4096
_PROTOCOL = b"AMQP\x00\x00\x09\x01"
_BEAT = FRAME_HEAD.pack(HEARTBEAT, 0, 0) + END
_HANDSHAKE, _FAREWELL = 10.0, 5.0
"""How long a client may take, seconds."""
_QUEUEING = 5.0
"""How long a client may have to wait for its login, seconds."""


class Conversation(Outlet):
    """A client that comes, is let in, is alive, and goes."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.name = self.given_name = ""
        self.user = ""
        self.confirming: set[Channel] = set()
        self.frame_max = _FRAME_MIN
        self.channel_max = _CHANNEL_MAX
        self.beating = True
        self.heard = False
        """Whether anything came since the last heartbeat."""
        self._silent = 0
        self._heartbeat = 0
        self._beat: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        super().connection_made(transport)
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self.name = f"{peer[0]}:{peer[1]} -> {own[0]}:{own[1]}"
        self._expect(_HANDSHAKE)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over: what it held goes back."""
        del exc
        self.state = "closed"
        self.writable = False
        for timer in (self._beat, self._deadline):
            if timer is not None:
                timer.cancel()
        self._give_back()
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

    # The beginning.

    def _greet(self, data: bytes) -> int:
        """Answer the protocol's header; returns how many bytes are done with."""
        if len(data) < 8 and _PROTOCOL.startswith(data):
            return 0
        if data[:8] != _PROTOCOL:
            self.state = "closing"
            self.write(_PROTOCOL)
            self.flush()
            self._end()
            return len(data)
        self.state = "start"
        self.send(
            commands.Connection.Start(
                server_properties=self.server.properties,
                mechanisms=login.MECHANISMS,
                locales="en_US",
            )
        )
        return len(_PROTOCOL)

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
            self.server.enter(self.user)
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
        given = login.read(asked.mechanism, asked.response)
        wait = self.server.doorkeeper.wait()
        if wait > _QUEUEING:
            self._leave()
        elif wait:
            self.state = "secure"
            self.loop.call_later(wait, self._queued, asked.mechanism, given)
        else:
            self._look_at(asked.mechanism, given)

    def _queued(self, mechanism: str, given: login.Login) -> None:
        if self.state == "secure":
            self._look_at(mechanism, given)
            self.vhost.settle()

    def _look_at(self, mechanism: str, given: login.Login) -> None:
        if self.server.log_in(given):
            self.user = self.server.doorkeeper.user
            self.state = "tune"
            self.send(commands.Connection.Tune(_CHANNEL_MAX, _FRAME_MAX, self.server.heartbeat))
        elif self.capable("authentication_failure_close"):
            why = (
                f"Login was refused using authentication mechanism {mechanism}. For details see "
                "the broker logfile."
            )
            self.close(AmqpError(403, why, hard=True))
        else:
            self._leave()

    def _tuned(self, asked: commands.Connection.TuneOk) -> None:
        for name, given, least, most in (
            ("frame_max", asked.frame_max, _FRAME_MIN, _FRAME_MAX),
            ("channel_max", asked.channel_max, 1, _CHANNEL_MAX),
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
        self._silent = 0 if self.heard or self.paused else self._silent + 1
        self.heard = False
        if self._silent >= 4:
            self.abort()

    # The end.

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
        own = [queue for queue in self.vhost.queues.values() if queue.owner is self]
        if own:
            self.vhost.delete_queues(own)

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
