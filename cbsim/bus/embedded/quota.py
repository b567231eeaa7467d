"""What the clients of an embedded broker may take, so that none takes it from the others."""

from __future__ import annotations

from dataclasses import dataclass

from cbsim.bus.embedded.error import precondition_failed

__all__ = ["Quota", "require_room"]


@dataclass(frozen=True, slots=True)
class Quota:
    """How much of everything there may be in one broker."""

    memory: int = 256 << 20
    """Bytes of messages: beyond it publishers are blocked. Bodies that have not come to their end
    may take half as much, and what clients do not read of what they are sent as much again: beyond
    that the client with most of it is cut off."""
    connections: int = 500
    """Connections that are logged in."""
    strangers: int = 250
    """Those that are not: when one more comes, the one that came first must go."""
    channels: int = 20_000
    """2,047 of one connection."""
    queues: int = 10_000
    exchanges: int = 1_000
    bindings: int = 20_000
    consumers: int = 2_000
    declared: int = 4 << 20
    """Bytes of the declarations of queues, exchanges and bindings, their arguments among them; a
    word of a binding key beyond the eighth counts for 400, one behind a `#` for 2,048."""
    logins: int = 20
    """Logins a second that are looked at, once so many were wrong."""


def require_room(present: int, most: int, kind: str, act: str, vhost: str) -> None:
    """Raises AmqpError, in RabbitMQ's words, unless there may be one more of a kind."""
    if present >= most:
        raise precondition_failed(
            f"cannot {act}: {kind} limit in vhost '{vhost}' ({most}) is reached"
        )
