"""Logins: PLAIN and AMQPLAIN, one user, nobody without a password."""

from __future__ import annotations

import hmac
import struct

from cbsim.bus.embedded import table
from cbsim.bus.embedded.error import cannot_decode

__all__ = ["MECHANISMS", "Credentials"]

MECHANISMS = "PLAIN AMQPLAIN"


class Credentials:
    """The one user there is."""

    def __init__(self, user: str, password: str) -> None:
        self.user = user
        self._password = password

    def check(self, mechanism: str, response: str | bytes) -> str | None:
        """The user that logs in with this response, or None; raises AmqpError."""
        given = response.encode() if isinstance(response, str) else bytes(response)
        user, password = _READERS[mechanism](given)
        known = hmac.compare_digest(user, self.user.encode())
        same = hmac.compare_digest(password, self._password.encode())
        return self.user if known and same else None


def _plain(response: bytes) -> tuple[bytes, bytes]:
    parts = response.split(b"\0")
    if len(parts) != 3:
        raise cannot_decode(b"")
    return parts[1], parts[2]


def _amqplain(response: bytes) -> tuple[bytes, bytes]:
    try:
        fields, _ = table.decode(struct.pack(">I", len(response)) + response)
        return bytes(fields["LOGIN"].value), bytes(fields["PASSWORD"].value)
    except (ValueError, KeyError, TypeError):
        raise cannot_decode(b"") from None


_READERS = {"PLAIN": _plain, "AMQPLAIN": _amqplain}
