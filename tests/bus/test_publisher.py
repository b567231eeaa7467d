"""The publisher, its frames and its window: what is published arrives, in order, once known."""

from __future__ import annotations

import ssl
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pika
import pika.frame
import pika.spec
import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from cbsim.bus.connection import Tls, connect
from cbsim.bus.framing import Confirm, Incoming, Outgoing, Refusal
from cbsim.bus.link import Link
from cbsim.bus.publisher import Publisher, Topology, declare
from cbsim.bus.unconfirmed import Unconfirmed
from cbsim.errors import BrokerError, WireError
from cbsim.wire.message import Message
from tests.support.cable import Cable
from tests.support.outage import cut
from tests.support.patience import until
from tests.support.witness import Told

Channel = pika.adapters.blocking_connection.BlockingChannel


def event(number: int, size: int = 0, key: str = "ingress.event.filemod") -> Message:
    return Message("api.events", key, "application/protobuf", b"%d." % number + bytes(size))


# Frames.

names = st.text(max_size=20).filter(lambda text: len(text.encode()) <= 255)
headers = st.dictionaries(
    names, st.integers(-(2**63), 2**63 - 1) | st.text(max_size=40), max_size=3
)
any_message = st.builds(
    Message,
    exchange=st.sampled_from(["api.events", "api.rawsensordata", "other"]),
    routing_key=names,
    content_type=st.sampled_from(["application/json", "application/zip", ""]),
    body=st.binary(max_size=300),
    headers=headers,
)


def as_pika_would(message: Message, channel: int, room: int, mode: int = 1) -> bytes:
    exchange = {"api.events": "events"}.get(message.exchange, message.exchange)
    publish = pika.spec.Basic.Publish(exchange=exchange, routing_key=message.routing_key)
    properties = pika.BasicProperties(
        content_type=message.content_type, headers=dict(message.headers) or None, delivery_mode=mode
    )
    size = len(message.body)
    frames = [pika.frame.Method(channel, publish), pika.frame.Header(channel, size, properties)]
    pieces = [message.body[at : at + room] for at in range(0, size, room)]
    frames += [pika.frame.Body(channel, piece) for piece in pieces]
    return b"".join(frame.marshal() for frame in frames)


@given(
    st.lists(any_message, max_size=8), st.integers(1, 65535), st.sampled_from([0, 40, 4096]),
    st.booleans(),
)  # fmt: skip
def test_publishes_are_framed_as_pika_frames_them(
    messages: list[Message], channel: int, frame_max: int, persistent: bool
) -> None:
    outgoing = Outgoing(channel, frame_max, {"api.events": "events"}, persistent)
    room, mode = frame_max - 8 if frame_max else 2**32, 2 if persistent else 1
    expected = b"".join(as_pika_would(message, channel, room, mode) for message in messages)
    assert outgoing.encode(messages) == expected
    assert outgoing.encode(messages) == expected, "what it remembers is what it made"


def test_what_it_remembers_of_messages_is_bounded() -> None:
    outgoing = Outgoing(1, 4096, {"api.events": "events"})
    stream = [event(number, key=f"feed.{number}.storage.hit.process") for number in range(10_000)]
    expected = b"".join(as_pika_would(message, 1, 4088) for message in stream)
    assert outgoing.encode(stream) == expected
    assert len(outgoing._kinds) <= 4096


@pytest.mark.parametrize(
    "message",
    [event(0, key="k" * 256), event(0)._replace(headers={"sensorId": object()})],
    ids=["routing key", "header"],
)
def test_what_amqp_cannot_carry(message: Message) -> None:
    with pytest.raises(WireError, match=r"AMQP does not allow its routing key .* or headers"):
        Outgoing(1, 4096, {}).encode([message])


