"""What consumers have yet to take: the measure of when a broker may end without loss to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbsim.bus.queue_state import backlog_of

if TYPE_CHECKING:
    from cbsim.bus.embedded.server import Server

__all__ = ["backlog"]


def backlog(server: Server) -> int:
    """Messages in queues that have consumers, unacknowledged or unsent; at least that many."""
    held = backlog_of(server.states().values())
    unsent = [one for one in server.connections if one.transport.get_write_buffer_size()]
    return held + len(unsent)
