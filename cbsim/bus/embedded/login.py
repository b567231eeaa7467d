"""Logins: PLAIN and AMQPLAIN, one user, nobody without a password, and no guessing in haste."""

from __future__ import annotations

import hmac
import struct
from collections.abc import Callable
from typing import NamedTuple

from cbsim.bus.embedded import table
from cbsim.bus.embedded.error import cannot_decode

__all__ = ["MECHANISMS", "Doorkeeper", "Login", "read"]

MECHANISMS = "PLAIN AMQPLAIN"


class Login(NamedTuple):
    """Who somebody says to be."""

    user: bytes
    password: bytes


class Doorkeeper:
    """Knows the one user there is.

    `now` gives the time in seconds. Once `rate` logins were wrong within a second, so many a second
    are looked at, right or wrong, each in its turn.
    """

    def __init__(self, user: str, password: str, rate: int, now: Callable[[], float]) -> None:
        self.user = user
        self._known = Login(user.encode(), password.encode())
        self._apart, self._now = 1 / rate, now
        self._free = now()
        """From when on a login is looked at without a wait."""

    def wait(self) -> float:
        """How many seconds the next login has to wait until it is looked at."""
        wait = max(0.0, self._free - self._now())
        if wait:
            self._free += self._apart
        return wait

    def admits(self, login: Login) -> bool:
        """Whether somebody may come in."""
        known = hmac.compare_digest(login.user, self._known.user)
        same = hmac.compare_digest(login.password, self._known.password)
        if known and same:
            return True
        self._free = max(self._free, self._now() - 1) + self._apart
        return False


def read(mechanism: str, response: str | bytes) -> Login:
    """What a response says; raises AmqpError."""
    given = response.encode() if isinstance(response, str) else bytes(response)
    return _READERS[mechanism](given)


def _plain(response: bytes) -> Login:
    parts = response.split(b"\0")
    if len(parts) != 3:
        raise cannot_decode(b"")
    return Login(parts[1], parts[2])


def _amqplain(response: bytes) -> Login:
    try:
        fields, _ = table.decode(struct.pack(">I", len(response)) + response)
    except ValueError:
        raise cannot_decode(b"") from None
    user, password = fields.get("LOGIN"), fields.get("PASSWORD")
    if user is None or password is None or {user.kind, password.kind} != {"S"}:
        raise cannot_decode(b"")
    return Login(user.value, password.value)


_READERS = {"PLAIN": _plain, "AMQPLAIN": _amqplain}
