"""`cbsim scrub`: of what is planted nothing survives, and what is left is a recording still."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message as Proto
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cbsim import strategies as cb
from cbsim.bus.recording import recorded
from cbsim.bus.sink import as_line
from cbsim.catalog import NOTIFICATIONS, RAW_EVENTS, Dialect, ServerVersion, name_of
from cbsim.checks import broken, iter_errors
from cbsim.profile import Learner, Profile
from cbsim.scenario.loader import parse
from cbsim.scrub import Scrubber
from cbsim.wire import bundle
from cbsim.wire.event import decode
from cbsim.wire.message import (
    EVENTS_EXCHANGE,
    JSON_TYPE,
    PROTOBUF_TYPE,
    RAW_EXCHANGE,
    ZIP_TYPE,
    Message,
)
from cbsim.wire.reading import read
from cbsim.wire.sensor_events_pb2 import CbEventMsg
from tests.support.command import piped
from tests.support.stream import everything, sent

SECRET = b"a secret of the tests"
PLANTED = ("jwinterbottom", "Hrothgar-Payroll7", "10.211.37.89", "beowulf.example",
           "4F9C1B7730D2A86E5B1D0C2F7A8E9B36")  # fmt: skip
NAMES = sorted(NOTIFICATIONS)
SLOW = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])


def scrubbed(messages: Iterable[Message]) -> list[Message]:
    scrubber = Scrubber(SECRET)
    return [found for it in messages if (found := scrubber.scrubbed(it)) is not None]


def opened(message: Message) -> bytes:
    """All bytes of a message that anybody can read, in lower case."""
    parts = [message.exchange, message.routing_key, *map(str, message.headers.values())]
    read = [message.body, *(part.encode() for part in parts)]
    if message.body.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(message.body)) as archive:
            read += [archive.read(info) for info in archive.infolist()]
            read += [info.filename.encode() for info in archive.infolist()]
    return b"\n".join(read).lower()


def assert_gone(message: Message) -> None:
    said = opened(message)
    for planted in PLANTED:
        for form in (planted.encode(), orjson.dumps(planted)[1:-1]):
            assert form.lower() not in said
    assert bytes.fromhex(PLANTED[-1]) not in said
    assert bytes([10, 211, 37, 89]) not in said


def sown(value: Any, draw: st.DrawFn) -> Any:
    """The same with planted texts in the place of others, and fields beside that nobody knows."""
    if isinstance(value, dict):
        # Four numbers with dots between are a version where one stands: it is kept.
        fields = {
            name: inner if name.endswith("version") else sown(inner, draw)
            for name, inner in value.items()
        }
        if draw(st.booleans()):
            fields["owner"] = draw(st.sampled_from(PLANTED))
            fields[draw(st.sampled_from(PLANTED))] = 1
            fields[f"alliance_score_{PLANTED[0]}"] = 1
        return fields
    if isinstance(value, list):
        return [sown(inner, draw) for inner in value]
    if isinstance(value, str) and draw(st.booleans()):
        planted = draw(st.sampled_from(PLANTED))
        around = draw(st.sampled_from(["{}", "c:\\users\\{}\\x.exe", "q=name%3A{}", '{{"a": "{}"}}',
                                       "PREPREPRE{}POSTPOSTPOST", "a|{}", "{}|7"]))  # fmt: skip
        return around.format(planted)
    return value


@st.composite
def notifications(draw: st.DrawFn) -> Message:
    version = draw(st.sampled_from([ServerVersion.V6, ServerVersion.V7]))
    name = draw(st.sampled_from([it for it in NAMES if NOTIFICATIONS[it].in_version(version)]))
    fields = draw(cb.notification(name, server=version))
    return Message(EVENTS_EXCHANGE, name, JSON_TYPE, orjson.dumps(sown(fields, draw)))


@given(notifications())
@SLOW
def test_nothing_planted_survives_in_a_notification(message: Message) -> None:
    for found in scrubbed([message]):
        assert_gone(found)


def plant(message: Proto, draw: st.DrawFn) -> None:
    """Fill every field of an event that holds text, bytes or an address."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None:
            inner = getattr(message, field.name)
            if draw(st.booleans()):
                plant(inner if isinstance(inner, Proto) else inner.add(), draw)
        elif field.type == FieldDescriptor.TYPE_STRING:
            setattr(message, field.name, draw(st.sampled_from(PLANTED)))
        elif field.type == FieldDescriptor.TYPE_BYTES:
            value = draw(st.sampled_from([*(it.encode() for it in PLANTED),
                                          bytes.fromhex(PLANTED[-1])]))  # fmt: skip
            setattr(message, field.name, value)
        elif "ddress" in field.name:
            setattr(message, field.name, int.from_bytes(bytes([10, 211, 37, 89]), "little"))


@st.composite
def planted_events(draw: st.DrawFn) -> bytes:
    event = CbEventMsg()
    event.header.version = 4
    plant(event, draw)
    event.header.version = 4
    event.process.created = True
    if draw(st.booleans()):
        # A field that the interface does not have: number 199, text.
        beyond = PLANTED[0].encode()
        return event.SerializeToString() + b"\xba\x0c" + bytes([len(beyond)]) + beyond
    return event.SerializeToString()


