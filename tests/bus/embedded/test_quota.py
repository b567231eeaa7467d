"""What peers of the embedded broker may take: before they log in next to nothing, then so much."""

from __future__ import annotations

import logging
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest
from pamqp import commands, frame
from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByBroker

from cbsim.bus.connection import connect
from cbsim.bus.embedded import EmbeddedBroker
from cbsim.bus.embedded.exchange import Binding, exchange_of, size_of_key
from cbsim.bus.embedded.quota import Quota
from tests.support.patience import until
from tests.support.raw import HEADER, Raw, content

FEW = Quota(
    memory=2_000_000, connections=3, strangers=5, channels=6, queues=10, exchanges=9, bindings=8,
    consumers=4, declared=20_000,
)  # fmt: skip


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(quota=FEW) as started:
        yield started


def refused(text: str) -> AbstractContextManager[object]:
    return pytest.raises(ChannelClosedByBroker, match="PRECONDITION_FAILED - .*" + re.escape(text))


def still_serves(broker: EmbeddedBroker) -> bool:
    with connect(broker.url) as connection:
        channel = connection.channel()
        channel.queue_declare("alive")
        channel.basic_publish("", "alive", b"x")
        return bool(channel.basic_get("alive", auto_ack=True)[2] == b"x")


def nested(depth: int, kind: bytes) -> bytes:
    """A field table in tables, or in arrays, so deep."""
    value = b"V"
    for _ in range(depth):
        inner = b"\x01a" + value if kind == b"F" else value
        value = kind + struct.pack(">I", len(inner)) + inner
    inner = b"\x01a" + value
    return struct.pack(">I", len(inner)) + inner


@pytest.mark.parametrize("kind", [b"F", b"A"])
@pytest.mark.parametrize("depth", [500, 15_000])
def test_nested_tables_before_the_login(
    broker: EmbeddedBroker, caplog: pytest.LogCaptureFixture, kind: bytes, depth: int
) -> None:
    with Raw(broker.url) as raw, caplog.at_level(logging.WARNING):
        raw.start()
        raw.frame(1, 0, struct.pack(">I", 10 << 16 | 11) + nested(depth, kind) + b"\x05PLAIN")
        assert raw.closed() is None
    assert len(caplog.text) < 500
    assert still_serves(broker)


@pytest.mark.parametrize("field", [b"I\x7f\x7f\x7f\x7f", b"F\0\0\0\0", b"A\0\0\0\0", b"t\x01"])
def test_a_name_and_a_password_are_strings(broker: EmbeddedBroker, field: bytes) -> None:
    for response in (b"\x05LOGIN" + field + b"\x08PASSWORDS\0\0\0\x01x",
                     b"\x05LOGINS\0\0\0\x02cb\x08PASSWORD" + field):  # fmt: skip
        with Raw(broker.url) as raw:
            raw.start()
            raw.log_in("AMQPLAIN", response.decode())
            assert raw.closed() is None
    assert still_serves(broker)


def test_passwords_cannot_be_tried_quickly(broker: EmbeddedBroker) -> None:
    looked_at = 0
    end = time.monotonic() + 2
    while time.monotonic() < end:
        with Raw(broker.url) as raw:
            raw.start()
            raw.log_in(response="\0cb\0guess")
            looked_at += raw.closed() is not None
    assert looked_at < 80
    # Who has the right one waits a moment at most.
    assert still_serves(broker)


def test_strangers_make_room_for_those_who_come(broker: EmbeddedBroker) -> None:
    with ExitStack() as held:
        strangers = [held.enter_context(Raw(broker.url)) for _ in range(50)]
        assert still_serves(broker)
        until(lambda: broker.call(lambda server: len(server.connections)) <= FEW.strangers)
        assert strangers[0].read() is None


