from __future__ import annotations

import ipaddress
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbsim.bus.sink import as_line, from_line
from cbsim.errors import WireError
from cbsim.wire import address, bundle, clock, identity
from cbsim.wire.event import bytes_field, decode, int_field, varint
from cbsim.wire.message import Message
from cbsim.wire.sensor_events_pb2 import DESCRIPTOR, CbEventMsg, CbStringMsg

ROOT = Path(__file__).parents[2]
UINT32, UINT64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)


@given(UINT32, UINT32, UINT64)
def test_process_key_round_trip(sensor: int, pid: int, created: int) -> None:
    text = identity.process_key(sensor, pid, created)
    assert identity.parse_process_key(text) == (sensor, pid, created)
    for digits in (8, 12):
        key, segment = identity.parse_unique_id(identity.unique_id(text, 7, digits))
        assert (key, segment) == ((sensor, pid, created), 7)


def test_the_specifications_process() -> None:
    key = identity.parse_process_key("00000001-0000-afbc-01cf-b31b9e83777f")
    assert key[:2] == (1, 44988)
    assert clock.iso_time(key.create_time) == "2014-08-08T15:15:42.193Z"
    unique, segment = identity.parse_unique_id("00000001-0000-09e4-01cf-a5dee70168f2-00000001")
    assert (unique.pid, segment) == (2532, 1)


@pytest.mark.parametrize("text", ["", "00000001-0000-afbc-01cf-b31b9e83777", "x" * 36])
def test_no_process_key(text: str) -> None:
    with pytest.raises(WireError, match="is no process key"):
        identity.parse_process_key(text)


@given(st.integers(0, 2**31 * 10**7 * 10))
def test_times_round_trip(ticks: int) -> None:
    assert abs(clock.parse_iso_time(clock.iso_time(ticks)) - ticks) < 10_000
    assert abs(clock.parse_display_time(clock.display_time(ticks)) - ticks) < clock.TICKS
    moment = clock.from_filetime(ticks)
    assert clock.filetime(moment) == ticks // 10 * 10


def test_times_of_the_specification() -> None:
    ticks = clock.filetime(datetime(2014, 8, 9, 17, 27, 56, tzinfo=UTC))
    assert clock.display_time(ticks) == "Aug 9, 2014 5:27:56 PM"
    assert clock.epoch_seconds(clock.parse_iso_time("2014-08-06T21:55:04.19Z")) == 1407362104.19


@given(st.ip_addresses(v=4), st.ip_addresses(v=6), st.integers(0, 65535))
def test_addresses_round_trip(
    v4: ipaddress.IPv4Address, v6: ipaddress.IPv6Address, port: int
) -> None:
    assert address.ipv4_from_wire(address.ipv4_to_wire(str(v4))) == str(v4)
    assert address.ipv4_from_signed(address.ipv4_to_signed(str(v4))) == str(v4)
    assert address.ipv6_from_wire(*address.ipv6_to_wire(str(v6))) == str(v6)
    assert address.swap_port(address.swap_port(port)) == port


def test_wire_facts_of_addresses() -> None:
    assert address.swap_port(443) == 47873
    assert address.ipv4_from_signed(-1407246848) == "172.31.30.0"


@given(st.lists(st.binary(max_size=300), max_size=20), st.booleans())
def test_bundles_round_trip(events: list[bytes], zipped: bool) -> None:
    body = run = bundle.join(events)
    if zipped:
        body = bundle.zipped("EventLog.log", run, datetime(2017, 1, 19, tzinfo=UTC))
    assert [event for part in bundle.members(body) for event in bundle.split(part)] == events


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=5), st.data())
def test_a_bundle_cut_short_is_refused(events: list[bytes], data: st.DataObject) -> None:
    run = bundle.join(events)
    ends, at = {0}, 0
    for event in events:
        at += 4 + len(event)
        ends.add(at)
    cut = data.draw(st.integers(1, len(run) - 1).filter(lambda it: it not in ends))
    with pytest.raises(WireError, match="bundle"):
        list(bundle.split(run[:cut]))