@given(planted_events())
@SLOW
def test_nothing_planted_survives_in_an_event(body: bytes) -> None:
    message = Message(EVENTS_EXCHANGE, "ingress.event.procstart", PROTOBUF_TYPE, body)
    (found,) = scrubbed([message])
    assert_gone(found)
    assert decode(found.body).process.created


@given(st.lists(planted_events(), max_size=3), st.booleans())
@SLOW
def test_nothing_planted_survives_in_a_bundle(events: list[bytes], zipped: bool) -> None:
    run = bundle.join(events)
    body = run
    if zipped:
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"EventLog_{PLANTED[0]}.log", run)
            archive.writestr("2.log", run)
        body = written.getvalue()
    headers = {"sensorId": 3, "sensorHostName": PLANTED[1], PLANTED[0]: 1, "owner": PLANTED[0]}
    message = Message(f"{PLANTED[0]}.raw", "", ZIP_TYPE, body, headers)
    (found,) = scrubbed([message])
    assert_gone(found)
    assert found.headers.keys() == {"sensorId", "sensorHostName"}
    runs = [[*bundle.split(run)] for run in bundle.members(found.body)]
    assert [len(run) for run in runs] == [len(events)] * (1 + zipped)


@cache
def run(raw: str = "single") -> tuple[Message, ...]:
    text = f"""
    server: {{version: 6.x, raw: {raw}}}
    phases: [{{count: 3000, rate: 500/s, mix: {{"ingress.*": 2, "feed.*": 1, "watchlist.*": 1,
               "binary*": 1, "alert.*": 1}}}}]
    """
    return tuple(sent(parse(text)))