def test_so_many_connections(broker: EmbeddedBroker) -> None:
    with ExitStack() as held:
        for _ in range(FEW.connections):
            held.enter_context(connect(broker.url))
        with Raw(broker.url) as raw:
            raw.start()
            raw.log_in()
            raw.tune()
            raw.enter()
            closed = raw.closed()
            assert closed is not None
            assert (closed.code, closed.text) == (
                530, "NOT_ALLOWED - access to vhost '/' refused for user 'cb': connection limit "
                     "(3) is reached")  # fmt: skip
    until(lambda: not broker.connections)
    assert still_serves(broker)


def test_so_many_channels_in_all(broker: EmbeddedBroker) -> None:
    with connect(broker.url) as one, connect(broker.url) as other:
        for _ in range(FEW.channels // 2):
            one.channel()
            other.channel()
        with pytest.raises(ConnectionClosedByBroker, match="has reached the maximum allowed limit"):
            one.channel()
        other.channel()


def test_so_many_queues(broker: EmbeddedBroker) -> None:
    with connect(broker.url) as connection:
        channel = connection.channel()
        for number in range(FEW.queues):
            channel.queue_declare(f"q{number}")
        channel.queue_declare("q3")
        with refused("cannot declare queue 'one more': queue limit in vhost '/' (10) is reached"):
            channel.queue_declare("one more")
        channel = connection.channel()
        channel.queue_delete("q3")
        channel.queue_declare("one more")


def test_so_many_exchanges_bindings_and_consumers(broker: EmbeddedBroker) -> None:
    with connect(broker.url) as connection:
        channel = connection.channel()
        queue = channel.queue_declare("q").method.queue
        # There are five from the beginning, and the one without a name.
        for number in range(5, FEW.exchanges):
            channel.exchange_declare(f"e{number}")
        with refused("declare exchange 'one more': exchange limit in vhost '/' (9) is reached"):
            channel.exchange_declare("one more")
        channel = connection.channel()
        for number in range(FEW.bindings):
            channel.queue_bind(queue, "amq.topic", f"k{number}")
        channel.queue_bind(queue, "amq.topic", "k0")
        with refused("to exchange 'amq.topic': binding limit in vhost '/' (8) is reached"):
            channel.queue_bind(queue, "amq.topic", "one more")
        channel = connection.channel()
        channel.queue_unbind(queue, "amq.topic", "k0")
        channel.queue_bind(queue, "amq.topic", "one more")
        for _ in range(FEW.consumers):
            channel.basic_consume(queue, print)
        with refused("consume from queue 'q': consumer limit in vhost '/' (4) is reached"):
            channel.basic_consume(queue, print)
        connection.channel().basic_consume(queue, print)
        connection.channel().queue_delete(queue)
        channel = connection.channel()
        for number in range(FEW.bindings):
            channel.queue_bind(channel.queue_declare("").method.queue, "amq.topic", f"k{number}")


def test_so_much_is_kept_of_what_is_declared(broker: EmbeddedBroker) -> None:
    with connect(broker.url) as connection:
        channel = connection.channel()
        large = {f"a{number}": "x" * 100 for number in range(30)}
        for number in range(6):
            channel.queue_declare(f"q{number}", arguments=large)
        with refused("the declarations of vhost '/' take more than 20000 bytes"):
            channel.queue_declare("one more", arguments=large)
        channel = connection.channel()
        channel.queue_delete("q3")
        channel.queue_declare("q", arguments=large)


@pytest.mark.parametrize(("word", "fitting"), [("a", 1), ("*", 1), ("#", 0)])
def test_so_many_words_of_binding_keys(broker: EmbeddedBroker, word: str, fitting: int) -> None:
    with connect(broker.url) as connection:
        channel = connection.channel()
        queue = channel.queue_declare("q").method.queue
        ordinary = ["#", "a.#", "#.hit.process", "*.*.*.*.*.*.*.*"]
        for key in ordinary:
            channel.queue_bind(queue, "amq.topic", key)
        for number in range(fitting):
            channel.queue_bind(queue, "amq.topic", f"{number}.{word}" + ".a" * 28)
        with refused("the declarations of vhost '/' take more than 20000 bytes"):
            channel.queue_bind(queue, "amq.topic", f"{fitting}.{word}" + ".a" * 28)
        channel = connection.channel()
        for key in ordinary:
            channel.queue_unbind(queue, "amq.topic", key)


def test_a_message_of_many_words_among_them() -> None:
    """A walk that tried each way by itself would take for ever."""
    topic = exchange_of("topic")("t")
    for number in range(128):
        key = "#." * 20 + ".#.".join(f"{number:07b}")
        topic.bind(Binding(exchange_of("fanout")(f"e{number}"), key, {}))
    found = topic.match(".".join("1" * 126), dict)
    assert {destination.name for destination in found} == {"e127"}
    assert size_of_key("#." * 20 + "1") > 20 * 2048


def test_bodies_that_are_never_finished(broker: EmbeddedBroker) -> None:
    with ExitStack() as held:
        peers = [held.enter_context(Raw(broker.url)).open().channel() for _ in range(2)]
        for peer in peers:
            peer.send(1, commands.Basic.Publish(routing_key="nix"))
            peer.frame(2, 1, content(1_200_000))
        for _ in range(4):
            peers[0].frame(3, 1, b"x" * 100_000)
        for _ in range(9):
            peers[1].frame(3, 1, b"x" * 100_000)
        # It is the greediest that goes.
        closed = peers[1].closed()
        assert closed is not None
        assert closed.text == ("RESOURCE_ERROR - bodies that have not come to their end take more "
                               "than 1000000 bytes")  # fmt: skip
        until(lambda: broker.memory == 400_000)
        for _ in range(5):
            peers[0].frame(3, 1, b"x" * 100_000)
        until(lambda: broker.memory == 900_000)
    until(lambda: broker.memory == 0)


def test_who_reads_no_answers(broker: EmbeddedBroker) -> None:
    body = b"x" * 100_000
    with ExitStack() as held:
        deaf = [held.enter_context(Raw(broker.url)) for _ in range(2)]
        for peer in deaf:
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.open().channel()
        publish = deaf[0].frames(1, commands.Basic.Publish(routing_key="nix", mandatory=True), body)

        def ask(peer: Raw) -> None:
            try:
                for _ in range(200):
                    peer.bytes(publish)
            except OSError:
                pass

        threads = [threading.Thread(target=ask, args=(peer,)) for peer in deaf]
        for thread in threads:
            thread.start()
        assert still_serves(broker)
        until(lambda: len(broker.connections) < 2)
        unsent = broker.call(
            lambda server: sum(it.transport.get_write_buffer_size() for it in server.connections)
        )
        assert unsent < 2 * FEW.memory
    for thread in threads:
        thread.join()


def test_ten_thousand_queues_go_at_once() -> None:
    with EmbeddedBroker() as broker, connect(broker.url) as other:
        channel = other.channel()
        channel.queue_declare("q")
        with Raw(broker.url) as raw:
            raw.open().channel()
            declared = [
                frame.marshal(made, 1)
                for number in range(9_000)
                for made in (
                    commands.Queue.Declare(queue=f"q{number}x", exclusive=True, nowait=True),
                    commands.Queue.Bind(
                        queue=f"q{number}x", exchange="amq.topic", routing_key=f"k{number}",
                        nowait=True,
                    ),
                )
            ]  # fmt: skip
            raw.bytes(b"".join(declared))
            until(lambda: len(broker.queues) == 9_001, patience=30)
        until(lambda: len(broker.queues) == 1)


def test_a_greeting_in_pieces_and_none_at_all(broker: EmbeddedBroker) -> None:
    with Raw(broker.url) as raw:
        for byte in HEADER:
            raw.bytes(bytes((byte,)))
        assert isinstance(raw.method(), commands.Connection.Start)
    assert still_serves(broker)
