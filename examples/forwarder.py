"""A small forwarder in plain pika: it takes hits and bundles off the bus, and writes them down.

It writes first and acknowledges then, twenty at a time, so that what it had in hand comes again
when a connection is lost: nothing is lost, though something may come twice.
"""

from __future__ import annotations

import json
import threading
from typing import Any

import pika
import pika.exceptions

__all__ = ["Forwarder", "rows"]


def rows(hit: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each process or binary of a hit. Servers send counts as 1 and as "1"."""
    return [
        {
            "watchlist": hit.get("watchlist_name"),
            "name": document.get("process_name") or document.get("md5"),
            "connections": int(document.get("netconn_count") or 0),
        }
        for document in hit.get("docs") or []
    ]


class Forwarder:
    """Consumes a queue in a thread of its own, from `with` to the end of its block."""

    batch = 20

    def __init__(self, url: str, queue: str) -> None:
        self.output: list[Any] = []
        """What it wrote: JSON decoded, bundles as they came."""
        self.failure: BaseException | None = None
        self._url, self._queue = url, queue
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Forwarder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self.consume(pika.BlockingConnection(pika.URLParameters(self._url)))
            except pika.exceptions.AMQPError:
                self._ended.wait(0.05)  # and once more, on a new connection

    def consume(self, connection: pika.BlockingConnection) -> None:
        """Take what comes on one connection; the buffer is its own."""
        channel = connection.channel()
        channel.basic_qos(prefetch_count=5 * self.batch)
        buffer: list[Any] = []
        tag = 0
        for method, properties, body in channel.consume(self._queue, inactivity_timeout=0.1):
            if method is not None:
                tag = method.delivery_tag
                buffer.append(self.read(properties, body))
            if buffer and (len(buffer) >= self.batch or method is None):
                self.write(buffer)
                buffer.clear()
                channel.basic_ack(tag, multiple=True)
            if method is None and self._ended.is_set():
                connection.close()
                return

    def read(self, properties: pika.BasicProperties, body: bytes) -> Any:
        """A message as it is written."""
        return json.loads(body) if properties.content_type == "application/json" else body

    def write(self, buffer: list[Any]) -> None:
        """Write what is there; a real one has a file or a socket here."""
        self.output += buffer
