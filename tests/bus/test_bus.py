"""Against a real RabbitMQ: what is published arrives, is confirmed, and decodes."""

from __future__ import annotations

import re
import stat
import subprocess
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pika
import pytest

from cbsim.bus.connection import connect, redacted
from cbsim.bus.publisher import Publisher, Topology, declare
from cbsim.bus.recording import recorded
from cbsim.bus.sink import NdjsonSink, as_line, from_line
from cbsim.bus.subscriber import subscribe
from cbsim.catalog import NOTIFICATIONS, ServerVersion, name_of, names
from cbsim.errors import BrokerError
from cbsim.scenario.loader import load, parse
from cbsim.scenario.runner import run
from cbsim.scenario.stream import FIXED_START, messages
from cbsim.wire.message import Message
from cbsim.wire.reading import read
from tests.support.arrival import drain
from tests.support.command import CBSIM
from tests.support.outage import cut
from tests.support.port import free_port
from tests.support.specification import examples


@pytest.fixture
def queue(broker: str) -> Iterator[tuple[pika.adapters.blocking_connection.BlockingChannel, str]]:
    """A channel, and a queue on it that gets everything."""
    connection = connect(broker)
    channel = connection.channel()
    declare(channel, Topology(), broker)
    name = f"cbsim-test-{uuid.uuid4()}"
    channel.queue_declare(name, auto_delete=False)
    channel.queue_bind(name, "api.events", "#")
    channel.queue_bind(name, "api.rawsensordata", "")
    yield channel, name
    channel.queue_delete(name)
    connection.close()


@pytest.mark.parametrize("version", ["4.2", "5.2", "7.x"])
def test_quickstart_delivers_every_type(broker: str, queue: tuple, version: str) -> None:
    channel, name = queue
    server = load("quickstart").server.model_copy(update={"version": ServerVersion(version)})
    scenario = load("quickstart").model_copy(update={"server": server})
    if version == "4.2":
        mix = {k: v for k, v in scenario.phases[0].mix.items() if k not in ("cmd.*", "alert.*")}
        phases = (scenario.phases[0].model_copy(update={"mix": mix, "rate": 500.0}),)
        scenario = scenario.model_copy(update={"phases": phases})
    else:
        phases = (scenario.phases[0].model_copy(update={"rate": 500.0}),)
        scenario = scenario.model_copy(update={"phases": phases})
    publisher = Publisher(broker)
    report = run(scenario, publisher, FIXED_START, count=2500)
    publisher.close()
    assert report.sent == report.confirmed == 2500
    arrived = drain(channel, name)
    assert len(arrived) == report.confirmed
    seen = Counter(name_of(message.routing_key) for message in arrived)
    assert set(seen) == set(names(ServerVersion(version)))
    for message in arrived:
        assert list(read(message))
    expected = [message for _, message, _, _ in messages(scenario, FIXED_START, 2500)]
    assert [(one.routing_key, one.body) for one in arrived] == [
        (one.routing_key, one.body) for one in expected
    ]


def test_bundles_arrive_with_headers(broker: str, queue: tuple) -> None:
    channel, name = queue
    scenario = parse("""
    server: {raw: bundles, bundle: 20}
    estate: {sensors: 3}
    phases: [{count: 200, rate: max, mix: {"ingress.event.*": 1}}]
    """)
    publisher = Publisher(broker)
    run(scenario, publisher, FIXED_START)
    publisher.close()
    arrived = drain(channel, name)
    assert {message.content_type for message in arrived} == {"application/zip"}
    assert {message.exchange for message in arrived} == {"api.rawsensordata"}
    events = [reading for message in arrived for reading in read(message)]
    assert len(events) == 200
    assert all(event.fields["env"]["endpoint"]["SensorHostName"] for event in events)


def test_a_lost_connection_loses_nothing(broker: str, queue: tuple) -> None:
    channel, name = queue
    publisher = Publisher(broker)
    stream = [one for _, one, _, _ in messages(load("steady-state"), FIXED_START, 6000)]
    for number, message in enumerate(stream):
        publisher.publish(message)
        if number in (1500, 3000):
            cut(publisher)
    publisher.flush()
    publisher.close()
    arrived = Counter((one.routing_key, one.body) for one in drain(channel, name))
    expected = Counter((one.routing_key, one.body) for one in stream)
    assert not expected - arrived
    assert publisher.republished > 0
    assert (arrived - expected).total() <= publisher.republished


