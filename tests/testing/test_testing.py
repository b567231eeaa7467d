"""The simulated server for tests, on a real RabbitMQ and on the embedded broker."""

from __future__ import annotations

import json
import threading
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pika
import pytest
from hypothesis import find

from cbsim import strategies as cb
from cbsim.bus.provider import Broker
from cbsim.bus.subscriber import subscribe
from cbsim.catalog import names
from cbsim.catalog.server import ServerVersion
from cbsim.checks import decode, iter_errors
from cbsim.errors import BrokerError, CatalogError, CbsimError, WireError
from cbsim.scenario.loader import load
from cbsim.scenario.stream import FIXED_START, messages
from cbsim.testing import CbQueue, CbServer, deliver, examples
from cbsim.wire.message import RAW_EXCHANGE, Message


@pytest.fixture(params=["embedded", "RabbitMQ"])
def server(request: pytest.FixtureRequest) -> Iterator[CbServer]:
    wanted = "embedded"
    if request.param == "RabbitMQ":
        wanted = request.getfixturevalue("broker")
    with CbServer(wanted) as server:
        yield server


@pytest.mark.parametrize("persistent", [False, True])
def test_messages_are_transient_unless_they_are_to_be_persistent(
    broker: str, persistent: bool
) -> None:
    with CbServer(broker, persistent=persistent) as server:
        queue = server.queue("#")
        server.emit("feed.synchronized")
        _, properties, _ = server.channel.basic_get(queue.name)
        assert properties.delivery_mode == (2 if persistent else 1)


def consumed(server: CbServer, queue: str, count: int) -> list[bytes]:
    """What a pika consumer of its own connection takes from a queue."""
    connection = pika.BlockingConnection(pika.URLParameters(server.url))
    bodies: list[bytes] = []
    for method, _, body in connection.channel().consume(queue, auto_ack=True, inactivity_timeout=5):
        if method is None or body is None:
            break
        bodies.append(body)
        if len(bodies) == count:
            break
    connection.close()
    return bodies


def test_what_is_emitted_is_delivered(server: CbServer) -> None:
    queue = server.queue("feed.*.ingress.hit.process")
    sent = server.emit("feed.ingress.hit.process", sensor_id=3, hostname="WIN8-TEST")
    assert queue.expect(1) == [sent]
    fields = json.loads(sent.body)
    assert (fields["sensor_id"], fields["hostname"]) == (3, "WIN8-TEST")
    process = fields["process_id"] if "process_id" in fields else fields["process_guid"]
    assert process.startswith("00000003-")
    assert [*iter_errors(fields, "feed.ingress.hit.process")] == []
    assert len(queue) == 0
    assert queue


def test_a_queue_is_read_as_a_consumer_reads_it(server: CbServer) -> None:
    queue = server.queue("binaryinfo.#")
    sent = [server.emit("binaryinfo.observed") for _ in range(3)]
    taken = [
        (method.routing_key, properties.content_type, body) for method, properties, body in queue
    ]
    assert taken == [(one.routing_key, one.content_type, one.body) for one in sent]
    assert [*queue] == []


def test_a_run_is_consumed_and_compared(server: CbServer) -> None:
    queue = server.queue("#")
    report = server.run("quickstart", rate="max", count=200)
    assert (report.sent, report.confirmed) == (200, 200)
    taken = queue.expect(200)
    assert server.assert_consumed(taken).whole
    assert len(server.ledger) == 200
    server.wait_until_drained(queue)


def test_a_lost_a_doubled_and_a_changed_message_are_named(server: CbServer) -> None:
    queue = server.queue("binaryinfo.#", "alert.#")
    for _ in range(5):
        server.emit("binaryinfo.observed")
    server.emit("alert.watchlist.hit.query.binary")
    taken = queue.expect(6)
    lost = json.loads(taken[2].body)["md5"]
    with pytest.raises(AssertionError, match=rf"lacks 1; the first: .*{lost}"):
        server.assert_consumed([*taken[:2], *taken[3:]])
    # A broker delivers at least once.
    assert server.assert_consumed([*taken, taken[0]]).total("duplicated") == 1
    with pytest.raises(AssertionError, match="has twice 1"):
        server.assert_consumed([*taken, taken[0]], strict=True)
    changed = taken[0]._replace(body=taken[0].body.replace(b"md5", b"MD5"))
    with pytest.raises(AssertionError, match="has damaged 1"):
        server.assert_consumed([changed, *taken[1:]])
    with pytest.raises(AssertionError, match="has besides 1"):
        server.assert_consumed([*taken, examples("feed.synchronized")[0].message])


