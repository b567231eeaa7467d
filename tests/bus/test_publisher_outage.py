"""The publisher on a RabbitMQ of its own, which runs short of memory, and goes away."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cbsim.bus.connection import connect
from cbsim.bus.local import Node, node
from cbsim.bus.publisher import Publisher
from cbsim.errors import BrokerError
from cbsim.wire.message import Message
from tests.support.patience import until

# The distributions' own command in PATH changes to a user who may not read our node's folder.
_INSTALLED = Path("/usr/lib/rabbitmq/bin/rabbitmqctl")
CTL = str(_INSTALLED) if _INSTALLED.exists() else "rabbitmqctl"


@pytest.fixture(scope="module")
def own(broker: str) -> Iterator[Node]:
    # `broker` decides whether there must be a RabbitMQ.
    with node() as started:
        yield started


def control(own: Node, *words: str) -> None:
    subprocess.run([CTL, *words], env=own.environment, check=True, capture_output=True, timeout=60)


def event(number: int) -> Message:
    return Message("api.events", "ingress.event.filemod", "application/protobuf", b"%d" % number)


def test_a_broker_short_of_memory_is_waited_for(own: Node) -> None:
    publisher = Publisher(own.url)
    publisher.publish(event(0))
    publisher.flush()
    control(own, "set_vm_memory_high_watermark", "absolute", "1")
    publisher.publish(event(1))
    until(lambda: publisher._link.blocked_at is not None)
    flushed = threading.Event()
    thread = threading.Thread(target=lambda: (publisher.flush(), flushed.set()))
    thread.start()
    assert not flushed.wait(1)
    control(own, "set_vm_memory_high_watermark", "0.4")
    thread.join()
    assert publisher.confirmed == 2
    assert publisher.republished == 0
    publisher.close()


def test_a_broker_that_stays_short_of_memory_ends_the_run(own: Node) -> None:
    publisher = Publisher(own.url, patience=1.0)
    control(own, "set_vm_memory_high_watermark", "absolute", "1")
    publisher.publish(event(0))
    with pytest.raises(BrokerError, match="took no messages for 1 s, because of low on memory"):
        publisher.flush()
    control(own, "set_vm_memory_high_watermark", "0.4")
    publisher.close()


def test_a_broker_that_restarts(own: Node) -> None:
    publisher = Publisher(own.url, patience=60)
    numbers = iter(range(10**9))
    stop = threading.Event()

    def publish() -> None:
        while not stop.is_set():
            publisher.publish_many([event(next(numbers)) for _ in range(20)])
            time.sleep(0.01)

    thread = threading.Thread(target=publish)
    thread.start()
    until(lambda: publisher.confirmed > 0)
    control(own, "stop_app")
    control(own, "start_app")
    seen = publisher.confirmed
    until(lambda: publisher.confirmed > seen)
    connection = connect(own.url)
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, "api.events", "#")
    arrived = [int(body) for _, (_, _, body) in zip(
        range(200), channel.consume(queue, auto_ack=True), strict=False)]  # fmt: skip
    stop.set()
    thread.join()
    publisher.flush()
    publisher.close()
    connection.close()
    assert publisher.confirmed == next(numbers)
    assert arrived == list(range(arrived[0], arrived[0] + 200))