def fields(messages: Iterable[Message], *names: str) -> list[Any]:
    """What stands in fields of these names, wherever in a message, in order."""

    def inside(value: Any) -> Iterator[Any]:
        if isinstance(value, dict):
            for name, inner in value.items():
                if name in names:
                    yield inner
                yield from inside(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from inside(inner)

    return [found for message in messages for reading in read(message)
            for found in inside(reading.fields)]  # fmt: skip


@pytest.mark.parametrize("raw", ["single", "both"])
def test_what_is_left_is_valid_and_of_the_same_server(raw: str) -> None:
    before = run(raw)
    after = scrubbed(before)
    assert [(it.routing_key, it.content_type, it.moment) for it in after] == [
        (it.routing_key, it.content_type, it.moment) for it in before
    ]
    for message in after:
        if message.routing_key:
            name = name_of(message.routing_key)
            for reading in read(message):
                assert [*iter_errors(reading.fields, name, Dialect.OBSERVED)] == []
                assert [it for it in broken(reading.fields, name) if not it.warning] == []
    profiles = [learned(before), learned(after)]
    assert profiles[0].mix == profiles[1].mix
    assert profiles[0].estate == profiles[1].estate
    assert profiles[0].notifications == profiles[1].notifications


def learned(messages: Iterable[Message]) -> Profile:
    learner = Learner()
    for message in messages:
        learner.take(message)
    return learner.learned().profile


@pytest.mark.parametrize(
    "names",
    [("hostname", "SensorHostName"), ("md5", "process_md5"), ("md5hash",), ("path", "process_path"),
     ("username",), ("group",), ("interface_ip", "comms_ip"), ("remoteIpAddress",), ("cmdline",),
     ("process_name",), ("report_id",)],
)  # fmt: skip
def test_identities_are_intact(names: tuple[str, ...]) -> None:
    """As many are different as before, and what was the same is."""
    before = run()
    was, are = fields(before, *names), fields(scrubbed(before), *names)
    assert len(was) == len(are) > 20
    pairs = {*zip(map(str, was), map(str, are), strict=True)}
    assert len(pairs) == len({*map(str, was)}) == len({*map(str, are)})


def test_a_name_is_where_its_path_ends() -> None:
    for message in scrubbed(run()):
        for reading in read(message):
            for document in reading.fields.get("docs", ()):  # type: ignore[attr-defined]
                if {"path", "process_name"} <= document.keys():
                    assert document["path"].lower().endswith(document["process_name"].lower())


def test_the_captures_can_be_scrubbed(shared: Path) -> None:
    before = [*recorded(shared / "captures")]
    scrubber = Scrubber(SECRET)
    after = [found for message in before if (found := scrubber.scrubbed(message))]
    # One is a forwarder's line.
    assert len(after) == len(before) - 1
    assert scrubber.dropped.keys() == {
        "ingress.event.module: module.ImageFileHeader", "ingress.event.module: module.Icon",
        "messages that cannot be read",
    }  # fmt: skip
    hosts = {text.lower() for text in fields(before, "hostname", "SensorHostName") if text}
    users = {text.rpartition("\\")[2].lower() for text in fields(before, "username")}
    users -= {"system", "local service", "network service", ""}
    assert len(hosts) > 2
    assert len(users) > 1
    for message in after:
        said = opened(message)
        for name in hosts | users:
            assert name.encode() not in said


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (Message(EVENTS_EXCHANGE, "owner.of.desk", JSON_TYPE, b"{}"),
         "messages of no kind that is known"),
        (Message(EVENTS_EXCHANGE, "binaryinfo.observed", JSON_TYPE, b"{"),
         "messages that cannot be read"),
        (Message(EVENTS_EXCHANGE, "binaryinfo.observed", JSON_TYPE, b"[]"),
         "messages that cannot be read"),
        (Message(EVENTS_EXCHANGE, "binaryinfo.observed", "text/plain", b"{}"),
         "messages that cannot be read"),
        (Message(EVENTS_EXCHANGE, "ingress.event.filemod", JSON_TYPE, b"{}"),
         "messages that cannot be read"),
        (Message(RAW_EXCHANGE, "", ZIP_TYPE, b"PK\3\4"), "messages that cannot be read"),
        (Message(RAW_EXCHANGE, "", PROTOBUF_TYPE, b"\1"), "messages that cannot be read"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_dropped_and_counted(message: Message, what: str) -> None:
    scrubber = Scrubber(SECRET)
    assert scrubber.scrubbed(message) is None
    assert dict(scrubber.dropped) == {what: 1}


def test_fields_that_nobody_knows_are_dropped_and_counted() -> None:
    scrubber = Scrubber(SECRET)
    body = {"md5": "A" * 32, "owner": "jw", "scores": {"owner": 1}, "watchlists": [1]}
    message = Message(EVENTS_EXCHANGE, "binaryinfo.observed", JSON_TYPE, orjson.dumps(body))
    found = scrubber.scrubbed(message)
    assert found is not None
    assert orjson.loads(found.body).keys() == {"md5", "scores", "watchlists"}
    assert dict(scrubber.dropped) == {
        "binaryinfo.observed: owner": 1,
        "binaryinfo.observed: scores.owner": 1,
        "binaryinfo.observed: watchlists, in a list": 1,
    }


def test_raw_events_are_all_understood() -> None:
    scrubber = Scrubber(SECRET)
    stream = sent(everything("7.x"))
    assert all(scrubber.scrubbed(message) for message in stream)
    assert {it.rpartition(".")[2] for it in scrubber.dropped} <= {"Icon", "ImageFileHeader"}
    assert {name_of(it.routing_key) for it in stream} > RAW_EVENTS.keys() - {
        "ingress.event.process"
    }


def lines(messages: Iterable[Message]) -> bytes:
    return b"".join(as_line(message, 1_700_000_000 + number / 10)
                    for number, message in enumerate(messages))  # fmt: skip


def test_captures_are_scrubbed_and_replayed_to_the_same_bytes(shared: Path, tmp_path: Path) -> None:
    """Of the same secret, in programs of their own."""
    secret, tap = tmp_path / "secret", tmp_path / "tap.ndjson"
    secret.write_bytes(SECRET)
    tap.write_bytes(lines(recorded(shared / "captures")))
    written = [piped("scrub", tap, "--secret-file", secret).stdout for _ in range(2)]
    assert written[0] == written[1] != b""
    scrubbed_tap = tmp_path / "scrubbed.ndjson"
    scrubbed_tap.write_bytes(written[0])
    outputs = [tmp_path / "1.ndjson", tmp_path / "2.ndjson"]
    for output in outputs:
        done = piped("replay", scrubbed_tap, "--speed", "max", "--sink", f"ndjson:{output}")
        assert done.returncode == 0, done.stderr
        assert [*recorded(output)] == [*recorded(scrubbed_tap)]
        assert lines(recorded(output)) == lines(scrubbed(recorded(tap)))


def test_on_the_command_line_and_replayed(tmp_path: Path) -> None:
    tap, secret = tmp_path / "tap.ndjson", tmp_path / "secret"
    tap.write_bytes(lines(run("both")[:300]))
    secret.write_bytes(SECRET)
    shared = tmp_path / "shared.ndjson"
    done = piped("scrub", tap, "--secret-file", secret, "--out", shared)
    assert done.returncode == 0, done.stderr
    assert b"300 messages" in done.stderr
    again = piped("scrub", tap, "--secret-file", secret)
    assert again.stdout == shared.read_bytes()
    assert piped("scrub", tap).stdout != shared.read_bytes()
    replayed = tmp_path / "replayed.ndjson"
    done = piped("replay", shared, "--speed", "max", "--sink", f"ndjson:{replayed}")
    assert done.returncode == 0, done.stderr
    assert [*recorded(replayed)] == [*recorded(shared)]


@pytest.mark.parametrize(
    ("content", "said"), [(b"short\n", b"too short"), (None, b"cannot read the secret")]
)
def test_a_secret_that_is_none_is_refused(
    tmp_path: Path, content: bytes | None, said: bytes
) -> None:
    tap, secret = tmp_path / "tap.ndjson", tmp_path / "secret"
    tap.write_bytes(as_line(run()[0]))
    if content is not None:
        secret.write_bytes(content)
    done = piped("scrub", tap, "--secret-file", secret)
    assert (done.returncode, done.stdout) == (2, b"")
    assert said in done.stderr
