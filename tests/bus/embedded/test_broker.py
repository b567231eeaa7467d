"""The embedded broker as such: its life, its limits, TLS, and publishers that have to wait.

That publishers wait is not part of the conformance suite: a RabbitMQ would have to be brought to
the end of its memory first.
"""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pika
import pytest
import trustme
from pamqp import commands
from pika.exceptions import AMQPConnectionError, ConnectionClosedByBroker

from cbsim.bus.connection import Tls, connect
from cbsim.bus.embedded import EmbeddedBroker
from cbsim.bus.embedded.quota import Quota
from cbsim.errors import BrokerError
from tests.support.patience import until
from tests.support.raw import Raw, content


def opened(broker: EmbeddedBroker, name: str | None = None) -> pika.BlockingConnection:
    parameters = pika.URLParameters(broker.url)
    parameters.client_properties = {"connection_name": name} if name else None
    return pika.BlockingConnection(parameters)


def test_it_starts_and_stops_without_a_trace() -> None:
    threads = threading.active_count()
    with EmbeddedBroker() as broker:
        first, second = opened(broker), opened(broker)
        queue = first.channel().queue_declare("").method.queue
        assert second.channel().queue_declare(queue, passive=True).method.queue == queue
    assert threading.active_count() == threads
    with pytest.raises(AMQPConnectionError):
        first.channel()
    with pytest.raises(AMQPConnectionError):
        second.channel()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((broker.host, broker.port), 1)


def test_it_starts_again_where_it_was_and_remembers_nothing() -> None:
    broker = EmbeddedBroker()
    for _ in range(2):
        broker.start()
        url = broker.url
        with opened(broker) as connection:
            assert connection.channel().queue_declare("q").method.message_count == 0
            connection.channel().basic_publish("", "q", b"")
        broker.stop()
        assert broker.url == url
    broker.stop()


def test_two_do_not_share_anything() -> None:
    with EmbeddedBroker() as one, EmbeddedBroker() as other:
        assert one.password != other.password
        with opened(one) as connection:
            connection.channel().queue_declare("q")
        assert "q" in one.queues
        assert "q" not in other.queues


def test_the_user_the_password_and_the_virtual_host_are_as_given() -> None:
    with EmbeddedBroker(user="a:b", password="c/d@é", vhost="x y") as broker:
        assert broker.url.startswith("amqp://a%3Ab:c%2Fd%40%C3%A9@127.0.0.1:")
        assert broker.url.endswith("/x%20y")
        opened(broker).close()


def test_a_port_that_is_taken() -> None:
    with EmbeddedBroker() as broker:
        second = EmbeddedBroker(port=broker.port)
        with pytest.raises(BrokerError, match=rf"cannot listen on 127\.0\.0\.1:{broker.port}"):
            second.start()
        with pytest.raises(BrokerError, match="started already"):
            broker.start()
    with pytest.raises(BrokerError, match="not running"):
        _ = broker.queues


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("256.0.0.1", 0), ("a" * 70, 0)])
def test_an_address_that_cannot_be(host: str, port: int) -> None:
    with pytest.raises(BrokerError, match="cannot listen on"):
        EmbeddedBroker(host=host, port=port).start()


def test_what_it_says_about_itself() -> None:
    with EmbeddedBroker() as broker, opened(broker, "mine") as connection:
        channel = connection.channel()
        channel.queue_declare("q")
        for _ in range(3):
            channel.basic_publish("", "q", b"x" * 1000)
        channel.basic_get("q")
        assert broker.connections == ["mine"]
        assert broker.queues == {"q": (2, 1, 0)}
        assert broker.memory > 3000
        channel.basic_ack(1)
        channel.queue_purge("q")
        assert broker.memory == 0


def test_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    with EmbeddedBroker(tls=context) as broker:
        assert broker.url.startswith("amqps://")
        with connect(broker.url, Tls(str(ca_file))) as connection:
            channel = connection.channel()
            channel.queue_declare("q")
            channel.confirm_delivery()
            channel.basic_publish("", "q", b"x" * 1_000_000)
            assert channel.basic_get("q")[2] == b"x" * 1_000_000
        with pytest.raises(BrokerError, match="its certificate is not trusted"):
            connect(broker.url)
        for how in ("close", "eof", "reset", "mid-frame"):
            dropped = connect(broker.url, Tls(str(ca_file)))
            assert broker.faults.drop_connection(how) == 1
            with pytest.raises(AMQPConnectionError):
                dropped.process_data_events(5)


def test_nobody_gets_in_without_the_password() -> None:
    with EmbeddedBroker() as broker:
        with pytest.raises(BrokerError, match="the login of user 'cb' was refused"):
            connect(broker.url.replace(broker.password, "guess"))
        with pytest.raises(BrokerError, match="the login of user 'guest' was refused"):
            connect(f"amqp://guest:guest@127.0.0.1:{broker.port}/")