@pytest.mark.parametrize("body", [b"PK\x03\x04", b"PK\x03\x04" + bytes(100)])
def test_a_broken_zip_is_refused(body: bytes) -> None:
    with pytest.raises(WireError, match="no readable zip"):
        list(bundle.members(body))


@given(st.integers(-(2**63), 2**64 - 1))
def test_varint_is_protobufs(number: int) -> None:
    written = int_field(1, number)
    assert CbStringMsg.FromString(written).guid == (number + 2**63) % 2**64 - 2**63
    assert written == b"\x08" + varint(number)
    assert CbStringMsg.FromString(bytes_field(2, written)).utf8string == written


@given(st.text(), st.binary(), st.dictionaries(st.text(), st.integers(0, 2**53) | st.text()))
def test_envelope_round_trip(key: str, body: bytes, headers: dict[str, int | str]) -> None:
    for content_type in ("application/json", "application/protobuf"):
        message = Message(
            "api.events", key, content_type, body, headers, clock.from_epoch_seconds(12.5)
        )
        assert message.timestamp == 12.5
        assert from_line(as_line(message)) == message


def test_no_event() -> None:
    with pytest.raises(WireError, match="no raw event"):
        decode(b"\xff\xff")
    with pytest.raises(WireError, match="no raw event"):
        decode(b"")


def test_proto_is_the_interface(shared: Path) -> None:
    facts = json.loads((shared / "wire" / "sensor_events.fields.json").read_text())
    types = {v: k.removeprefix("TYPE_").lower() for k, v in _constants("TYPE_").items()}
    labels = {v: k.removeprefix("LABEL_").lower() for k, v in _constants("LABEL_").items()}
    assert DESCRIPTOR.package == facts["package"]
    assert set(DESCRIPTOR.message_types_by_name) == set(facts["messages"])
    for name, declared in facts["messages"].items():
        declared = declared["fields"] if isinstance(declared, dict) else declared
        message = DESCRIPTOR.message_types_by_name[name]
        assert [field.name for field in message.fields] == [it["name"] for it in declared]
        for field, fact in zip(message.fields, declared, strict=True):
            if field.message_type is not None:
                kind = field.message_type.full_name
            elif field.enum_type is not None:
                kind = field.enum_type.full_name
            else:
                kind = types[field.type]
            required = "required" if getattr(field, "is_required", False) else "optional"
            label = "repeated" if getattr(field, "is_repeated", False) else required
            if not hasattr(field, "is_repeated"):
                label = labels[field.label]
            assert (field.number, kind, label) == (fact["number"], fact["type"], fact["label"])
            if "default" in fact and field.enum_type is None:
                assert str(field.default_value).lower() == fact["default"]
            elif "default" in fact:
                assert field.enum_type.values_by_name[fact["default"]].number == field.default_value
    for name, fact in facts["enums"].items():
        message_name, enum = name.split(".")
        values = DESCRIPTOR.message_types_by_name[message_name].enum_types_by_name[enum].values
        assert {value.name: value.number for value in values} == fact["values"]


def _constants(prefix: str) -> dict[str, int]:
    from google.protobuf.descriptor import FieldDescriptor

    return {name: getattr(FieldDescriptor, name) for name in dir(FieldDescriptor)
            if name.startswith(prefix)}  # fmt: skip


@pytest.mark.locked
def test_generated_module_is_fresh() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "proto" / "build.py"), "--check"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.locked
def test_a_consumers_own_module_loads_beside_ours(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}",
         f"--python_out={tmp_path}", "sensor_events.proto"], check=True,
    )  # fmt: skip
    program = "import sensor_events_pb2 as theirs; from cbsim.wire import sensor_events_pb2 as ours"
    program += "; assert theirs.CbEventMsg is not ours.CbEventMsg"
    subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
    )  # fmt: skip


def test_captured_events_decode_and_are_canonical(shared: Path) -> None:
    files = sorted((shared / "captures" / "protobuf").glob("*/*.bin"))
    assert files
    for file in files:
        event = decode(file.read_bytes())
        assert event.SerializeToString() == file.read_bytes(), file
        assert CbEventMsg.FromString(file.read_bytes()) == event
