"""A client of bare frames, for what no well-behaved client sends."""

from __future__ import annotations

import socket
import struct
from typing import Any, NamedTuple, Self
from urllib.parse import unquote, urlsplit

from pamqp import base, commands, frame, header
from pamqp.body import ContentBody

__all__ = ["HEADER", "Closed", "Raw", "content"]

HEADER = b"AMQP\x00\x00\x09\x01"
CAPABILITIES = {"authentication_failure_close": True, "connection.blocked": True,
                "consumer_cancel_notify": True}  # fmt: skip


def content(size: int, *, flags: int = 0, class_id: int = 60, properties: bytes = b"") -> bytes:
    """The payload of a content header."""
    return struct.pack(">HHQH", class_id, 0, size, flags) + properties


class Closed(NamedTuple):
    """What a connection.close or channel.close says."""

    code: int
    text: str
    class_id: int
    method_id: int


class Raw:
    """One connection; `open` shakes hands, or `start`, `tune` and `enter` do so step by step."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.user, self.password = unquote(parts.username or ""), unquote(parts.password or "")
        self.vhost = unquote(parts.path[1:]) or "/"
        self.socket = socket.create_connection((parts.hostname or "", parts.port or 5672), 10)
        self.socket.settimeout(10)
        self.rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def open(self, *, frame_max: int = 131072, heartbeat: int = 0) -> Self:
        """The whole handshake."""
        self.start()
        self.log_in()
        self.tune(frame_max=frame_max, heartbeat=heartbeat)
        self.enter()
        assert isinstance(self.method(), commands.Connection.OpenOk)
        return self

    def channel(self, number: int = 1) -> Self:
        """Open a channel."""
        self.send(number, commands.Channel.Open())
        assert isinstance(self.method(), commands.Channel.OpenOk)
        return self

    def start(self) -> commands.Connection.Start:
        """Greet; what the broker says it is."""
        self.bytes(HEADER)
        found = self.method()
        assert isinstance(found, commands.Connection.Start)
        return found

    def log_in(
        self,
        mechanism: str = "PLAIN",
        response: str | bytes | None = None,
        capabilities: dict[str, Any] | None = None,
    ) -> None:
        """Send connection.start-ok."""
        if response is None:
            response = f"\0{self.user}\0{self.password}"
        properties = {"capabilities": CAPABILITIES if capabilities is None else capabilities}
        self.send(0, commands.Connection.StartOk(properties, mechanism, response, "en_US"))

    def tune(self, *, frame_max: int = 131072, channel_max: int = 2047, heartbeat: int = 0) -> None:
        """Await connection.tune, and answer with these."""
        assert isinstance(self.method(), commands.Connection.Tune)
        self.send(0, commands.Connection.TuneOk(channel_max, frame_max, heartbeat))

    def enter(self, vhost: str | None = None) -> None:
        """Ask for the virtual host."""
        self.send(0, commands.Connection.Open(self.vhost if vhost is None else vhost))

    def bytes(self, data: bytes) -> None:
        """Send what no frame has to be."""
        self.socket.sendall(data)

    def frame(self, kind: int, channel: int, payload: bytes, end: bytes = b"\xce") -> None:
        """Send a frame of any kind."""
        self.bytes(bytes((kind,)) + channel.to_bytes(2, "big") + len(payload).to_bytes(4, "big")
                   + payload + end)  # fmt: skip

    def send(self, channel: int, method: base.Frame) -> None:
        """Send a method."""
        self.bytes(frame.marshal(method, channel))

    def frames(self, channel: int, publish: base.Frame, body: bytes) -> bytes:
        """A message's frames."""
        made = frame.marshal(publish, channel) + frame.marshal(
            header.ContentHeader(0, len(body)), channel
        )
        return made + (frame.marshal(ContentBody(body), channel) if body else b"")

    def read(self) -> tuple[int, Any] | None:
        """The next frame and its channel; None at the end of the connection."""
        while True:
            if len(self.rest) >= 8:
                if self.rest.startswith(b"AMQP"):
                    head, self.rest = self.rest[:8], self.rest[8:]
                    return 0, head
                size = int.from_bytes(self.rest[3:7], "big") + 8
                if len(self.rest) >= size:
                    _, channel, made = frame.unmarshal(self.rest[:size])
                    self.rest = self.rest[size:]
                    return channel, made
            try:
                more = self.socket.recv(1 << 16)
            except ConnectionResetError:
                more = b""
            if not more:
                return None
            self.rest += more

    def method(self) -> Any:
        """The next frame."""
        found = self.read()
        assert found is not None, "the broker ended the connection"
        return found[1]

    def message(self) -> bytes:
        """The body of the next delivery, which is in one frame."""
        assert isinstance(self.method(), commands.Basic.Deliver)
        size = self.method().body_size
        return bytes(self.method().value) if size else b""

    def closed(self) -> Closed | None:
        """How the broker closes the connection or the channel; None when the socket just ends."""
        while (found := self.read()) is not None:
            made = found[1]
            if isinstance(made, commands.Connection.Close | commands.Channel.Close):
                return Closed(made.reply_code, made.reply_text, made.class_id, made.method_id)
        return None
