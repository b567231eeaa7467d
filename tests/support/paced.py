"""A consumer that can take so many messages a second and no more, as a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pika

if TYPE_CHECKING:
    from cbsim.testing import CbServer
    from cbsim.testing.queue import CbQueue

__all__ = ["consuming", "paced"]


@contextmanager
def paced(
    url: str, queue: str, seconds: float, *, prefetch: int = 50, deeper: int = 0
) -> Iterator[subprocess.Popen[bytes]]:
    """A consumer that needs so many seconds for a message, however well the machine sleeps.

    With `deeper`, it needs twice as long when so many messages wait.
    """
    words = [url, queue, str(seconds), str(prefetch), str(deeper)]
    process = subprocess.Popen([sys.executable, "-m", __name__, *words])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def consuming(
    server: CbServer, seconds: float, *, consumers: int = 1, prefetch: int = 50, deeper: int = 0,
    bound: str = "#",
) -> Iterator[CbQueue]:  # fmt: skip
    """A queue with so many consumers, each of which needs so many seconds for a message."""
    queue = server.queue(bound)
    with ExitStack() as stack:
        for _ in range(consumers):
            stack.enter_context(
                paced(server.url, queue.name, seconds, prefetch=prefetch, deeper=deeper)
            )
        queue.wait_for_consumer(20)
        yield queue


def _consume(url: str, queue: str, seconds: float, prefetch: int, deeper: int) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=prefetch)
    beside = connection.channel()
    waiting, looked, free = 0, 0.0, time.monotonic()
    for method, _, _ in channel.consume(queue):
        assert method is not None
        assert method.delivery_tag is not None
        now = time.monotonic()
        if deeper and now - looked > 0.1:
            waiting = beside.queue_declare(queue, passive=True).method.message_count
            looked = now
        # Who was idle starts now; who overslept makes up for it.
        free = max(free, now - 0.05) + seconds * (1 + waiting / deeper if deeper else 1)
        if free > now:
            time.sleep(free - now)
        channel.basic_ack(method.delivery_tag)


if __name__ == "__main__":
    _, at, name, each, most, slower = sys.argv
    _consume(at, name, float(each), int(most), int(slower))
