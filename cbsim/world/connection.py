"""A network connection, as a process makes or takes it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Connection"]


class Connection(NamedTuple):
    """A network connection, ports in host order."""

    host: str
    """The name asked for; empty when there was none."""
    address: str
    port: int
    """Of the service: remote where it is outbound, else the endpoint's own."""
    outbound: bool = True
    udp: bool = False
    proxied: bool = False
