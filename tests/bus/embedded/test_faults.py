"""Every fault of the embedded broker, as a pika consumer or publisher meets it."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pika
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pamqp import commands
from pika.exceptions import (
    AMQPHeartbeatTimeout,
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    ProbableAuthenticationError,
    StreamLostError,
)

from cbsim.bus.embedded import FAULTS, EmbeddedBroker, Faults
from cbsim.errors import BrokerError, CbsimError
from tests.support.amqp import pause, until
from tests.support.raw import Raw


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        yield broker


class Client:
    """A connection with a consumer of queue `q`, and one more that publishes."""

    def __init__(self, broker: EmbeddedBroker, name: str = "client", **settings: Any) -> None:
        self.got: list[tuple[int, bytes, bool]] = []
        self.cancelled: list[str] = []
        parameters = pika.URLParameters(broker.url)
        parameters.client_properties = {"connection_name": name}
        for setting, value in settings.items():
            setattr(parameters, setting, value)
        self.connection = pika.BlockingConnection(parameters)
        self.channel = self.connection.channel()
        self.channel.queue_declare("q")
        self.channel.add_on_cancel_callback(
            lambda frame: self.cancelled.append(frame.method.consumer_tag)
        )

    def consume(self, tag: str = "t", **settings: Any) -> Client:
        self.channel.basic_consume("q", self._take, consumer_tag=tag, **settings)
        return self

    def _take(self, _channel: object, method: Any, _properties: object, body: bytes) -> None:
        self.got.append((method.delivery_tag, body, method.redelivered))

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, body, _ in self.got]

    def until(self, true: Callable[[], object]) -> None:
        until(self.connection, true)

    def pause(self, seconds: float = 0.2) -> None:
        pause(self.connection, seconds)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self.connection.is_open and kind is None:
            self.connection.close()


def publish(broker: EmbeddedBroker, count: int, first: int = 0) -> list[bytes]:
    bodies = [b"%d" % number for number in range(first, first + count)]
    with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for body in bodies:
            channel.basic_publish("", "q", body)
    return bodies


LOST = {
    "close": ConnectionClosedByBroker,
    "eof": StreamLostError,
    "reset": StreamLostError,
    "mid-frame": StreamLostError,
}


@pytest.mark.parametrize("how", LOST)
def test_a_connection_is_dropped_at_once(broker: EmbeddedBroker, how: str) -> None:
    with Client(broker, "mine") as mine, Client(broker, "other") as other:
        assert broker.faults.drop_connection(how, connection="min*") == 1  # type: ignore[arg-type]
        with pytest.raises(LOST[how]) as lost:
            mine.pause()
        if how == "close":
            assert (lost.value.reply_code, lost.value.reply_text) == (
                320, "CONNECTION_FORCED - dropped by a fault")  # type: ignore[attr-defined]  # fmt: skip
        other.pause(0.05)


@pytest.mark.parametrize("how", LOST)
def test_a_connection_is_dropped_after_some_messages(broker: EmbeddedBroker, how: str) -> None:
    bodies = publish_into_new(broker, 5)
    broker.faults.drop_connection(how, queue="q", after=3)  # type: ignore[arg-type]
    assert broker.faults.active() == [f"drop_connection how={how} queue=q"]
    with Raw(broker.url) as raw:
        raw.open().channel()
        raw.send(1, commands.Basic.Consume(queue="q"))
        assert isinstance(raw.method(), commands.Basic.ConsumeOk)
        assert [raw.message() for _ in range(3)] == bodies[:3]
        closed = raw.closed()
        assert closed == ((320, "CONNECTION_FORCED - dropped by a fault", 0, 0) if how == "close"
                          else None)  # fmt: skip
    assert broker.faults.active() == []
    with Client(broker) as client:
        client.consume()
        client.until(lambda: len(client.got) == 5)
        assert [(body, again) for _, body, again in client.got] == [
            (body, at < 3) for at, body in enumerate(bodies)
        ]


def publish_into_new(broker: EmbeddedBroker, count: int) -> list[bytes]:
    with Client(broker):
        return publish(broker, count)


def test_mid_frame_is_within_a_frame(broker: EmbeddedBroker) -> None:
    with Raw(broker.url) as raw:
        raw.open().channel()
        broker.faults.drop_connection("mid-frame")
        assert raw.read() is None
        assert len(raw.rest) > 7


def test_a_publishers_connection_is_dropped_before_the_confirm(broker: EmbeddedBroker) -> None:
    with Client(broker) as client:
        client.channel.confirm_delivery()
        broker.faults.drop_connection("reset", connection="client", after=3)
        client.channel.basic_publish("", "q", b"0")
        client.channel.basic_publish("", "q", b"1")
        with pytest.raises(StreamLostError):
            client.channel.basic_publish("", "q", b"2")
    assert broker.queues["q"].ready == 3


def acknowledge(client: Client, got: list[bytes], batch: int) -> None:
    """Consume, with an ack for so many at a time."""
    for method, _, body in client.channel.consume("q"):
        got.append(body)
        if len(got) % batch == 0:
            client.channel.basic_ack(method.delivery_tag, multiple=True)


@pytest.mark.parametrize("how", LOST)
@pytest.mark.parametrize("prefetch", [0, 10])
def test_a_connection_is_dropped_after_some_acks(
    broker: EmbeddedBroker, how: str, prefetch: int
) -> None:
    bodies = publish_into_new(broker, 40)
    broker.faults.drop_connection(how, queue="q", after_acks=17)  # type: ignore[arg-type]
    assert broker.faults.active() == [f"drop_connection how={how} queue=q"]
    got: list[bytes] = []
    with Client(broker) as client:
        client.channel.basic_qos(prefetch_count=prefetch)
        with pytest.raises(LOST[how]):
            acknowledge(client, got, 1)
    # It had no more than what it acknowledged, and that is gone.
    assert got == bodies[:17]
    assert broker.queues["q"] == (23, 0, 0)
    assert broker.faults.active() == []


@pytest.mark.parametrize("batch", [5, 20])
def test_acks_of_many_at_once_count_as_many(broker: EmbeddedBroker, batch: int) -> None:
    bodies = publish_into_new(broker, 60)
    broker.faults.drop_connection("eof", queue="q", after_acks=17)
    got: list[bytes] = []
    with Client(broker) as client, pytest.raises(StreamLostError):
        acknowledge(client, got, batch)
    acknowledged = 20
    assert got[:acknowledged] == bodies[:acknowledged]
    assert broker.queues["q"] == (60 - acknowledged, 0, 0)


def test_what_counts_as_an_ack(broker: EmbeddedBroker) -> None:
    publish_into_new(broker, 12)
    broker.faults.close_channel(406, "enough", queue="q", after_acks=3)
    with Client(broker) as client:
        channel = client.connection.channel()
        for _ in range(2):
            method, *_ = channel.basic_get("q")
            channel.basic_ack(method.delivery_tag)
            method, *_ = channel.basic_get("q")
            channel.basic_nack(method.delivery_tag)
            channel.basic_get("q", auto_ack=True)
        with pytest.raises(CbsimError, match="after=2 and after_acks=3: expected one of them"):
            broker.faults.stall(after=2, after_acks=3)
        method, *_ = channel.basic_get("q")
        channel.basic_ack(method.delivery_tag)
        with pytest.raises(ChannelClosedByBroker, match="enough"):
            channel.basic_get("q")


def test_a_consumer_is_cancelled_after_its_acks_and_others_go_on(broker: EmbeddedBroker) -> None:
    bodies = publish_into_new(broker, 30)
    broker.faults.cancel_consumer(consumer="a", after_acks=4)
    with Client(broker) as client:
        got: list[bytes] = []

        def take(channel: Any, method: Any, _: object, body: bytes) -> None:
            got.append(body)
            channel.basic_ack(method.delivery_tag)

        client.channel.basic_consume("q", take, consumer_tag="a")
        client.until(lambda: client.cancelled == ["a"])
        assert len(got) == 4
        client.channel.basic_consume("q", take, consumer_tag="b")
        client.until(lambda: sorted(got) == sorted(bodies))


def test_what_waits_for_acks_goes_out_when_all_is_cleared(broker: EmbeddedBroker) -> None:
    bodies = publish_into_new(broker, 30)
    broker.faults.drop_connection(queue="q", after_acks=10)
    with Client(broker).consume() as client:
        client.until(lambda: client.got)
        assert broker.queues["q"].unacked == 30
        broker.faults.clear()
        client.until(lambda: client.bodies == bodies)


def test_a_stall_ends_when_it_should(broker: EmbeddedBroker) -> None:
    with Client(broker, "a").consume(auto_ack=True) as client:
        assert broker.faults.stall(connection="a") == 1
        bodies = publish(broker, 3)
        client.pause()
        assert client.got == []
        assert broker.queues["q"].ready == 3
        (line,) = broker.faults.active()
        assert line.startswith("stall connection=127.0.0.1:")
        broker.faults.clear()
        client.until(lambda: client.bodies == bodies)
        broker.faults.stall(seconds=0.2, connection="a")
        started = time.monotonic()
        client.channel.queue_declare("q", passive=True)
        assert time.monotonic() - started > 0.1


def test_a_stall_after_some_messages(broker: EmbeddedBroker) -> None:
    with Client(broker).consume(auto_ack=True) as client:
        broker.faults.stall(consumer="t", after=2)
        bodies = publish(broker, 4)
        client.pause()
        assert len(client.got) <= 2
        broker.faults.clear()
        client.until(lambda: client.bodies == bodies)


def test_a_stalled_broker_misses_heartbeats_and_does_not_count_them(
    broker: EmbeddedBroker,
) -> None:
    with Raw(broker.url) as raw:
        raw.open(heartbeat=1)
        broker.faults.stall(seconds=3)
        raw.socket.settimeout(2.5)
        with pytest.raises(TimeoutError):
            raw.read()
        assert raw.method().name == "Heartbeat"


def test_deliveries_are_delayed_in_order(broker: EmbeddedBroker) -> None:
    with Client(broker).consume() as client:
        broker.faults.delay_deliveries(0.3, queue="q")
        started = time.monotonic()
        bodies = publish(broker, 4)
        client.until(lambda: client.got)
        assert time.monotonic() - started >= 0.3
        client.until(lambda: client.bodies == bodies)
        client.channel.basic_ack(0, multiple=True)
        publish(broker, 1, 4)
        broker.faults.clear()
        client.until(lambda: len(client.got) == 5)


def test_delayed_deliveries_count_for_qos_and_come_back(broker: EmbeddedBroker) -> None:
    with Client(broker) as client:
        client.channel.basic_qos(prefetch_count=2)
        client.consume()
        broker.faults.delay_deliveries(60, consumer="t")
        publish(broker, 3)
        assert broker.queues["q"].ready == 1
        client.channel.basic_cancel("t")
        assert broker.queues["q"] == (3, 0, 0)
        method = client.channel.basic_get("q")[0]
        assert method is not None
        assert not method.redelivered


def test_logins_are_refused_as_often_as_wanted(broker: EmbeddedBroker) -> None:
    broker.faults.refuse_logins(2)
    for _ in range(2):
        with pytest.raises(ProbableAuthenticationError):
            Client(broker)
    Client(broker).connection.close()
    broker.faults.refuse_logins()
    for _ in range(3):
        with pytest.raises(ProbableAuthenticationError):
            Client(broker)
    assert broker.faults.active() == ["refuse_logins"]
    broker.faults.clear()
    Client(broker).connection.close()


def test_a_channel_is_closed_with_any_error(broker: EmbeddedBroker) -> None:
    with Client(broker) as client:
        assert broker.faults.close_channel(404, "no queue 'q' in vhost '/'") == 1
        with pytest.raises(ChannelClosedByBroker) as closed:
            client.channel.basic_qos()
        assert (closed.value.reply_code, closed.value.reply_text) == (
            404, "NOT_FOUND - no queue 'q' in vhost '/'")  # fmt: skip
        client.connection.channel()


def test_a_channel_is_closed_after_some_messages(broker: EmbeddedBroker) -> None:
    bodies = publish_into_new(broker, 4)
    broker.faults.close_channel(406, "timeout", queue="q", after=2)
    with Raw(broker.url) as raw:
        raw.open().channel()
        raw.send(1, commands.Basic.Consume(queue="q"))
        assert isinstance(raw.method(), commands.Basic.ConsumeOk)
        assert [raw.message() for _ in range(2)] == bodies[:2]
        assert raw.closed() == (406, "PRECONDITION_FAILED - timeout", 0, 0)
        assert broker.queues["q"] == (4, 0, 0)


def test_a_consumer_is_cancelled(broker: EmbeddedBroker) -> None:
    with Client(broker).consume("a").consume("b") as client:
        assert broker.faults.cancel_consumer(consumer="a") == 1
        client.until(lambda: client.cancelled)
        assert client.cancelled == ["a"]
        broker.faults.cancel_consumer(consumer="b", after=1)
        publish(broker, 3)
        client.until(lambda: len(client.cancelled) == 2)
        assert client.bodies == [b"0"]
        assert broker.queues["q"] == (2, 1, 0)


def test_publishers_are_blocked_and_unblocked(broker: EmbeddedBroker) -> None:
    heard: list[str] = []
    with Client(broker) as client, Client(broker, "other") as other:
        client.connection.add_on_connection_blocked_callback(
            lambda _, frame: heard.append(frame.method.reason)
        )
        client.connection.add_on_connection_unblocked_callback(lambda *_: heard.append("go on"))
        broker.faults.block_publishers("low on disk")
        client.pause(0.1)
        assert heard == [], "who publishes nothing is not blocked"
        client.channel.basic_publish("", "q", b"0")
        client.until(lambda: heard)
        client.channel.basic_publish("", "q", b"1")
        client.pause()
        assert broker.queues["q"].ready == 1
        broker.faults.unblock_publishers()
        client.until(lambda: broker.queues["q"].ready == 2)
        client.until(lambda: heard == ["low on disk", "go on"])
        broker.faults.block_publishers()
        client.channel.basic_publish("", "q", b"2")
        client.until(lambda: len(heard) == 3)
        other.channel.basic_qos()
        broker.faults.clear()
        client.until(lambda: len(heard) == 4)


@pytest.mark.parametrize("auto_ack", [True, False])
def test_messages_are_redelivered(broker: EmbeddedBroker, auto_ack: bool) -> None:
    with Client(broker).consume(auto_ack=auto_ack) as client:
        broker.faults.redeliver(count=2, after=1)
        publish(broker, 4)
        client.until(lambda: len(client.got) == 6)
        assert client.got == [
            (1, b"0", False), (2, b"1", False), (3, b"1", True), (4, b"2", False), (5, b"2", True),
            (6, b"3", False)]  # fmt: skip
        if not auto_ack:
            for tag in range(1, 7):
                client.channel.basic_ack(tag)
        client.channel.basic_qos()
        assert broker.queues["q"] == (0, 0, 1)
        assert broker.memory == 0


def test_messages_are_duplicated(broker: EmbeddedBroker) -> None:
    with Client(broker).consume() as client:
        broker.faults.duplicate(count=None)
        publish(broker, 2)
        client.until(lambda: len(client.got) == 4)
        assert client.got == [
            (1, b"0", False), (2, b"0", False), (3, b"1", False), (4, b"1", False)]  # fmt: skip
        broker.faults.clear()
        publish(broker, 1, 2)
        client.until(lambda: len(client.got) == 5)
        client.pause(0.05)
        assert len(client.got) == 5


@given(count=st.integers(1, 12), window=st.integers(1, 5), seed=st.integers(0, 3))
@settings(max_examples=8, deadline=None)
def test_the_same_seed_gives_the_same_order(count: int, window: int, seed: int) -> None:
    bodies, first = reordered(count, window, seed)
    assert reordered(count, window, seed) == (bodies, first)
    assert sorted(first, key=int) == bodies
    for at in range(0, count - count % window, window):
        part = first[at : at + window]
        assert sorted(part, key=int) == bodies[at : at + window]
        assert window == 1 or part != bodies[at : at + window]


def reordered(count: int, window: int, seed: int) -> tuple[list[bytes], list[bytes]]:
    with EmbeddedBroker() as broker, Client(broker) as client:
        client.channel.basic_qos(prefetch_count=1)
        broker.faults.reorder(window=window, seed=seed, patience=0.1)
        client.consume()
        bodies = publish(broker, count)
        for number in range(1, count + 1):
            client.until(lambda number=number: len(client.got) == number)  # type: ignore[misc]
            client.channel.basic_ack(number)
        return bodies, client.bodies


def gotten(client: Client, **more: Any) -> list[tuple[bytes, bool]]:
    """What a client gets until the queue is empty: bodies, and whether they were redelivered."""
    found = []
    while True:
        method, _, body = client.channel.basic_get("q", **more)
        if method is None or body is None:
            return found
        found.append((body, method.redelivered))


@pytest.mark.parametrize("auto_ack", [True, False])
def test_what_is_gotten_comes_twice(broker: EmbeddedBroker, auto_ack: bool) -> None:
    with Client(broker) as client:
        broker.faults.redeliver(count=2, after=1)
        broker.faults.duplicate(count=1, queue="q")
        publish(broker, 4)
        assert gotten(client, auto_ack=auto_ack) == [
            (b"0", False), (b"0", False), (b"1", False), (b"1", True), (b"2", False), (b"2", True),
            (b"3", False)]  # fmt: skip
        assert broker.faults.active() == []
        if not auto_ack:
            client.channel.basic_ack(0, multiple=True)
            client.channel.basic_qos()
        assert broker.queues["q"] == (0, 0, 0)
        assert broker.memory == 0


def test_what_is_gotten_comes_later(broker: EmbeddedBroker) -> None:
    with Client(broker) as client, Client(broker) as other:
        publish(broker, 2)
        broker.faults.delay_deliveries(0.2, queue="q")
        started = time.monotonic()
        assert gotten(client) == [(b"0", False), (b"1", False)]
        assert time.monotonic() - started >= 0.4
        publish(broker, 1, 2)
        broker.faults.clear()
        broker.faults.delay_deliveries(60)
        threading.Timer(0.1, broker.faults.clear).start()
        assert gotten(other) == [(b"2", False)]


def test_a_get_that_waits_gives_its_message_back(broker: EmbeddedBroker) -> None:
    with Client(broker), Raw(broker.url) as raw:
        publish(broker, 1)
        raw.open().channel()
        broker.faults.delay_deliveries(60)
        raw.send(1, commands.Basic.Get(queue="q"))
        raw.send(1, commands.Basic.Qos())
        assert isinstance(raw.method(), commands.Basic.QosOk)
        assert broker.queues["q"].ready == 0
        raw.send(1, commands.Channel.Close(200, "", 0, 0))
        assert isinstance(raw.method(), commands.Channel.CloseOk)
        assert broker.queues["q"] == (1, 0, 0)
        broker.faults.clear()
        with Client(broker) as client:
            assert gotten(client) == [(b"0", False)]


def test_what_is_gotten_is_shuffled(broker: EmbeddedBroker) -> None:
    with Client(broker) as client:
        broker.faults.reorder(window=4, seed=1, patience=60)
        bodies = publish(broker, 10)
        found = [body for body, _ in gotten(client)]
    assert sorted(found) == bodies
    for at in (0, 4, 8):
        part = found[at : at + 4]
        assert sorted(part) == bodies[at : at + 4]
        assert part != bodies[at : at + 4]


def test_gets_count_unless_consumers_are_meant(broker: EmbeddedBroker) -> None:
    with Client(broker) as client:
        broker.faults.redeliver(count=None, consumer="*")
        broker.faults.cancel_consumer(after=2)
        broker.faults.drop_connection("reset", queue="q", after=3)
        publish(broker, 5)
        for _ in range(2):
            assert client.channel.basic_get("q", auto_ack=True)[0] is not None
        with pytest.raises(StreamLostError):
            gotten(client, auto_ack=True)
        assert broker.faults.active() == ["redeliver consumer=*", "cancel_consumer"]
    with Client(broker).consume() as client:
        client.until(lambda: client.cancelled)
        assert broker.faults.active() == ["redeliver consumer=*"]


def test_heartbeats_are_missed(broker: EmbeddedBroker) -> None:
    with Raw(broker.url) as old, Raw(broker.url) as new, Client(broker, "spared") as spared:
        old.open(heartbeat=1)
        broker.faults.miss_heartbeats(connection="127.0.0.1:*")
        new.open(heartbeat=1)
        for raw in (old, new):
            raw.socket.settimeout(1.2)
            with pytest.raises(TimeoutError):
                raw.read()
            raw.frame(8, 0, b"")
        spared.channel.basic_qos()
        broker.faults.clear()
        for raw in (old, new):
            raw.frame(8, 0, b"")
            assert raw.method().name == "Heartbeat"


def test_pika_notices_that_heartbeats_are_missed(broker: EmbeddedBroker) -> None:
    with Client(broker, heartbeat=1) as client:
        broker.faults.miss_heartbeats()
        # pika looks every six seconds.
        with pytest.raises(AMQPHeartbeatTimeout):
            client.pause(20)


def test_clear_ends_everything(broker: EmbeddedBroker) -> None:
    faults = broker.faults
    with Client(broker).consume(auto_ack=True) as client:
        faults.stall(connection="client")
        faults.delay_deliveries(60)
        faults.duplicate(count=None)
        faults.redeliver(count=None)
        faults.reorder(window=100, patience=60)
        faults.refuse_logins(5)
        faults.block_publishers()
        faults.drop_connection(after=1)
        faults.close_channel(after=1)
        faults.cancel_consumer(after=1)
        faults.miss_heartbeats()
        assert len(faults.active()) == 11
        faults.clear()
        assert faults.active() == []
        bodies = publish(broker, 3)
        client.until(lambda: client.bodies == bodies)


def test_nothing_to_act_on(broker: EmbeddedBroker) -> None:
    for act, said in (
        (lambda: broker.faults.drop_connection(), "drop_connection: there is no connection"),
        (lambda: broker.faults.stall(connection="x"),
         "stall: there is no connection with connection=x"),
        (lambda: broker.faults.close_channel(queue="x"),
         "close_channel: there is no channel with queue=x"),
        (lambda: broker.faults.cancel_consumer(consumer="x"),
         "cancel_consumer: there is no consumer with consumer=x"),
    ):  # fmt: skip
        with pytest.raises(CbsimError) as refused:
            act()
        assert str(refused.value) == said


def test_the_table_of_faults_is_the_methods() -> None:
    assert list(FAULTS) == [
        name
        for name in vars(Faults)
        if not name.startswith("_") and name not in ("active", "apply")
    ]
    for name, fault in FAULTS.items():
        signature = inspect.signature(getattr(Faults, name)).parameters
        assert [one.name for one in fault.parameters] == list(signature)[1:]
        assert fault.doc
        assert all(one.doc for one in fault.parameters)
    stall = {one.name: one for one in FAULTS["stall"].parameters}
    assert (stall["seconds"].type, stall["seconds"].optional) == (float, True)
    assert FAULTS["delay_deliveries"].parameters[0].required
    assert FAULTS["drop_connection"].parameters[0].choices == ("close", "eof", "reset", "mid-frame")


def test_faults_by_name(broker: EmbeddedBroker) -> None:
    with Client(broker) as client:
        assert broker.faults.apply("drop_connection", how="reset", after="2") == 0
        assert broker.faults.apply("stall", seconds="0.1") == 1
        assert broker.faults.apply("duplicate", count=None) == 0
        assert broker.faults.apply("clear") == 0
        assert client.connection.is_open


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("explode", {}, "fault 'explode': expected one of drop_connection, stall, "),
        ("stall", {"for": 3}, "fault stall: no parameter 'for'; it takes seconds, connection, "),
        ("clear", {"all": 1}, "fault clear: no parameter 'all'; it takes nothing"),
        ("delay_deliveries", {}, "fault delay_deliveries: seconds is missing: How long each"),
        ("stall", {"seconds": "soon"}, "fault stall: seconds 'soon': expected a number"),
        ("stall", {"seconds": "nan"}, "fault stall: seconds 'nan': expected 0 or more"),
        ("stall", {"after": 1.5}, "fault stall: after 1.5: expected a whole number"),
        ("stall", {"after": -1}, "fault stall: after -1: expected 0 or more"),
        ("stall", {"after": None}, "fault stall: after None: expected a whole number"),
        ("stall", {"connection": 3}, "fault stall: connection 3: expected a string"),
        ("drop_connection", {"how": "hard"}, "fault drop_connection: how 'hard': expected close, "),
        ("redeliver", {"count": 0}, "fault redeliver: count 0: expected 1 or more"),
        ("reorder", {"window": 0}, "fault reorder: window 0: expected 1 or more"),
        ("close_channel", {"code": 65536}, "fault close_channel: code 65536: expected 0 to 65535"),
        (
            "close_channel",
            {"text": "\ud800"},
            "fault close_channel: text '\\ud800': expected a str",
        ),
        ("block_publishers", {"reason": "x" * 256}, "fault block_publishers: reason 'xxx"),
    ],
)
def test_faults_that_cannot_be(
    broker: EmbeddedBroker, name: str, arguments: dict[str, Any], said: str
) -> None:
    with Client(broker).consume() as client:
        calls = [partial(broker.faults.apply, name)]
        if name in FAULTS:
            calls.append(getattr(broker.faults, name))
        for call in calls:
            with pytest.raises(CbsimError) as refused:
                call(**arguments)
            assert str(refused.value).startswith(said)
        assert broker.faults.active() == []
        bodies = publish(broker, 2)
        client.until(lambda: client.bodies == bodies)


def test_positional_arguments_are_read_too(broker: EmbeddedBroker) -> None:
    faults: Any = broker.faults
    with pytest.raises(CbsimError, match="seconds 'x': expected a number"):
        faults.delay_deliveries("x")
    with pytest.raises(CbsimError, match="how 'nope': expected close, eof"):
        faults.drop_connection("nope", after=3)
    with pytest.raises(TypeError):
        faults.delay_deliveries(1, seconds=2)
    assert faults.active() == []


def test_a_broker_that_is_not_running() -> None:
    with pytest.raises(BrokerError, match="not running"):
        EmbeddedBroker().faults.clear()


def test_commands_stay_as_they_are_under_faults(broker: EmbeddedBroker) -> None:
    """What a stalled client asked meanwhile is answered, in order, when the stall ends."""
    with Raw(broker.url) as raw:
        raw.open().channel()
        broker.faults.stall()
        raw.send(1, commands.Basic.Qos())
        raw.send(1, commands.Queue.Declare(queue="q"))
        broker.faults.clear()
        assert isinstance(raw.method(), commands.Basic.QosOk)
        assert isinstance(raw.method(), commands.Queue.DeclareOk)
