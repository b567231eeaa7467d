"""Ports of loopback."""

from __future__ import annotations

import socket

__all__ = ["free_port", "listens"]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody listens on it."""
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0
