"""Routes: where messages go, found once and kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cbsim.bus.embedded.queue import Queue

__all__ = ["Route"]


class Route(NamedTuple):
    """Where an exchange and a routing key lead, kept until the topology changes."""

    exchange: str
    key: str
    address: bytes
    """Both as they stand in basic.deliver."""
    mandatory: bool
    queues: Sequence[Queue]
    by_headers: bool
    """Whether the queues depend on the headers, and have to be found anew."""

    @property
    def publish(self) -> bytes:
        """The fields of the basic.publish that it is for."""
        return self.address + (b"\x01" if self.mandatory else b"\x00")