def test_order_is_judged_where_it_is_asked_for(server: CbServer) -> None:
    queue = server.queue("ingress.#")
    for _ in range(4):
        server.emit("ingress.event.netconn", sensor_id=3)
    taken = queue.expect(4)
    server.assert_consumed(taken, bound="ingress.#", strict=True)
    server.assert_consumed(taken[::-1], bound="ingress.#")
    with pytest.raises(AssertionError, match="has 3 after a later one of the same sensor"):
        server.assert_consumed(taken[::-1], bound="ingress.#", strict=True)


def test_a_plain_text_is_one_binding(server: CbServer) -> None:
    queue = server.queue("watchlist.#")
    server.emit("watchlist.hit.process")
    server.emit("feed.synchronized")
    server.assert_consumed(queue.expect(1), bound="watchlist.#")
    with pytest.raises(AssertionError, match="lacks 1; the first: lost watchlist"):
        server.assert_consumed([], bound="watchlist.#")
    with pytest.raises(AssertionError, match=r"nothing was sent on alert\.#: nothing to compare"):
        server.assert_consumed([], bound="alert.#")


def test_the_exchange_of_bundles_is_a_binding(server: CbServer) -> None:
    bundle = find(cb.bundle(events=2, zipped=True), lambda _: True)
    queue = server.queue("api.rawsensordata")
    server.publish(bundle)
    server.emit("feed.synchronized")
    [taken] = queue.expect(1)
    assert len(queue) == 0
    server.assert_consumed([taken], bound="api.rawsensordata")
    with pytest.raises(AssertionError, match="lacks"):
        server.assert_consumed([], bound="api.rawsensordata")
    server.assert_consumed([taken], bound=[server.raw_exchange])


def test_output_may_be_bodies_objects_or_a_file(server: CbServer, tmp_path: Path) -> None:
    queue = server.queue("watchlist.#")
    for _ in range(3):
        server.emit("watchlist.hit.binary")
    bodies = consumed(server, queue.name, 3)
    server.assert_consumed(bodies)
    server.assert_consumed([json.loads(body) for body in bodies])
    output = tmp_path / "out.ndjson"
    output.write_bytes(b"\n".join(bodies))
    server.assert_consumed(output)
    with pytest.raises(CbsimError, match="cannot read"):
        server.assert_consumed(tmp_path / "none.ndjson")


def test_an_expectation_explains_itself(server: CbServer) -> None:
    queue = server.queue("binaryinfo.observed")
    sent = [server.emit("binaryinfo.observed") for _ in range(3)]
    assert queue.get() is not None
    with pytest.raises(AssertionError) as caught:
        queue.expect(3, timeout=0.2)
    said = str(caught.value)
    assert said.startswith("expected 3 messages on binaryinfo.observed within 0.2 s, got 2; ")
    assert json.loads(sent[0].body)["md5"] in said


def test_an_expectation_of_too_much_says_how_much_there_was(server: CbServer) -> None:
    queue = server.queue("binaryinfo.observed")
    server.emit("binaryinfo.observed")
    server.emit("alert.watchlist.hit.query.binary")
    with pytest.raises(AssertionError, match=r"got 1; of the 2 that were sent, these keys match 1"):
        queue.expect(2, timeout=0.1)


def test_a_key_without_the_database_id_is_explained(server: CbServer) -> None:
    queue = server.queue("feed.storage.hit.process")
    server.emit("feed.storage.hit.process")
    with pytest.raises(AssertionError, match=r"publishes under feed\.<id>\.storage\.hit\.process"):
        queue.expect(1, timeout=0.1)


def test_a_queue_that_nobody_drains_is_explained(server: CbServer) -> None:
    queue = server.queue("binarystore.#", name="mine")
    server.emit("binarystore.file.added")
    with pytest.raises(AssertionError, match=r"'mine' still holds 1 messages after 0.1 s, with 0"):
        server.wait_until_drained("mine", timeout=0.1)
    threading.Timer(0.2, consumed, (server, "mine", 1)).start()
    queue.wait_until_drained()