@pytest.mark.parametrize("prefetch", [1, 0], ids=["one at a time", "all at once"])
def test_publishers_wait_before_memory_runs_out_and_go_on_when_there_is_room(prefetch: int) -> None:
    limit, body, count = 2_000_000, b"x" * 10_000, 1_000
    with EmbeddedBroker(quota=Quota(memory=limit)) as broker, opened(broker) as consuming:
        consumer = consuming.channel()
        consumer.queue_declare("q")
        consumer.basic_qos(prefetch_count=prefetch)
        consumer.basic_consume("q", lambda *_: None)
        publishing = opened(broker)
        heard: list[str] = []
        publishing.add_on_connection_blocked_callback(
            lambda _, frame: heard.append(frame.method.reason)
        )
        publishing.add_on_connection_unblocked_callback(lambda *_: heard.append("unblocked"))
        failed: list[BaseException] = []

        def publish() -> None:
            try:
                channel = publishing.channel()
                channel.confirm_delivery()
                for _ in range(count):
                    channel.basic_publish("", "q", body)
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=publish, daemon=True)
        thread.start()
        until(lambda: broker.memory > limit)
        consuming.process_data_events(0.3)
        # What one read of the socket brings may come on top.
        assert limit < broker.memory < limit + 400_000
        assert bool(broker.queues["q"].ready) == bool(prefetch)
        while thread.is_alive():
            # A connection that is not read from cannot take part in its own relief.
            consumer.basic_ack(0, multiple=True)
            consuming.process_data_events(0.01)
        assert not failed
        publishing.process_data_events(0.1)
        assert heard[:2] == ["low on memory", "unblocked"]
        publishing.close()


def test_who_does_not_read_holds_up_nobody_and_fills_no_memory() -> None:
    with EmbeddedBroker() as broker, opened(broker) as connection, Raw(broker.url) as deaf:
        channel = connection.channel()
        channel.exchange_declare("e", "fanout")
        deaf.open().channel()
        deaf.send(1, commands.Queue.Declare(queue="deaf"))
        deaf.send(1, commands.Queue.Bind(queue="deaf", exchange="e"))
        deaf.send(1, commands.Basic.Consume(queue="deaf", no_ack=True))
        channel.queue_declare("reading")
        channel.queue_bind("reading", "e")
        got: list[bytes] = []
        channel.basic_consume("reading", lambda *it: got.append(it[3]), auto_ack=True)
        until(lambda: broker.queues["deaf"].consumers == 1)
        for _ in range(300):
            channel.basic_publish("e", "", b"x" * 100_000)
        while len(got) < 300:
            connection.process_data_events(0.05)
        waiting = broker.queues["deaf"].ready
        assert waiting > 100, "the broker wrote on to a client that does not read"
        assert broker.memory > waiting * 100_000
        deaf.socket.close()
        until(lambda: broker.queues["deaf"].consumers == 0)


def test_a_body_that_is_too_large_is_refused_before_it_comes() -> None:
    with EmbeddedBroker() as broker, Raw(broker.url) as raw:
        raw.open().channel()
        raw.send(1, commands.Basic.Publish(routing_key="nix"))
        raw.frame(2, 1, content(134217729))
        raw.frame(3, 1, b"x")
        assert raw.closed() == (
            406, "PRECONDITION_FAILED - message size 134217729 is larger than configured max size "
                 "134217728", 60, 40)  # fmt: skip


def test_a_heartbeat_of_none() -> None:
    with EmbeddedBroker(heartbeat=0) as broker, opened(broker) as connection:
        assert connection._impl.params.heartbeat in (None, 0)
        connection.channel().queue_declare("q")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [({"x-queue-type": "quorum"}, "the embedded broker has no queues of type 'quorum'"),
     ({"x-queue-type": "stream"}, "the embedded broker has no queues of type 'stream'"),
     ({"x-max-priority": 5}, "the embedded broker has no queues with x-max-priority")],
)  # fmt: skip
def test_queues_it_does_not_have(arguments: dict[str, Any], text: str) -> None:
    with EmbeddedBroker() as broker:
        with pytest.raises(ConnectionClosedByBroker) as refused:
            opened(broker).channel().queue_declare("q", arguments=arguments)
        assert (refused.value.reply_code, refused.value.reply_text) == (
            540, f"NOT_IMPLEMENTED - {text}")  # fmt: skip


def test_a_queue_that_goes_while_a_message_comes() -> None:
    with EmbeddedBroker() as broker, opened(broker) as connection, Raw(broker.url) as raw:
        channel = connection.channel()
        channel.queue_declare("q")
        raw.open().channel()
        raw.send(1, commands.Basic.Publish(routing_key="q", mandatory=True))
        raw.frame(2, 1, content(3))
        until(
            lambda: broker.call(
                lambda server: any(
                    one.content for each in server.connections for one in each.channels.values()
                )
            )
        )
        channel.queue_delete("q")
        raw.frame(3, 1, b"abc")
        assert isinstance(raw.method(), commands.Basic.Return)
        assert broker.memory == 0


def test_it_has_no_direct_reply_to() -> None:
    with EmbeddedBroker() as broker:
        with pytest.raises(ConnectionClosedByBroker) as refused:
            opened(broker).channel().basic_consume("amq.rabbitmq.reply-to", print, auto_ack=True)
        assert refused.value.reply_code == 540


def test_memory_counts_every_place_a_message_has() -> None:
    with EmbeddedBroker() as broker, opened(broker) as connection:
        channel = connection.channel()
        for number in range(100):
            channel.queue_declare(f"q{number}")
            channel.queue_bind(f"q{number}", "amq.fanout")
        channel.confirm_delivery()
        channel.basic_publish("amq.fanout", "", b"x" * 100_000)
        assert 110_000 < broker.memory < 150_000
        for number in range(100):
            channel.queue_delete(f"q{number}")
        assert broker.memory == 0


def test_it_has_no_transactions() -> None:
    with EmbeddedBroker() as broker:
        with pytest.raises(ConnectionClosedByBroker) as refused:
            opened(broker).channel().tx_select()
        assert refused.value.reply_code == 540
