"""What takes a publisher's connection away."""

from __future__ import annotations

import socket
import time
from contextlib import suppress

from cbsim.bus.publisher import Publisher

__all__ = ["cut"]


def cut(publisher: Publisher) -> None:
    """Take the socket away under the publisher, as when a broker restarts."""
    while publisher._link is None:
        time.sleep(0.01)
    # The publisher may not have seen yet that a cut before this one ended this socket too.
    with suppress(OSError):
        publisher._link._socket.shutdown(socket.SHUT_RDWR)