def test_broken_messages_are_published_marked_and_need_no_output(server: CbServer) -> None:
    queue = server.queue("#")
    broken = find(cb.malformed("truncated-json", name="cmd.feed.synchronize"), lambda _: True)
    sound = server.emit("cmd.feed.synchronize")
    server.publish(broken, broken)
    assert len(queue.expect(3)) == 3
    rows = server.ledger.database.execute("select broken from message order by sequence").fetchall()
    assert [row[0] for row in rows] == [None, str(broken), str(broken)]
    server.assert_consumed([sound])
    server.assert_consumed([sound, broken.message, broken.message])
    with pytest.raises(AssertionError, match="lacks 1"):
        server.assert_consumed([broken.message])


def test_a_sound_message_that_a_broken_one_equals_is_not_lost() -> None:
    empty = Message(RAW_EXCHANGE, "", "application/protobuf", b"")
    with CbServer("embedded") as server:
        server.publish(empty._replace(broken="empty-body: no body"), empty)
        assert server.assert_consumed([empty]).whole
        with pytest.raises(AssertionError, match="lacks 1"):
            server.assert_consumed([])


def test_what_amqp_cannot_carry_leaves_no_trace(server: CbServer) -> None:
    queue = server.queue("#")
    sound = Message("api.events", "feed.synchronized", "application/json", b"{}")
    for bad in (
        sound._replace(routing_key="a" * 300),
        sound._replace(routing_key="\ud800"),
        sound._replace(headers={"sensorId": 2**70}),
    ):
        with pytest.raises(WireError, match="AMQP does not allow"):
            server.publish(sound, bad)
    assert len(server.ledger) == 0
    sent = server.emit("feed.synchronized")
    assert queue.expect(1) == [sent]
    found = server.compared([])
    assert (found.total("lost"), found.unconfirmed) == (1, 0)


def test_servers_side_by_side_do_not_meet(broker: str) -> None:
    with CbServer(broker) as one, CbServer(broker) as other:
        queues = one.queue("#"), other.queue("#")
        sent = one.emit("feed.synchronized")
        assert queues[0].expect(1) == [sent]
        assert queues[1].get() is None
        names_there = one.exchange, one.raw_exchange, queues[0].name
    connection = pika.BlockingConnection(pika.URLParameters(broker))
    for name in names_there[:2]:
        channel = connection.channel()
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="404"):
            channel.exchange_declare(name, passive=True)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="404"):
        connection.channel().queue_declare(names_there[2], passive=True)
    connection.close()


def test_an_embedded_server_has_the_servers_exchanges_and_faults() -> None:
    with CbServer("embedded", server="7.x", dialect="documented") as server:
        assert (server.exchange, server.raw_exchange) == ("api.events", "api.rawsensordata")
        assert server.faults is not None
        queue = server.queue("ingress.event.filelessscriptload")
        assert queue.expect(0) == []
        server.emit("ingress.event.filelessscriptload")
        assert len(queue.expect(1)) == 1


def test_an_embedded_servers_exchanges_are_as_a_real_servers() -> None:
    with CbServer("embedded") as server:
        channel = server.channel
        channel.exchange_declare("api.events", "topic", durable=True)
        channel.exchange_declare("api.rawsensordata", "fanout", durable=True)
        tapped = subscribe(server.url, ("feed.#",), idle=5)
        assert next(tapped) is None
        sent = server.emit("feed.synchronized")
        got = next(tapped)
        assert got is not None
        assert got.body == sent.body
        tapped.close()


SCENARIO = """\
seed: 5
server: {version: 7.x, dialect: documented, latency: {watchlist: 1ms}}
estate: {sensors: 5, binaries: 60}
phases:
  - {count: 60, rate: max, clock: 10, mix: {watchlist.hit.process: 1, binaryinfo.observed: 2}}
"""


def observed(server: CbServer) -> list[str]:
    """The MD5 of each `binaryinfo.observed`."""
    return [
        json.loads(message.body)["md5"]
        for batch in server.ledger.batches()
        for message in batch.messages
        if message.routing_key == "binaryinfo.observed"
    ]


