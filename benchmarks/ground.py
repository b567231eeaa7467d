"""Where messages go while publishing is measured: the same for every peer.

A topic exchange and a queue that is bound to it with `#`; a fanout exchange and a queue for
bundles. The queues are transient and keep the last 10,000 messages (64 MB): nobody consumes, whose
work would be measured too, and the broker's memory stays as it is. They are emptied before a peer
begins, and a peer has ended when the broker has taken its last message, not when it was written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.sample import Meter, process_of
from cbsim.bus.connection import connect
from cbsim.bus.provider import provide
from cbsim.bus.publisher import Topology, declare

__all__ = ["Ground", "broker", "ground"]

_KEPT = {"x-max-length": 10_000, "x-max-length-bytes": 64_000_000}


@dataclass(frozen=True, slots=True)
class Ground:
    """A broker, exchanges and queues for the time of a benchmark."""

    url: str
    topology: Topology
    queue: str
    bundles: str
    meter: Meter

    def clear(self) -> None:
        """Empty the queues."""
        connection = connect(self.url)
        for queue in (self.queue, self.bundles):
            connection.channel().queue_purge(queue)
        connection.close()


@contextmanager
def broker() -> Iterator[str]:
    """The URL of the RabbitMQ to measure: CBSIM_BROKER_URL, or a private node."""
    with provide(os.environ.get("CBSIM_BROKER_URL") or "local", exchanges=()) as provided:
        yield provided.url


@contextmanager
def ground(url: str) -> Iterator[Ground]:
    """Exchanges and queues of our own, gone afterwards."""
    name = f"cbsim-bench-{os.getpid()}"
    topology = Topology(f"{name}.events", f"{name}.raw", durable=False)
    connection = connect(url)
    channel = connection.channel()
    declare(channel, topology, url)
    queues = name, f"{name}.bundles"
    for queue, exchange in zip(queues, (topology.events, topology.raw), strict=True):
        channel.queue_declare(queue, arguments=_KEPT)
        channel.queue_bind(queue, exchange, "#")
    connection.close()
    try:
        yield Ground(url, topology, *queues, Meter(process_of(url)))
    finally:
        connection = connect(url)
        channel = connection.channel()
        for queue in queues:
            channel.queue_delete(queue)
        for exchange in (topology.events, topology.raw):
            channel.exchange_delete(exchange)
        connection.close()
