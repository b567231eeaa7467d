"""The content of a message that comes frame by frame."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from cbsim.bus.embedded.error import AmqpError, bad_frame, precondition_failed, unexpected_frame
from cbsim.bus.embedded.frame import BODY, END, FRAME_HEAD, HEADER
from cbsim.bus.embedded.message import CONTENT_HEAD

if TYPE_CHECKING:
    from cbsim.bus.embedded.route import Route

__all__ = ["Content"]

_PUBLISH = (60, 40)
_LARGEST = 128 * 1024 * 1024
"""The largest body, as RabbitMQ has it when nobody configures it."""


class Content:
    """A message of which not every frame is here yet."""

    __slots__ = ("_body", "_header", "_missing", "flags", "route", "size")

    def __init__(self, route: Route) -> None:
        self.route = route
        self.flags = 0
        self.size = 0
        """Bytes of the body that are here."""
        self._header: bytes | None = None
        self._missing = 0
        self._body: list[bytes] = []

    def add(self, kind: int, payload: bytes) -> bool:
        """Take a frame; whether it was the last one. Raises AmqpError."""
        if self._header is None:
            if kind != HEADER:
                raise self.interrupted()
            try:
                class_id, _, self._missing, self.flags = CONTENT_HEAD.unpack_from(payload)
            except struct.error:
                raise bad_frame(kind, payload, "unknown_frame") from None
            if class_id != 60:
                raise unexpected_frame(
                    f"expected content header for class 60, got one for class {class_id} instead",
                    _PUBLISH,
                )
            if self._missing > _LARGEST:
                raise precondition_failed(
                    f"message size {self._missing} is larger than configured max size {_LARGEST}"
                )
            self._header = payload
        else:
            if kind != BODY or len(payload) > self._missing:
                raise self.interrupted()
            self._missing -= len(payload)
            self.size += len(payload)
            self._body.append(payload)
        return self._missing == 0

    def frames(self, number: int) -> tuple[bytes, int, int]:
        """A header frame and one for the whole body, and the sizes of both."""
        header, body = self._header or b"", b"".join(self._body)
        parts = [FRAME_HEAD.pack(HEADER, number, len(header)), header, END]
        if body:
            parts += (FRAME_HEAD.pack(BODY, number, len(body)), body, END)
        return b"".join(parts), len(header), len(body)

    def interrupted(self) -> AmqpError:
        """The error of another frame than the content's next."""
        wanted, got = "content body", "content body"
        if self._header is None:
            wanted, got = "content header for class 60", "content header"
        return unexpected_frame(f"expected {wanted}, got non {got} frame instead", _PUBLISH)
