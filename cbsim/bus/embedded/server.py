"""The broker's inside: its connections, who may log in, and when publishers have to wait."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any

from cbsim import __version__
from cbsim.bus.embedded.connection import Connection
from cbsim.bus.embedded.consumer import Consumer, Get
from cbsim.bus.embedded.error import not_allowed, resource_error
from cbsim.bus.embedded.login import Doorkeeper, Login
from cbsim.bus.embedded.queue import Queue
from cbsim.bus.embedded.quota import Quota
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
_LOGGER = logging.getLogger(__name__)
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
        doorkeeper: Doorkeeper,
        vhost: str,
        quota: Quota,
        heartbeat: int,
    ) -> None:
        self.loop = loop
        self.doorkeeper = doorkeeper
        self.heartbeat = heartbeat
        self.connections: dict[Connection, None] = {}
        self.quota = quota
        self.vhost = Vhost(vhost, loop, quota, self._watch)
        self.coming = 0
        """Bytes of bodies that have not come to their end."""
        self.tampering = Tampering(self)
        self.refusals: float = 0
        """How many of the next logins a fault refuses."""
        self.away_until = 0.0
        """Until when a fault lets nobody in, by the loop's clock."""
        self.block_reason: str | None = None
        """Why a fault blocks publishers, when one does."""

    @property
    def away(self) -> bool:
        """Whether a fault lets nobody in."""
        return self.loop.time() < self.away_until

    @property
    def alarmed(self) -> bool:
        """Whether who publishes is blocked."""
        return self.vhost.short or self.block_reason is not None

    @property
    def alarm_reason(self) -> str:
        """What blocked publishers are told."""
        return self.block_reason or "low on memory"

    def log_in(self, login: Login) -> bool:
        """Whether somebody may come in."""
        if self.refusals > 0:
            self.refusals -= 1
            return False
        return self.doorkeeper.admits(login)

    def arrive(self, connection: Connection) -> None:
        """A client has come: when too many have that are not let in, the first of them must go."""
        strangers = [one for one in self.connections if one.state != "open" and not one.leaving]
        for one in strangers[: max(0, len(strangers) + 1 - self.quota.strangers)]:
            one.abort()
        self.connections[connection] = None

    def enter(self, user: str) -> None:
        """Raises AmqpError when nobody more may be logged in."""
        inside = sum(one.state == "open" for one in self.connections)
        if inside >= self.quota.connections:
            raise not_allowed(
                f"access to vhost '{self.vhost.name}' refused for user '{user}': connection limit "
                f"({self.quota.connections}) is reached"
            )

    def open_channel(self, user: str) -> None:
        """Raises AmqpError when there are as many channels as there may be in all."""
        if sum(len(one.channels) for one in self.connections) >= self.quota.channels:
            raise not_allowed(
                f"number of channels opened for user '{user}' has reached the maximum allowed "
                f"limit of ({self.quota.channels})"
            )

    def take_in(self, size: int) -> None:
        """So many bytes more of a body have come; too many in all, and the greediest must go."""
        self.coming += size
        most = self.quota.memory // 2
        if self.coming > most:
            greediest = max(self.connections, key=lambda one: one.coming)
            error = f"bodies that have not come to their end take more than {most} bytes"
            greediest.close(resource_error(error))

    def mind_unsent(self) -> None:
        """See to it that what clients do not read does not fill the memory."""
        unsent = {one: one.transport.get_write_buffer_size() for one in self.connections}
        if sum(unsent.values()) > self.quota.memory // 2:
            greediest = max(unsent, key=unsent.__getitem__)
            _LOGGER.warning("%s reads nothing of what it is sent, and is cut off", greediest.name)
            greediest.abort()

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
            vhost.short = vhost.memory > self.quota.memory
        elif vhost.memory <= self.quota.memory * _CALM:
            vhost.short = False
            self.calm()
