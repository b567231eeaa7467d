"""The embedded broker as a user has it: how much goes through, how soon a bus is ready.

`python -m benchmarks.embedded` prints the figures.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from statistics import median

import pika.exceptions

from cbsim.bus.connection import connect
from cbsim.errors import BrokerError

_COMMAND = [sys.executable, "-c", "from cbsim.cli import main; main()"]


def measure(short: bool, count: int = 0, rounds: int = 0) -> dict[str, object]:
    """Messages a second from `cbsim run` to a pika consumer; seconds until `cbsim serve` is ready.

    `count` and `rounds` are for those who want fewer than the benchmark takes.
    """
    count, rounds = count or (40_000 if short else 100_000), rounds or (3 if short else 5)
    return {
        "to one pika consumer, messages a second": round(
            median(_through(count) for _ in range(rounds))
        ),
        "serve ready, seconds": round(median(_ready() for _ in range(rounds)), 3),
    }


def _through(count: int) -> float:
    """From the first message to the last in the consumer's hands; it acknowledges every 500th."""
    port = _free_port()
    command = [*_COMMAND, "run", "steady-state", "--rate", "max", "--count", str(count)]
    command += ["--broker", f"embedded://cb:bench@127.0.0.1:{port}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        while not _listens(port):
            if run.poll() is not None:
                raise BrokerError("`cbsim run --broker embedded` ended")
            time.sleep(0.01)
        connection = connect(f"amqp://cb:bench@127.0.0.1:{port}/%2F")
        channel = connection.channel()
        channel.exchange_declare("api.events", "topic", durable=True)
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(queue, "api.events", "#")
        channel.basic_qos(prefetch_count=2000)
        got, began, ended = 0, 0.0, 0.0
        with suppress(pika.exceptions.AMQPConnectionError):  # the broker ends with the run
            for method, _, _ in channel.consume(queue, inactivity_timeout=1):
                if method is None:
                    break
                ended = time.perf_counter()
                began = began or ended
                got += 1
                if got % 500 == 0:
                    channel.basic_ack(method.delivery_tag, multiple=True)
            channel.basic_ack(0, multiple=True)
            connection.close()
    if got < count / 2:
        # On a busy machine the consumer came late: with more messages it is there for most.
        return _through(2 * count)
    return (got - 1) / (ended - began)


def _ready() -> float:
    """From the start of the command to a health endpoint that says ready."""
    port = _free_port()
    command = [*_COMMAND, "serve", "--port", "0", "--health-port", str(port)]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as serve:
        while serve.poll() is None:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health"):
                break
            time.sleep(0.005)
        seconds = time.perf_counter() - began
        serve.terminate()
    return seconds


def _listens(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def main() -> None:
    """Print the figures."""
    print(json.dumps(measure(short=False), indent=2))


if __name__ == "__main__":
    main()
