"""The figures of likeness: what they measure of a stream told by hand, and when they object."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from cbsim.wire.message import EVENTS_EXCHANGE, JSON_TYPE, PROTOBUF_TYPE, Message
from tests.support.likeness import ROWS, Row, Sample, differences, measure, presence, unlike
from tests.support.likeness.__main__ import main
from tests.support.likeness.row import between, quantiles, share, spread
from tests.support.told_by_hand import CHILD, Said, bundled, morning, unix

SECOND = 10_000_000


def measured(said: list[Said]) -> dict[str, Sample]:
    return measure([line.message() for line in said])


def named(said: list[Said], key: str, number: int = 0) -> Said:
    return [line for line in said if line.key.endswith(key)][number]


MORNING = {
    "childproc and start share one time": 1.0,
    "childproc and end share one time": 1.0,
    "the first moduleload is the own image": 1.0,
    "the first moduleload after the start, median": 0.01,
    "age at a filemod, median": 1.1156,
    "age at a regmod, median": 1.0156,
    "age at a netconn, median": 1.2156,
    "age of the parent at a childproc, median": 1001.0,
    "lifetime of those that ended, median": 29.0156,
    "started without any moduleload": 0.0,
    "events after the process's end": 0.0,
    "announced with creationobserved: false": 0.5,
    "age of who is announced, median": 1000.0,
    "announced without a parent": 1.0,
    "regmods of System": 0.0,
    "starts that begin process, moduleload, moduleload, moduleload": 0.0,
    "gaps within a process below 1 ms": 0.0,
    "gaps within a process above 10 s": 1 / 8,
    "times that are no whole millisecond": 1.0,
    "create times that are no whole millisecond": 1.0,
    "steps of a sensor's moduleloads that go back": 0.0,
    "share of filemod": 1 / 11,
    "share of moduleload": 2 / 11,
    "share of process": 2 / 11,
    "created: true under its parent's guid": 1.0,
    "created: false under guid 0": 1.0,
    "created: false among childproc": 0.5,
    "host and group within 7 ms of observed": 1.0,
    "watchlists in binaryinfo.host.observed": 0.0,
    "last_seen after server_added_timestamp": 0.0,
    "watchlist_<id> before its storage hit, binary, median s": 15.3,
    "watchlist_<id> before its storage hit, process, median s": 15.1,
    "alliance_updated_<feed> before its hit, median days": 30.0,
    "alliance_data_<feed> that names an MD5 names the document's": 1.0,
    "filemods that delete": 0.0,
    "filemods that are a last write": 0.0,
    "regmods that write a value": 1.0,
    "netconns over UDP": 0.0,
    "access masks": 1.0,
    "crossprocopens for full access": 0.0,
}
"""What is true of it, by the names of the rows."""


@pytest.mark.parametrize("name", MORNING)
def test_a_figure_is_what_it_says(name: str) -> None:
    sample = measured(morning())[name]
    assert sample.values == pytest.approx((MORNING[name],), abs=1e-3)
    assert sample.count > 0


def test_each_row_is_measured() -> None:
    assert {*MORNING} <= {row.name for row in ROWS}
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert {*measured(morning())} <= {row.name for row in ROWS}


def later(key: str, by: int, number: int = 0) -> Callable[[list[Said]], None]:
    def spoil(said: list[Said]) -> None:
        named(said, key, number).content.header.timestamp += by

    return spoil


def put(key: str, field: str, **values: object) -> Callable[[list[Said]], None]:
    def spoil(said: list[Said]) -> None:
        for name, value in values.items():
            setattr(getattr(named(said, key).content, field), name, value)

    return spoil


def said_as(key: str, **values: object) -> Callable[[list[Said]], None]:
    return lambda said: named(said, key).content.update(values)


def suppressed(said: list[Said]) -> None:
    third = named(said, "childproc", 1).content.childproc.suppressed
    third.bIsSuppressed, third.state = True, 1


def cut(said: list[Said]) -> None:
    for line in said:
        if not isinstance(line.content, dict) and line.content.header.process_pid == CHILD[0]:
            line.content.header.process_md5 = b"abcd\0" + b"e" * 11
    named(said, "childproc", 1).content.childproc.md5hash = b"abcd"


UNLIKE: dict[str, tuple[Callable[[list[Said]], None], str, float]] = {
    "another time": (later("childproc", 10), "childproc and start share one time", 0.0),
    "another end": (later("procend", 10), "childproc and end share one time", 0.0),
    "a library first": (
        later("moduleload", SECOND),
        "the first moduleload is the own image",
        0.0,
    ),
    "life after death": (later("regmod", 99 * SECOND), "events after the process's end", 1 / 8),
    "a step back": (
        later("moduleload", 10 * SECOND),
        "steps of a sensor's moduleloads that go back",
        0.5,
    ),
    "System": (put("regmod", "header", process_pid=4), "regmods of System", 1.0),
    "UDP": (put("netconn", "network", protocol=17), "netconns over UDP", 1.0),
    "a proxy": (put("netconn", "network", proxyConnection=True), "netconns by a proxy", 1.0),
    "a delete": (put("filemod", "filemod", action=4), "filemods that delete", 1.0),
    "a guid": (put("childproc", "header", process_guid=1),
               "created: true under its parent's guid", 0.0),
    "a state": (suppressed, "suppressed ones without a state", 0.0),
    "an MD5 cut": (cut, "MD5s with a NUL byte that are cut there", 1.0),
    "a slow host": (said_as("binaryinfo.host.observed", event_timestamp=1_704_067_203.9),
                    "host and group within 7 ms of observed", 0.5),
    "a watchlist": (said_as("binaryinfo.host.observed", watchlists={"watchlist_3": "x"}),
                    "watchlists in binaryinfo.host.observed", 1.0),
    "copied": (said_as("binarystore.file.added", size=100, compressed_size=40),
               "compressed_size / size", 0.4),
    "an alert": (said_as("alert.watchlist.hit.query.process",
                         created_time="2024-01-01T00:00:06.500012Z"),
                 "created_time before an alert, median s", 15.0),
    "a severity": (said_as("alert.watchlist.hit.query.process", alert_severity="40.5",
                           report_score="75", sensor_criticality="1.0"),
                   "severities as captured for their criticality", 1.0),
    "a PE of tomorrow": (put("ingress.event.module", "module",
                             ImageFileHeader=b"d\x86\6\0\xff\xff\xff\xff"),
                         "PE timestamps in the past", 0.0),
    "copied in part": (put("ingress.event.module", "module", CopiedModuleLength=1,
                           OriginalModuleLength=2), "modules copied in part", 1.0),
}  # fmt: skip


@pytest.mark.parametrize("change", UNLIKE)
def test_a_figure_follows_what_is_changed(change: str) -> None:
    spoil, name, value = UNLIKE[change]
    said = morning()
    assert measured(said).get(name, Sample((), 0)).values != pytest.approx((value,), abs=1e-3)
    spoil(said)
    values = measured(said)[name].values
    assert values[len(values) // 2] == pytest.approx(value, abs=1e-3)


def test_bundles_are_measured_as_what_they_hold() -> None:
    assert measured(bundled(morning())) == measured(morning())


def test_events_of_other_systems_than_windows_are_left_out() -> None:
    assert "times that are no whole millisecond" not in measured(unix())


def test_a_row_says_what_is_out_of_its_bounds() -> None:
    assert share("x", 0.3).judge(Sample((0.39,), 30)) == ""
    assert share("x", 0.3).judge(Sample((0.41,), 30)) == (
        "x: 0.41, expected 0.2 to 0.4 (captured: 0.3; of 30)"
    )
    assert share("x", 0.3).judge(Sample((0.3,), 29)) == "x: of 29, expected at least 30"
    assert share("x", 0.3).judge(None) == "x: of 0, expected at least 30"
    assert between("x", 5, 1, 9, least=1).judge(Sample((9.5,), 1)).startswith("x: 9.5, expected 1")
    ages = spread("age", (0, 1, 2, 3, 4), 2, 0)
    assert ages.judge(quantiles([0, 1, 2, 3, 4] * 9)) == ""
    assert ages.judge(quantiles([0, 1, 2, 7, 9] * 9)).startswith("age at 75%: 7, expected 1.5 to 6")


def test_only_what_holds_anywhere_is_asked_of_any_scenario() -> None:
    rows = [Row("a", (1,), ((1, 1),), 1, anywhere=True), Row("b", (1,), ((1, 1),), 1)]
    samples = {"a": Sample((2,), 5), "b": Sample((2,), 5)}
    assert len(unlike(samples, rows)) == 2
    assert len(unlike(samples, rows, anywhere=True)) == 1
    assert unlike({"a": Sample((2,), 0)}, rows, anywhere=True) == []


def test_presence_is_told_in_the_form_of_the_captures(shared: Path) -> None:
    captured = json.loads((shared / "wire/presence.json").read_text())
    messages = [
        Message(EVENTS_EXCHANGE, path.parent.name, kind, path.read_bytes())
        for kind, folder in ((PROTOBUF_TYPE, "protobuf"), (JSON_TYPE, "json"))
        for path in sorted((shared / "captures" / folder).glob("*/*"))
    ]
    made = presence(messages)
    assert {*made["protobuf"]} <= {*captured["protobuf"]}
    assert len({*made["json"]} & {*captured["json"]}) >= 14
    for name, entry in made["protobuf"].items():
        always = {field for field, often in captured["protobuf"][name]["set_in"].items()
                  if often == 1}  # fmt: skip
        assert always <= {*entry["set_in"]} <= {*captured["protobuf"][name]["set_in"]}, name
    for name, entry in made["json"].items():
        if name not in captured["json"]:
            continue
        assert {*entry["fields"]} <= {*captured["json"][name]["fields"]}, name
        assert ("docs" in entry) == ("docs" in captured["json"][name]), name
    # Of twelve messages nothing is told, of sixty everything.
    assert differences(captured, made) == []
    fives = Message(EVENTS_EXCHANGE, "cmd.feed.synchronize", JSON_TYPE, b'{"feed_id": 5}')
    assert differences(captured, presence([fives] * 60)) == [
        "cmd.feed.synchronize: 14 bytes, captured 68",
        "cmd.feed.synchronize: event_timestamp is set in 0%, captured 100%",
        "cmd.feed.synchronize: full_sync is set in 0%, captured 100%",
    ]


def test_a_field_that_is_never_set_in_captures_is_told() -> None:
    (line,) = (line for line in morning() if line.key.endswith("regmod"))
    kept = presence([line.message()] * 60)
    assert differences(kept, kept) == []
    line.content.regmod.tamper_sent = True
    more = presence([replace(line).message()] * 60)
    assert differences(kept, more) == [
        "ingress.event.regmod: regmod.tamper_sent is set in 100%, captured 0%"
    ]


def test_the_command_shows_each_figure() -> None:
    result = CliRunner().invoke(main, ["quickstart", "--count", "500"])
    assert all(row.name in result.output for row in ROWS)
    assert "quickstart: 500 messages" in result.output