confirms = st.tuples(st.integers(1, 2**63), st.booleans())
refusals = st.builds(Refusal, st.integers(1, 2**63), st.booleans())
others = st.sampled_from(
    [
        pika.frame.Heartbeat(),
        pika.frame.Method(2, pika.spec.Basic.Nack(7)),
        pika.frame.Method(0, pika.spec.Connection.Blocked("low on memory")),
        pika.frame.Method(2, pika.spec.Basic.Ack(3)),
    ]
)


@given(st.lists(confirms | refusals | others, max_size=30), st.data())
def test_confirms_are_read_wherever_the_bytes_are_cut(
    sent: list[Confirm | pika.frame.Frame], data: st.DataObject
) -> None:
    stream = b"".join(
        one.marshal()
        if not isinstance(one, tuple)
        else pika.frame.Method(1, pika.spec.Basic.Nack(*one)).marshal()
        if isinstance(one, Refusal)
        else pika.frame.Method(1, pika.spec.Basic.Ack(*one)).marshal()
        for one in sent
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    first, *pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    incoming = Incoming(1, rest=first)
    read: list[Confirm] = []
    rest: list[bytes] = []
    for piece in [*pieces, b""]:
        some, frames = incoming.feed(piece)
        read += some
        rest += [frame.marshal() for frame in frames]
    assert read == [one for one in sent if isinstance(one, tuple)]
    assert [*map(type, read)] == [type(one) for one in sent if isinstance(one, tuple)]
    assert rest == [one.marshal() for one in sent if not isinstance(one, tuple)]


# The window.


@given(st.data())
@settings(max_examples=200)
def test_unconfirmed_against_a_broker_that_settles_as_it_likes(data: st.DataObject) -> None:
    unconfirmed = Unconfirmed()
    tags: dict[int, int] = {}  # what this channel's tags stand for
    open_tags: list[int] = []
    settled: set[int] = set()
    refused: set[int] = set()
    told: list[int] = []
    taken = 0
    steps = st.sampled_from(["add", "settle", "reconnect"])
    for step in data.draw(st.lists(steps, max_size=30)):
        if step == "add":
            count = data.draw(st.integers(1, 5))
            unconfirmed.add([event(taken + each) for each in range(count)], 10 * count)
            for each in range(count):
                tags[len(tags) + 1] = taken + each
                open_tags.append(len(tags))
            taken += count
        elif step == "reconnect":
            sequences, messages = unconfirmed.again()
            assert sequences == [one for one in range(taken) if one not in settled]
            assert messages == [event(one) for one in sequences]
            tags = dict(enumerate(sequences, 1))
            open_tags = list(tags)
        elif open_tags:
            said: list[Confirm] = []
            for _ in range(data.draw(st.integers(1, len(open_tags)))):
                tag, multiple = data.draw(st.sampled_from(open_tags)), data.draw(st.booleans())
                refuses = data.draw(st.booleans())
                done = [one for one in open_tags if one <= tag] if multiple else [tag]
                open_tags = [one for one in open_tags if one not in done]
                settled.update(tags[one] for one in done)
                if refuses:
                    refused.update(tags[one] for one in done)
                said.append(Refusal(tag, multiple) if refuses else (tag, multiple))
                if not open_tags:
                    break
            before = unconfirmed.settled
            grown = unconfirmed.settle(said)
            assert grown == (unconfirmed.settled > before)
            told += unconfirmed.refused()
        head = next(one for one in range(taken + 1) if one not in settled)
        assert (unconfirmed.taken, unconfirmed.settled) == (taken, head)
        assert told == sorted(one for one in refused if one < head)
        assert len(unconfirmed) == taken - head
        assert 10 * len(unconfirmed) <= unconfirmed.size <= 10 * len(unconfirmed) + 40


# Against a broker.


@pytest.fixture
def bound(broker: str) -> Iterator[tuple[Channel, str]]:
    """A channel, and a queue on it that gets everything."""
    connection = connect(broker)
    channel = connection.channel()
    declare(channel, Topology(), broker)
    name = f"cbsim-test-{uuid.uuid4()}"
    channel.queue_declare(name)
    channel.queue_bind(name, "api.events", "#")
    yield channel, name
    channel.queue_delete(name)
    connection.close()


def waiting(bound: tuple[Channel, str]) -> int:
    channel, name = bound
    return channel.queue_declare(name, passive=True).method.message_count


def arrived_at(bound: tuple[Channel, str]) -> list[tuple[str, bytes]]:
    channel, name = bound
    out: list[tuple[str, bytes]] = []
    if ready := waiting(bound):
        for method, _, body in channel.consume(name, auto_ack=True):
            out.append((method.routing_key, body))
            if len(out) == ready:
                break
        channel.cancel()
    return out


def bodies(bound: tuple[Channel, str]) -> list[bytes]:
    return [body for _, body in arrived_at(bound)]


def number_of(body: bytes) -> int:
    return int(body.partition(b".")[0])


def publish_and_flush(publisher: Publisher, count: int = 1) -> None:
    for number in range(count):
        publisher.publish(event(number))
        publisher.flush()


def test_every_message_is_confirmed_once_and_in_order(
    broker: str, bound: tuple[Channel, str]
) -> None:
    told = Told()
    publisher = Publisher(broker, window=50, witness=told)
    stream = [event(number) for number in range(1000)]
    for message in stream[:100]:
        publisher.publish(message)
    publisher.publish_many(stream[100:])
    publisher.flush()
    assert publisher.confirmed == 1000
    assert told.numbers == list(range(1000))
    assert told.threads == {"cbsim-publisher"}
    publisher.close()
    assert bodies(bound) == [message.body for message in stream]


def test_bodies_larger_than_a_frame(broker: str, bound: tuple[Channel, str]) -> None:
    sizes = [0, 131_064, 131_065, 1_000_000]
    stream = [event(0)._replace(body=bytes([size % 251]) * size) for size in sizes]
    publisher = Publisher(broker)
    publisher.publish_many(stream)
    publisher.flush()
    publisher.close()
    assert bodies(bound) == [message.body for message in stream]


def test_thousands_of_keys(broker: str, bound: tuple[Channel, str]) -> None:
    stream = [event(number, key=f"feed.{number}.storage.hit.process") for number in range(5000)]
    publisher = Publisher(broker)
    publisher.publish_many(stream)
    publisher.flush()
    publisher.close()
    assert [key for key, _ in arrived_at(bound)] == [message.routing_key for message in stream]


def test_several_threads_publish(broker: str, bound: tuple[Channel, str]) -> None:
    publisher = Publisher(broker, window=100)

    def some(start: int) -> None:
        for number in range(start, start + 500, 5):
            publisher.publish_many([event(number + each) for each in range(5)])

    threads = [threading.Thread(target=some, args=(start,)) for start in (0, 500, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    publisher.flush()
    publisher.close()
    arrived = [number_of(body) for body in bodies(bound)]
    assert sorted(arrived) == list(range(1500))
    for start in (0, 500, 1000):
        own = [number for number in arrived if start <= number < start + 500]
        assert own == sorted(own)


def test_more_than_the_socket_takes(broker: str, bound: tuple[Channel, str]) -> None:
    # 60 MB: more than sockets buffer, and than may be unconfirmed at a time.
    publisher = Publisher(broker)
    publisher.publish_many([event(number, 200_000) for number in range(300)])
    publisher.flush()
    publisher.close()
    assert [number_of(body) for body in bodies(bound)] == list(range(300))


def test_a_message_that_amqp_cannot_carry_harms_no_other(
    broker: str, bound: tuple[Channel, str]
) -> None:
    publisher = Publisher(broker)
    publisher.publish(event(0))
    with pytest.raises(WireError):
        publisher.publish(event(1, key="k" * 256))
    publisher.publish(event(2))
    publisher.flush()
    publisher.close()
    assert bodies(bound) == [b"0.", b"2."]


def test_sequence_numbers_outlive_the_connection(broker: str, bound: tuple[Channel, str]) -> None:
    told = Told()
    publisher = Publisher(broker, witness=told)
    for number in range(2000):
        publisher.publish(event(number))
        if number in (500, 1500):
            cut(publisher)
    publisher.flush()
    publisher.close()
    assert publisher.republished
    assert told.numbers == list(range(2000))
    assert sum(last - first + 1 for first, last in told.republished) == publisher.republished
    assert 1 <= len(told.outages) <= 2
    assert all(since <= until <= time.time() for since, until, _ in told.outages)
    arrived = [number_of(body) for body in bodies(bound)]
    assert set(arrived) == set(range(2000))
    assert len(arrived) - 2000 <= publisher.republished
    # Copies aside, the order is that of publishing.
    assert list(dict.fromkeys(arrived)) == list(range(2000))


def test_an_interrupt_in_the_middle_of_a_write(broker: str, bound: tuple[Channel, str]) -> None:
    publisher = Publisher(broker)
    publisher.publish(event(0))
    write = publisher._link.write

    def interrupted(data: bytes) -> None:
        publisher._link.write = write
        write(data[: len(data) // 2])
        raise KeyboardInterrupt

    publisher._link.write = interrupted
    with pytest.raises(KeyboardInterrupt):
        publisher.publish(event(1))
    publisher.publish(event(2))
    publisher.flush()
    publisher.close()
    assert list(dict.fromkeys(bodies(bound))) == [b"0.", b"1.", b"2."]


def test_what_is_given_up_sends_nothing_more(broker: str, bound: tuple[Channel, str]) -> None:
    link = Link(broker)
    sent = link._socket.send

    class Interrupting:
        def send(self, data: memoryview) -> int:
            sent(data)
            raise KeyboardInterrupt

    link._socket, real = Interrupting(), link._socket
    with pytest.raises(KeyboardInterrupt):
        link.write(link.encode([event(number) for number in range(10)]))
    link._socket = real
    link.abandon("interrupted")
    link.resume()
    link.write(link.encode([event(10)]))
    until(lambda: waiting(bound) >= 10)
    link.close()
    assert bodies(bound) == [b"%d." % number for number in range(10)]


def test_a_closed_channel_ends_the_run(broker: str) -> None:
    topology = Topology(events=f"cbsim-test-{uuid.uuid4()}")
    publisher = Publisher(broker, topology)
    connection = connect(broker)
    connection.channel().exchange_delete(topology.events)
    connection.close()
    with pytest.raises(BrokerError, match="404 NOT_FOUND - no exchange"):
        publish_and_flush(publisher, 1000)
    with pytest.raises(BrokerError, match="404 NOT_FOUND - no exchange"):
        publisher.flush()
    publisher.close()


def test_a_full_queue_that_refuses_is_counted(broker: str) -> None:
    connection = connect(broker)
    channel = connection.channel()
    topology = Topology(events=f"cbsim-test-{uuid.uuid4()}")
    told = Told()
    publisher = Publisher(broker, topology, witness=told)
    limits = {"x-max-length": 3, "x-overflow": "reject-publish"}
    queue = channel.queue_declare("", exclusive=True, arguments=limits).method.queue
    channel.queue_bind(queue, topology.events, "full.#")
    publisher.publish_many([event(number, key="full.key") for number in range(3)])
    publisher.flush()
    # Which message each of several is refused differs; those on another key never are.
    for number in range(3, 103):
        publisher.publish(event(number, key="full.key" if number % 2 else "other.key"))
        publisher.flush()
    assert (publisher.confirmed, publisher.refused) == (53, 50)
    assert told.numbers == [0, 1, 2, *range(4, 103, 2)]
    publisher.publish_many([event(number, key="full.key") for number in range(5000)])
    publisher.flush()
    assert publisher.refused == 5050
    channel.queue_purge(queue)
    publisher.publish(event(0, key="full.key"))
    publisher.flush()
    assert (publisher.confirmed, publisher.refused) == (54, 5050)
    publisher.close()
    channel.exchange_delete(topology.events)
    connection.close()


def test_a_broker_that_stays_away_ends_the_run(broker: str) -> None:
    with Cable(broker) as cable:
        publisher = Publisher(cable.url, patience=0.5)
        publisher.publish(event(0))
        publisher.flush()
        cable.pull_out()
        expected = r"nothing listens there .*, 0.5 s after the connection was lost: .+"
        with pytest.raises(BrokerError, match=expected) as caught:
            publish_and_flush(publisher)
        assert publisher.confirmed == 1
        assert cable.password not in str(caught.value)
        publisher.close()


def test_a_broker_that_comes_back_in_time(broker: str, bound: tuple[Channel, str]) -> None:
    with Cable(broker) as cable:
        publisher = Publisher(cable.url, window=1000)
        publisher.publish_many([event(number) for number in range(100)])
        cable.pull_out()
        publisher.publish_many([event(number) for number in range(100, 500)])
        time.sleep(1)
        cable.plug_in()
        publisher.publish_many([event(number) for number in range(500, 2000)])
        publisher.flush()
        publisher.close()
    assert publisher.republished <= 500
    assert list(dict.fromkeys(map(number_of, bodies(bound)))) == list(range(2000))


def test_connections_that_come_to_nothing_end_the_run(
    broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each one opens, and is gone before a confirm is read from it.
    monkeypatch.setattr(Link, "receive", lambda link: link.abandon("dropped") or [])
    publisher = Publisher(broker, patience=1.0)
    with pytest.raises(BrokerError, match="the connection was lost: dropped"):
        publish_and_flush(publisher)
    assert publisher.republished > 1
    publisher.close()


def test_an_idle_connection_lives_on_heartbeats(broker: str) -> None:
    publisher = Publisher(broker + "?heartbeat=1")
    link = publisher._link
    time.sleep(4)
    publisher.publish(event(0))
    publisher.flush()
    assert publisher._link is link
    publisher.close()


def test_a_silent_connection_is_given_up(broker: str, bound: tuple[Channel, str]) -> None:
    with Cable(broker) as cable:
        # A heartbeat of a second, as by ?heartbeat=1, for so little patience.
        publisher = Publisher(cable.url, patience=4)
        link = publisher._link
        cable.hold()
        publisher.publish(event(0))
        until(lambda: publisher._link is not link, patience=10)
        cable.let_go()
        publisher.flush()
        publisher.close()
    assert publisher.republished == 1
    assert set(bodies(bound)) == {b"0."}


def test_tls(broker: str, bound: tuple[Channel, str], tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    stream = [event(number, size) for number, size in enumerate([0, 300_000, 50] * 100)]
    with Cable(broker, context) as cable:
        publisher = Publisher(cable.url, tls=Tls(ca_file=str(tmp_path / "ca.pem")))
        publisher.publish_many(stream[:150])
        cable.cut()
        publisher.publish_many(stream[150:])
        publisher.flush()
        publisher.close()
    arrived = list(dict.fromkeys(bodies(bound)))
    assert arrived == [message.body for message in stream]


def test_publishing_after_the_end(broker: str) -> None:
    publisher = Publisher(broker)
    publisher.publish(event(0))
    publisher.flush()
    publisher.close()
    publisher.flush()
    with pytest.raises(BrokerError, match="the publisher is closed"):
        publisher.publish(event(1))
    publisher.close()


def test_what_a_witness_raises_ends_the_run(broker: str) -> None:
    class Failing(Told):
        def confirm(self, first: int, last: int) -> None:  # noqa: ARG002
            raise OSError("disk full")

    publisher = Publisher(broker, witness=Failing())
    publisher.publish(event(0))
    with pytest.raises(BrokerError, match="disk full"):
        publisher.flush()
    publisher.close()