def test_a_run_is_of_the_scenarios_server_and_seed(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(SCENARIO)
    wanted = [message for _, message, _, _ in messages(load(str(path)), FIXED_START)]
    with CbServer("embedded") as server:
        queue = server.queue("#")
        server.run(str(path))
        got = queue.expect(60)
    assert [one.routing_key for one in got] == [one.routing_key for one in wanted]
    # They differ in their times: a run's begin now.
    for hit, other in (
        (json.loads(a.body), json.loads(b.body)) for a, b in zip(got, wanted, strict=True)
    ):
        assert {*hit} == {*other}
        assert hit.get("cb_version") == other.get("cb_version")
        assert hit.get("md5") == other.get("md5")


def test_a_run_takes_what_the_server_names(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(SCENARIO)
    with CbServer("embedded", server="6.x", seed=9) as server:
        queue = server.queue("watchlist.#")
        server.run(str(path))
        [hit, *_] = [json.loads(one.body) for one in queue.expect(10)]
        assert hit["cb_version"] == ServerVersion.V6.cb_version
        assert [*iter_errors(hit, "watchlist.hit.process", dialect="documented")] == []
        named = observed(server)
    with CbServer("embedded", seed=9) as other:
        other.run(str(path))
        assert observed(other) == named
    with CbServer("embedded") as other:
        other.run(str(path), seed=9)
        assert observed(other) == named


def test_no_run_repeats_what_was_new_before(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(SCENARIO)
    found = []
    for _ in range(2):
        with CbServer("embedded") as server:
            for _ in range(3):
                server.run(str(path))
            for _ in range(20):
                server.emit("binaryinfo.observed")
            found.append(observed(server))
    assert len(found[0]) > 100
    assert len({*found[0]}) == len(found[0])
    assert found[0] == found[1]


def test_the_server_outlives_the_faults_that_it_makes() -> None:
    with CbServer("embedded") as server:
        queue = server.queue("feed.synchronized")
        assert server.faults.drop_connection() > 0
        sent = server.emit("feed.synchronized")
        assert queue.expect(1) == [sent]


def test_faults_are_felt_by_who_reads_a_queue() -> None:
    with CbServer("embedded") as server:
        queue = server.queue("#")
        server.faults.redeliver(count=3)
        server.faults.duplicate(count=2)
        server.run("quickstart", rate="max", count=20)
        taken = [*queue]
        assert sum(method.redelivered for method, _, _ in taken) == 3
        assert len(taken) == 25
        assert server.faults.active() == []
        server.faults.reorder(window=7)
        sent = [server.emit("binaryinfo.observed") for _ in range(16)]
        got = queue.expect(16)
        assert got != sent
        assert sorted(one.body for one in got) == sorted(one.body for one in sent)


@pytest.mark.parametrize("how", ["close", "reset", "mid-frame"])
def test_what_a_fault_cuts_off_is_read_again(how: Any) -> None:
    with CbServer("embedded") as server:
        queue = server.queue("#")
        sent = [server.emit("binaryinfo.observed") for _ in range(6)]
        server.faults.drop_connection(how, queue=queue.name, after=3)
        bodies = [body for _, _, body in queue]
        assert {*bodies} == {one.body for one in sent}
        assert len(queue) == 0
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="404"):
            CbQueue(server, "none", ()).get()


def test_a_broker_without_faults_says_so(broker: str) -> None:
    with CbServer(Broker(broker)) as server, pytest.raises(CbsimError, match="--cbsim-broker"):
        server.faults  # noqa: B018


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda it: it.emit("watchlist.hit.proces"), r"did you mean watchlist\.hit\.process"),
        (lambda it: it.emit("watchlist.hit.process", sensorid=1), "did you mean 'sensor_id'"),
        (lambda it: it.emit("ingress.event.filemod", acton=1), "did you mean 'action'"),
        (lambda it: it.emit("ingress.event.filemod", action="x"), "action='x'"),
        (lambda it: it.emit("ingress.event.filelessscriptload"), "is not sent by a 5.2 server"),
        (lambda it: it.emit("ingress.event.filemod", md5="zz"), "md5='zz': expected 32 hex digits"),
        (lambda it: it.emit("binaryinfo.observed", md5="zz"), "md5='zz': expected 32 hex digits"),
        (lambda it: it.emit("watchlist.hit.process", md5=3), "md5=3: expected 32 hex digits"),
        (lambda it: it.emit("watchlist.hit.process", sensor_id="x"), "from 0 to 4294967295"),
        (lambda it: it.emit("watchlist.hit.process", sensor_id=2**32), "from 0 to 4294967295"),
        (lambda it: it.emit("ingress.event.filemod", sensor_id="x"), "from 0 to 2147483647"),
        (lambda it: it.emit("ingress.event.filemod", hostname=3), "hostname=3"),
        (lambda it: it.emit("feed.query.hit.binary", hostname=3), "hostname=3: expected a string"),
        (lambda it: it.emit("watchlist.hit.process", watchlist_id="a"), "watchlist_id='a': expect"),
        (lambda it: it.emit("watchlist.hit.process", process_pid=1.5), "process_pid=1.5: expected"),
        (lambda it: it.emit("feed.ingress.hit.process", process_id="x"), "'x' is no process key"),
        (
            lambda it: it.emit("feed.synchronized", feed_name=object()),
            "feed_name: Type is not JSON",
        ),
        (lambda it: it.run("quikstart"), "did you mean quickstart"),
        (lambda it: it.run("quickstart", rate="fast"), "rate"),
    ],
)
def test_a_mistake_is_explained(call: Callable[[CbServer], object], said: str) -> None:
    with CbServer("embedded") as server, pytest.raises(CbsimError, match=said):
        call(server)


