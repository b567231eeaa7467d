"""A raw event for a person: whatever an event holds can be shown, and nothing is lost of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cbsim import strategies as cb
from cbsim.checks.visible import of_event_fields
from cbsim.wire.clock import exact_time, parse_iso_time
from cbsim.wire.event import as_dict, decode
from cbsim.wire.legible import legible
from cbsim.wire.sensor_events_pb2 import CbEventMsg

BASE64 = re.compile(r"[A-Za-z0-9+/]{20,}={1,2}")


@given(cb.raw_event())
def test_any_event_can_be_shown(event: CbEventMsg) -> None:
    fields = as_dict(event)
    shown = legible(fields)
    assert json.loads(json.dumps(shown)) == shown
    assert shown.keys() == fields.keys()
    assert of_event_fields(shown) == of_event_fields(fields), "it is found again by it"


@given(st.integers(1, 2_650_467_743_999_999_999))
def test_times_to_the_tick(ticks: int) -> None:
    assert parse_iso_time(exact_time(ticks)) == ticks


def test_what_is_no_time_stays_a_number() -> None:
    for ticks in (0, -1, 2**63 - 1):
        event = CbEventMsg(header={"version": 4, "timestamp": ticks})
        assert legible(as_dict(event)) == {"header": {"version": 4, "timestamp": ticks}}


def test_addresses_ports_and_bytes() -> None:
    six = 0xFE80.to_bytes(2, "big") + bytes(13) + b"\x01"
    low, high = int.from_bytes(six[8:], "little"), int.from_bytes(six[:8], "little")
    event = CbEventMsg(
        header={"version": 4, "process_md5": bytes(range(16)), "process_sha256": bytes(32)},
        network={"ipv4Address": 0x0100000A, "ipv6LoPart": low, "ipv6HiPart": high, "port": 47873},
        networkv2={
            "remoteIpAddress": {"bIsIpv6": True, "ipv6Low": low, "ipv6High": high, "ipv6Scope": "2"}
        },
        regmod={"utf8_regpath": "\\registry\\ü".encode() + b"\xff"},
        module={"md5": b"BA29D981CB8FF97DE70D47DA4DF490E1", "Icon": b"\x89PNG"},
    )
    assert legible(as_dict(event)) == {
        "header": {"version": 4, "process_md5": "000102030405060708090a0b0c0d0e0f",
                   "process_sha256": "00" * 32},
        "network": {"ipv4Address": "10.0.0.1", "ipv6Address": "fe80::1", "port": 443},
        "networkv2": {"remoteIpAddress": "fe80::1%2"},
        "regmod": {"utf8_regpath": "\\registry\\ü\\xff"},
        "module": {"md5": "BA29D981CB8FF97DE70D47DA4DF490E1", "Icon": "89504e47"},
    }  # fmt: skip


def test_captured_events(shared: Path) -> None:
    for file in sorted((shared / "captures" / "protobuf").glob("*/*.bin")):
        shown = json.dumps(legible(as_dict(decode(file.read_bytes()))))
        assert not BASE64.search(shown), file