def test_passive_needs_the_exchanges(broker: str) -> None:
    topology = Topology(events=f"none-{uuid.uuid4()}", passive=True)
    with pytest.raises(BrokerError, match=r"exchange 'none-.*' is not there"):
        Publisher(broker, topology)


def test_an_exchange_with_other_settings(broker: str) -> None:
    channel = connect(broker).channel()
    name = f"cbsim-test-{uuid.uuid4()}"
    channel.exchange_declare(name, "direct")
    with pytest.raises(BrokerError, match="is there with other settings"):
        Publisher(broker, Topology(events=name))
    channel.exchange_delete(name)
    channel.connection.close()


def test_subscriber_gets_what_it_binds(broker: str) -> None:
    arrived = subscribe(broker, ["feed.*.storage.hit.process"], idle=3)
    assert next(arrived) is None
    publisher = Publisher(broker)
    scenario = load("quickstart")

    def until_closed() -> None:
        with pytest.raises(BrokerError, match="the publisher is closed"):
            run(scenario, publisher, FIXED_START)

    thread = threading.Thread(target=until_closed)
    thread.start()
    message = next(arrived)
    assert message is not None
    assert name_of(message.routing_key) == "feed.storage.hit.process"
    arrived.close()
    publisher.close()
    thread.join()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda url: url.replace("127.0.0.1", "no.such.host.invalid"), "cannot be resolved"),
        (lambda _: f"amqp://cb:secret@127.0.0.1:{free_port()}/", "nothing listens there"),
        (lambda url: with_password(url, "secret"), "login of user .* was refused"),
        (lambda url: url.removesuffix("%2F") + "no-such-vhost", "the virtual host is not there"),
        (lambda _: "http://cb:secret@127.0.0.1/", "expected amqp://"),
    ],
)
def test_a_broker_that_cannot_be_used(broker: str, change: object, expected: str) -> None:
    url = change(broker)
    with pytest.raises(BrokerError, match=expected) as caught:
        Publisher(url)
    assert "secret" not in str(caught.value)
    assert (urlsplit(url).password or "-") not in str(caught.value)


def with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.username}:{password}@{parts.hostname}:{parts.port}/"


def test_redacted() -> None:
    assert redacted("amqps://cb:s3cret@h:5671/v") == "amqps://cb@h:5671/v"


def test_replay_puts_out_the_bytes_it_read(broker: str, queue: tuple, shared: Path) -> None:
    channel, name = queue
    captures = shared / "captures"
    files = [file for file in captures.rglob("*") if file.suffix in (".json", ".bin")]
    subprocess.run(
        [*CBSIM, "replay", str(captures),
         "--broker", broker], check=True, capture_output=True,
    )  # fmt: skip
    arrived = Counter((one.routing_key, one.body) for one in drain(channel, name))
    assert arrived == Counter((file.parent.name, file.read_bytes()) for file in files)


def test_recording_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    stream = [one for _, one, _, _ in messages(load("quickstart"), FIXED_START, 300)]
    path.write_bytes(b"".join(map(as_line, stream)))
    assert list(recorded(path)) == [from_line(as_line(one)) for one in stream]


def test_a_new_recording_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    NdjsonSink(str(path)).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_every_capture_decodes(shared: Path) -> None:
    stream = list(recorded(shared / "captures"))
    assert len(stream) > 100
    for message in stream:
        name_of(message.routing_key)
        assert list(read(message))


def test_the_specifications_examples_decode(shared: Path) -> None:
    found = dict(examples((shared / "spec" / "cb-server-api.txt").read_text()))
    assert set(found) == {it.name for it in NOTIFICATIONS.values() if it.section}
    for name, text in found.items():
        # Three examples lack a comma at the end of a line.
        mended = re.sub(r'(["\d}])[ \t]*\n(\s*")', r"\1,\n\2", text)
        message = Message("api.events", name, "application/json", mended.encode())
        (reading,) = read(message)
        declared = {field.name for field in NOTIFICATIONS[name].fields}
        assert reading.fields.keys() <= declared, name
        documents = {field.name for field in NOTIFICATIONS[name].documents}
        for document in reading.fields.get("docs", []):
            scores = {field for field in document if field.startswith("alliance_")}
            assert document.keys() - scores <= documents, name