def test_fields_of_a_raw_event_are_as_asked() -> None:
    with CbServer("embedded") as server:
        sent = server.emit(
            "ingress.event.filemod", sensor_id=9, action=4, process_pid=77, md5="ab" * 16
        )
        watch = server.emit("watchlist.hit.process", watchlist_id=77, process_name="a.exe")
    [event] = decode(sent.body, sent.routing_key, sent.content_type)
    header: Any = event.fields["header"]
    env: Any = event.fields["env"]
    assert (env["endpoint"]["SensorId"], header["process_pid"]) == (9, 77)
    assert watch.routing_key == "watchlist.hit.process"
    assert json.loads(watch.body)["docs"][0]["process_name"] == "a.exe"


class TestUnittestStyle(unittest.TestCase):
    def setUp(self) -> None:
        self.server = self.enterContext(CbServer("embedded"))

    def test_it_works_without_fixtures(self) -> None:
        queue = self.server.queue("alert.#")
        self.server.emit("alert.watchlist.hit.query.process")
        assert len(queue.expect(1)) == 1


def test_examples_have_one_of_everything() -> None:
    for version in (ServerVersion.V4_2, ServerVersion.V7):
        found = examples(server=version)
        assert {one.name for one in found} == {*names(version)}
        assert all([*iter_errors(one.fields, one.name)] == [] for one in found)
    with pytest.raises(CbsimError, match="matches nothing that"):
        examples("alert.*", server="4.2")
    with pytest.raises(CatalogError, match="unknown server version"):
        examples(server="3.0")


MESSAGES = [one.message for one in examples("feed.*")]


def test_deliver_records_every_answer() -> None:
    def callback(channel: Any, method: Any, properties: Any, body: bytes) -> None:
        assert properties.content_type == "application/json"
        assert method.exchange == "api.events"
        answers = [
            lambda: channel.basic_ack(method.delivery_tag),
            lambda: channel.basic_nack(method.delivery_tag, requeue=False),
            lambda: channel.basic_reject(delivery_tag=method.delivery_tag),
            lambda: channel.basic_publish("out", "key", body),
        ]
        answers[(method.delivery_tag - 1) % 4]()

    done = deliver(callback, MESSAGES[:4])
    assert (done.acked, done.nacked, done.rejected) == ([MESSAGES[0]], [MESSAGES[1]], [MESSAGES[2]])
    assert done.requeued == [MESSAGES[2]]
    assert [*done.pending.values()] == [MESSAGES[3]]
    assert [one.body for one in done.published] == [MESSAGES[3].body]
    done.assert_acked(1)
    with pytest.raises(AssertionError, match="expected 4 of 4 messages acked, got 1") as caught:
        done.assert_acked()
    assert "1 unanswered, 1 nacked, 1 rejected" in str(caught.value)
    with pytest.raises(AssertionError, match="1 messages were requeued"):
        done.assert_none_requeued()


