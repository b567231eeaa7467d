"""Watching queues: on our own broker, by passive declares, and through the management API."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from cbsim.bus.connection import connect
from cbsim.bus.gauge import AUTO, gauge_of
from cbsim.bus.local import Node
from cbsim.bus.management import Management
from cbsim.bus.provider import Broker, provide
from cbsim.errors import BrokerError, InputError
from cbsim.load.watch import Watch
from cbsim.testing import CbServer
from tests.support.patience import until
from tests.support.serving import cbsim, serving


@contextmanager
def channel_of(broker: Broker) -> Iterator[BlockingChannel]:
    connection = connect(broker.url, broker.tls)
    yield connection.channel()
    if connection.is_open:
        connection.close()


@contextmanager
def bound(broker: Broker, count: int) -> Iterator[tuple[BlockingChannel, str, str]]:
    """A queue with so many messages from an exchange of its own; the channel, and both names."""
    exchange, queue = (f"watched-{secrets.token_hex(4)}" for _ in range(2))
    with channel_of(broker) as channel:
        channel.confirm_delivery()
        channel.exchange_declare(exchange, "topic", auto_delete=True)
        channel.queue_declare(queue)
        channel.queue_bind(queue, exchange, "#")
        for _ in range(count):
            channel.basic_publish(exchange, "any", b"{}")
        yield channel, exchange, queue
        channel.queue_delete(queue)


def test_what_waits_and_what_consumers_hold(told: Broker) -> None:
    with bound(told, 7) as (channel, exchange, queue):
        for _ in range(3):
            channel.basic_get(queue)
        with closing(gauge_of(told, [queue], [exchange])) as gauge:
            unacked = 3 if told.bound or told.management else 0

            def seen() -> bool:
                channel.connection.process_data_events(0)
                state = gauge.read()[queue].state
                return state == (4, unacked, 0)

            until(seen)
            totals = gauge.read()[queue].totals
        assert (totals and totals.arrived) == (7 if told.bound or told.management else None)


def test_auto_is_every_queue_that_is_bound_now_or_later(told: Broker) -> None:
    with bound(told, 1) as (channel, exchange, queue):
        if told.bound is None and told.management is None:
            with pytest.raises(InputError, match=r"AMQP does not tell.*--management URL"):
                gauge_of(told, [AUTO], [exchange])
            return
        with closing(gauge_of(told, [AUTO], [exchange])) as gauge:
            assert [*gauge.read()] == [queue]
            further, inner = (f"watched-{secrets.token_hex(4)}" for _ in range(2))
            channel.exchange_declare(inner, "fanout", auto_delete=True)
            channel.exchange_bind(inner, exchange, "#")
            channel.queue_declare(further, auto_delete=True)
            channel.queue_bind(further, inner, "")
            until(lambda: gauge.read().keys() == {queue, further})


def test_a_queue_that_is_not_there(told: Broker) -> None:
    with pytest.raises(InputError, match="queue 'nowhere' is not there"):
        Watch(gauge_of(told, ["nowhere"], []), ("nowhere",)).__enter__()


def test_a_queue_that_goes(told: Broker) -> None:
    with bound(told, 2) as (channel, exchange, queue):
        with Watch(gauge_of(told, [queue], [exchange]), (queue,)) as watch:
            channel.queue_delete(queue)
            until(lambda: not watch.courses[queue].there)
        assert watch.courses[queue].deepest == 2
        assert watch.trouble is None


def test_exclusive_queues_are_for_the_management_api(broker: str, managed: Node) -> None:
    for at in (Broker(broker), Broker(managed.url, management=managed.management)):
        with channel_of(at) as channel:
            queue = channel.queue_declare("", exclusive=True).method.queue
            with closing(gauge_of(at, [queue], [])) as gauge:
                if at.management is None:
                    with pytest.raises(BrokerError, match=r"exclusive.*--management URL"):
                        gauge.read()
                else:
                    until(lambda gauge=gauge, queue=queue: queue in gauge.read())


def test_a_broker_that_goes_is_trouble_and_no_end() -> None:
    with provide("embedded") as at:
        alone = Broker(at.url)
        with channel_of(at) as channel:
            channel.queue_declare("orders")
        watch = Watch(gauge_of(alone, ["orders"], []), ("orders",))
        watch.__enter__()
    until(lambda: watch.trouble is not None)
    watch.__exit__()
    assert "nothing listens there" in str(watch.trouble)


class _Answer(BaseHTTPRequestHandler):
    said: bytes
    status: int
    asked: dict[str, str | None]

    def do_GET(self) -> None:
        self.asked[self.path] = self.headers["Authorization"]
        self.send_response(self.status)
        if self.status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(self.said)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def answering(status: int, said: bytes) -> Iterator[tuple[str, dict[str, str | None]]]:
    asked: dict[str, str | None] = {}
    handler = type("Handler", (_Answer,), {"said": said, "status": status, "asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (200, b"<html>", "no management API"),
        (200, b"[" * 100_000, "no management API"),
        (401, b"{}", "the login was refused"),
        (500, b"", "status 500"),
        (302, b"", "status 302"),
    ],
)
def test_what_is_no_management_api(status: int, said: bytes, expected: str) -> None:
    with answering(status, said) as (at, asked):
        management = Management(f"http://u:s3cret@{at}", "amqp://cb:other@somewhere/v%2Fh")
        with pytest.raises(BrokerError, match=expected) as raised:
            management.read("a/b")
    assert "s3cret" not in str(raised.value)
    assert [*asked] == ["/api/queues/v%2Fh/a%2Fb"]


@pytest.mark.parametrize("said", [b"[]", b"{}", b'{"messages_ready": "many"}', b"1"])
def test_odd_answers_are_no_crash(said: bytes) -> None:
    with answering(200, said) as (at, _):
        state = Management(f"http://{at}", "amqp://somewhere").read("q")
        assert state is None or state.state.depth == 0
        assert Management(f"http://{at}", "amqp://somewhere").bound(["e"]) == set()


def test_a_management_url_is_a_url() -> None:
    with pytest.raises(BrokerError, match="expected http://user:password@host:15672"):
        Management("rabbit:15672", "amqp://somewhere")


def test_a_run_tells_of_the_queues(broker: str, managed: Node) -> None:
    for url, more in ((broker, []), (managed.url, ["--management", str(managed.management)])):
        at = Broker(url)
        with channel_of(at) as channel:
            queue = f"watched-{secrets.token_hex(4)}"
            channel.exchange_declare("api.events", "topic", durable=True)
            channel.queue_declare(queue)
            channel.queue_bind(queue, "api.events", "#")
            words = ["--rate", "200/s", "--duration", "2s", "--watch", queue, *more]
            done = cbsim("run", "quickstart", *words, CBSIM_BROKER_URL=url)
            channel.queue_delete(queue)
        assert done.returncode == 0, done.stderr
        last = done.stderr.splitlines()[-1]
        said = re.fullmatch(rf"queue {queue}: (\d+) deep, (\S+) s behind.* at the end, .*", last)
        assert said, done.stderr
        assert int(said[1]) == 400
        assert float(said[2]) >= 1.0


def test_a_watch_that_cannot_be_kept_ends_with_2(broker: str) -> None:
    done = cbsim("run", "quickstart", "--watch", "nowhere", CBSIM_BROKER_URL=broker)
    assert done.returncode == 2
    assert done.stderr.endswith("cbsim: queue 'nowhere' is not there: nothing to watch\n")
    done = cbsim("run", "quickstart", "--watch", "auto", "--sink", "null")
    assert done.returncode == 2
    assert "no queues" in done.stderr


def test_workers_are_watched_too(managed: Node) -> None:
    words = ["--rate", "400/s", "--duration", "2s", "--workers", "2", "--watch", "auto"]
    management = str(managed.management)
    with channel_of(Broker(managed.url)) as channel:
        channel.exchange_declare("api.events", "topic", durable=True)
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(queue, "api.events", "#")
        done = cbsim(
            "run", "quickstart", *words, "--management", management, CBSIM_BROKER_URL=managed.url
        )
    assert done.returncode == 0, done.stderr
    assert f"queue {queue}: " in done.stderr


def test_the_fixture_reports_of_queues(told: Broker) -> None:
    with CbServer(told) as server:
        queue = server.queue("#")
        report = server.run("quickstart", rate="500/s", count=300, watch=queue)
        course = report.queues[queue.name]
        assert course.deepest == course.state.depth == 300
        assert course.lag is not None
        assert course.lag > 0


def test_health_tells_of_queues() -> None:
    with serving("none", "--port", "0", "--health-port", "0") as served:
        broker = Broker(served.lines["broker"])
        with channel_of(broker) as channel:
            channel.queue_declare("orders")
            channel.queue_bind("orders", "api.events", "#")
            channel.basic_publish("api.events", "any", b"{}")
            expected = {"ready": 1, "unacked": 0, "consumers": 0}

            def seen() -> bool:
                told = json.loads(cbsim("health", "--at", served.endpoint).stdout)["queues"]
                return "orders" in told and expected.items() <= told["orders"].items()

            until(seen)
            lag = json.loads(cbsim("health", "--at", served.endpoint).stdout)["queues"]["orders"]
            assert lag["lag"] >= 0
