"""What the embedded broker moves to one pika consumer, with RabbitMQ in turn.

`python -m benchmarks.embedded` prints messages a second through each broker, their ratio, and the
CPU time that the embedded broker's thread takes for a message. The publisher sends frames made
ahead, so that it costs next to nothing; each client has a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import IO

import pika

from cbsim.bus.embedded import EmbeddedBroker
from cbsim.bus.provider import provide
from cbsim.bus.publisher import Publisher
from cbsim.scenario.loader import load
from cbsim.scenario.runner import FIXED_START, run

_BODY = b"x" * 900
_KEYS = 20
_CONSUMER = """
import sys, time, pika
url, count = sys.argv[1], int(sys.argv[2])
channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
queue = channel.queue_declare("", exclusive=True).method.queue
channel.queue_bind(queue, "amq.topic", "#")
channel.exchange_declare("api.events", "topic", durable=True)
channel.queue_bind(queue, "api.events", "#")
got, began = 0, 0.0
def take(channel, method, properties, body):
    global got, began
    began = began or time.perf_counter()
    got += 1
    if got == count:
        print(count / (time.perf_counter() - began), flush=True)
        channel.stop_consuming()
channel.basic_consume(queue, take, auto_ack=True)
print("ready", flush=True)
channel.start_consuming()
"""
_PUBLISHER = """
import sys
from benchmarks.embedded import publish
publish(sys.argv[1], int(sys.argv[2]))
"""


def measure(short: bool) -> dict[str, object]:
    """Messages a second to one pika consumer."""
    count = 20_000 if short else 100_000
    rabbitmq = os.environ.get("CBSIM_BROKER_URL") or "local"
    ours: list[float] = []
    theirs: list[float] = []
    costs: list[float] = []
    with EmbeddedBroker() as broker, provide(rabbitmq) as rabbit:
        scenario = [_scenario(count) for _ in range(3)]
        for _ in range(3):
            before = broker.call(lambda _: time.thread_time())
            ours.append(_rate(broker.url, count))
            costs.append((broker.call(lambda _: time.thread_time()) - before) / count * 1e6)
            theirs.append(_rate(rabbit.url, count))
    return {
        "cbsim run, messages a second": round(median(scenario)),
        "embedded, messages a second": round(median(ours)),
        "RabbitMQ, messages a second": round(median(theirs)),
        "ratio": round(median(ours) / median(theirs), 2),
        "microseconds a message": round(median(costs), 1),
    }


def publish(url: str, count: int) -> None:
    """Publish frames made ahead, and wait until the broker has them."""
    from pamqp import commands, frame, header
    from pamqp.body import ContentBody

    properties = commands.Basic.Properties(content_type="application/json", delivery_mode=1)
    batch = b"".join(
        frame.marshal(one, 1)
        for number in range(_KEYS)
        for one in (
            commands.Basic.Publish(exchange="amq.topic", routing_key=f"ingress.event.k{number}"),
            header.ContentHeader(0, len(_BODY), properties),
            ContentBody(_BODY),
        )
    )
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        for _ in range(count // _KEYS):
            connection._impl._output_marshaled_frames([batch])
            connection.process_data_events(0)
        channel.basic_qos()


def _rate(url: str, count: int) -> float:
    """Messages a second to one consumer, from frames made ahead."""
    with _consumer(url, count) as consumer:
        subprocess.run([sys.executable, "-c", _PUBLISHER, url, str(count)], check=True)
        return float(consumer.readline())


def _scenario(count: int) -> float:
    """Messages a second to one consumer: world, publisher and broker in this process."""
    scenario = load("steady-state")
    fast = {"rate": "max", "duration": None, "count": count}
    scenario = scenario.model_copy(update={"phases": (scenario.phases[0].model_copy(update=fast),)})
    with EmbeddedBroker() as broker:
        publisher = Publisher(broker.url)
        with _consumer(broker.url, count) as consumer:
            run(scenario, publisher, FIXED_START, count=count)
            publisher.close()
            return float(consumer.readline())


@contextmanager
def _consumer(url: str, count: int) -> Iterator[IO[str]]:
    """One pika consumer, which says how many a second it got."""
    process = subprocess.Popen(
        [sys.executable, "-c", _CONSUMER, url, str(count)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout as said:
        said.readline()
        yield said
        process.wait(30)


def main() -> None:
    """Print the figures."""
    print(json.dumps(measure(short="--short" in sys.argv), indent=2))


if __name__ == "__main__":
    main()