def test_deliver_acks_many_at_once() -> None:
    def callback(channel: Any, method: Any, properties: Any, body: bytes) -> None:
        if method.delivery_tag == 5:
            channel.basic_ack(5, multiple=True)

    done = deliver(callback, MESSAGES[:5])
    done.assert_acked()
    done.assert_none_requeued()
    assert deliver(lambda *_: None, MESSAGES[:2], auto_ack=True).acked == MESSAGES[:2]


@pytest.mark.parametrize(
    ("auto_ack", "tag", "said"),
    [(False, 99, "tag 99 is unknown"), (True, 1, "tag 1 is answered already")],
)
def test_deliver_refuses_what_a_broker_refuses(auto_ack: bool, tag: int, said: str) -> None:
    with pytest.raises(AssertionError, match=f"{said}: a broker closes the channel with 406"):
        deliver(lambda channel, *_: channel.basic_ack(tag), MESSAGES[:1], auto_ack=auto_ack)


def test_deliver_says_which_message_it_was() -> None:
    broken = find(cb.malformed("invalid-utf8", name="binaryinfo.observed"), lambda _: True)

    def callback(channel: Any, method: Any, properties: Any, body: bytes) -> None:
        body.decode()
        channel.basic_ack(method.delivery_tag)

    with pytest.raises(UnicodeDecodeError) as caught:
        deliver(callback, [MESSAGES[0], broken])
    assert caught.value.__notes__ == [f"while message 2 was delivered: {broken}"]
    with pytest.raises(AttributeError, match="has no 'stop_consuming'"):
        deliver(lambda channel, *_: channel.stop_consuming(), MESSAGES[:1])


def test_nothing_sent_is_nothing_consumed(server: CbServer) -> None:
    server.emit("binaryinfo.observed")
    with pytest.raises(AssertionError, match=r"nothing was sent on alert\.#"):
        server.assert_consumed([], bound=["alert.#"])


def consuming(server: CbServer, queue: str) -> Iterator[pika.BlockingConnection]:
    """A consumer that takes everything, and acknowledges nothing yet."""
    connection = pika.BlockingConnection(pika.URLParameters(server.url))
    connection.channel().basic_consume(queue, lambda *_: None)
    connection.process_data_events(0.2)
    yield connection
    connection.close()


def test_a_queue_is_declared_as_a_consumer_does(server: CbServer) -> None:
    arguments = {"x-max-length": 1000}
    queue = server.queue("feed.#", name="cbsim-mine", durable=True, arguments=arguments)
    with pika.BlockingConnection(pika.URLParameters(server.url)) as connection:
        declared = connection.channel().queue_declare(
            "cbsim-mine", durable=True, arguments=arguments
        )
        assert declared.method.queue == queue.name
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="406"):
            connection.channel().queue_declare("cbsim-mine")
    with pytest.raises(BrokerError, match="406"):
        server.queue(name="cbsim-mine")


def test_a_consumer_is_waited_for(server: CbServer) -> None:
    queue = server.queue("feed.#")
    with pytest.raises(AssertionError, match=r"nobody consumes 'cbsim-\w+' after 0.1 s"):
        queue.wait_for_consumer(timeout=0.1)
    for connection in consuming(server, queue.name):
        queue.wait_for_consumer()
        server.wait_for_consumer()
        server.wait_for_consumer(queue.name)
        assert connection.is_open


def test_what_is_not_acknowledged_is_not_drained() -> None:
    with CbServer("embedded") as server:
        queue = server.queue("feed.#")
        server.emit("feed.synchronized")
        for _ in consuming(server, queue.name):
            with pytest.raises(AssertionError, match="holds 1 messages, 1 of them unacknowledged"):
                queue.wait_until_drained(0.1)
        with pytest.raises(CbsimError, match="there is no queue 'none'; there are cbsim-"):
            server.wait_until_drained("none")


def test_a_consumer_of_its_own_queue_is_seen_too() -> None:
    with CbServer("embedded") as server:
        server.channel.queue_declare("theirs")
        with pytest.raises(AssertionError, match=r"nobody consumes any queue after 0\.1 s"):
            server.wait_for_consumer(timeout=0.1)
        for _ in consuming(server, "theirs"):
            server.wait_for_consumer()
    with pytest.raises(CbsimError, match="exchanges='mine': expected 'server' or 'own'"):
        CbServer("embedded", exchanges="mine")  # type: ignore[arg-type]
