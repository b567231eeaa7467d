"""What consumers have yet to take: the measure of when a broker may end without loss to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cbsim.bus.embedded.server import Server

__all__ = ["backlog"]


def backlog(server: Server) -> int:
    """Messages in queues that have consumers, unacknowledged or unsent; at least that many."""
    queued = sum(len(queue.ready) for queue in server.vhost.queues.values() if queue.consumers)
    unacked = unsent = 0
    for connection in server.connections:
        unacked += sum(len(channel.unacked) for channel in connection.channels.values())
        unsent += connection.transport.get_write_buffer_size() > 0
    return queued + unacked + unsent
