"""The broker's inside: its connections, who may log in, and when publishers have to wait."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from cbsim import __version__
from cbsim.bus.embedded.connection import Connection
from cbsim.bus.embedded.consumer import Consumer, Get
from cbsim.bus.embedded.login import Credentials
from cbsim.bus.embedded.queue import Queue
from cbsim.bus.embedded.tampering import Tampering
from cbsim.bus.embedded.vhost import Vhost
from cbsim.bus.queue_state import QueueState, Reading

__all__ = ["Server"]

_CAPABILITIES = (
    "authentication_failure_close",
    "basic.nack",
    "connection.blocked",
    "consumer_cancel_notify",
    "consumer_priorities",
    "exchange_exchange_bindings",
    "per_consumer_qos",
    "publisher_confirms",
)
_CALM = 0.9
"""The share of the memory limit at which blocked publishers go on."""


class Server:
    """One broker; everything in it runs in its loop."""

    properties: dict[str, Any] = {
        "capabilities": dict.fromkeys(_CAPABILITIES, True),
        "product": "cbsim",
        "version": __version__,
        "platform": "Python",
        "information": "The embedded broker of cbsim, in memory",
    }

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        credentials: Credentials,
        vhost: str,
        memory_limit: int,
        heartbeat: int,
    ) -> None:
        self.loop = loop
        self.credentials = credentials
        self.heartbeat = heartbeat
        self.connections: dict[Connection, None] = {}
        self.vhost = Vhost(vhost, loop, memory_limit, self._watch)
        self.tampering = Tampering(self)
        self.refusals: float = 0
        """How many of the next logins a fault refuses."""
        self.block_reason: str | None = None
        """Why a fault blocks publishers, when one does."""

    @property
    def alarmed(self) -> bool:
        """Whether who publishes is blocked."""
        return self.vhost.short or self.block_reason is not None

    @property
    def alarm_reason(self) -> str:
        """What blocked publishers are told."""
        return self.block_reason or "low on memory"

    def log_in(self, mechanism: str, response: str | bytes) -> str | None:
        """The user that logs in, or None."""
        if self.refusals > 0:
            self.refusals -= 1
            return None
        return self.credentials.check(mechanism, response)

    def states(self) -> dict[str, QueueState]:
        """What each queue holds."""
        return {name: reading.state for name, reading in self.readings().items()}

    def readings(self) -> dict[str, Reading]:
        """What each queue holds and did."""
        unacked: Counter[Queue] = Counter()
        for connection in self.connections:
            for channel in connection.channels.values():
                unacked.update(one.queue for one in channel.unacked.values())
                takers: list[Consumer | Get] = [*channel.consumers.values(), *channel.gets]
                for taker in takers:
                    # What a fault keeps back is on its way all the same.
                    unacked[taker.queue] += len(taker.held)
        return {name: queue.read(unacked[queue]) for name, queue in self.vhost.queues.items()}

    def calm(self) -> None:
        """Let publishers go on, unless there is still a reason to wait."""
        if not self.alarmed:
            for connection in list(self.connections):
                connection.unblock()

    def close(self) -> None:
        """Cut every connection."""
        for connection in list(self.connections):
            connection.abort()

    def _watch(self) -> None:
        vhost = self.vhost
        if not vhost.short:
            vhost.short = vhost.memory > vhost.memory_limit
        elif vhost.memory <= vhost.memory_limit * _CALM:
            vhost.short = False
            self.calm()
