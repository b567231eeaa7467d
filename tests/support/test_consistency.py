"""The checker of consistency: a clean stream passes, and each planted fault is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from click.testing import CliRunner

from cbsim.catalog import NOTIFICATIONS, RAW_EVENTS, ServerVersion
from cbsim.wire import bundle
from cbsim.wire.clock import iso_time
from cbsim.wire.identity import process_key
from cbsim.wire.sensor_events_pb2 import CbEventMsg
from tests.support.consistency import Finding, Terms, findings
from tests.support.consistency.__main__ import main
from tests.support.told_by_hand import (
    BEGAN,
    CHILD,
    EXPLORER,
    MD5,
    NEW,
    Said,
    bundled,
    morning,
    unix,
)

ORDERED = Terms(published=frozenset({*NOTIFICATIONS, *RAW_EVENTS}), ordered=True)
SECOND = 10_000_000


def found(said: list[Said], terms: Terms = ORDERED) -> list[Finding]:
    return findings([line.message() for line in said], terms)


def named(said: list[Said], key: str, number: int = 0) -> Said:
    return [line for line in said if line.key.endswith(key)][number]


def document(said: list[Said], key: str) -> dict[str, object]:
    (first,) = named(said, key).content["docs"]
    assert isinstance(first, dict)
    return first


def move(said: list[Said], key: str, to: int, number: int = 0) -> None:
    """A message comes at another place, and at the moment of the one that was there."""
    line = named(said, key, number)
    said.remove(line)
    said.insert(to, replace(line, at=said[to].at if to < len(said) else said[-1].at))


def test_a_morning_told_by_hand_is_consistent() -> None:
    assert found(morning()) == []
    assert found(unix()) == []
    assert found(bundled(morning()), Terms(ordered=True)) == []


def set_header(key: str, number: int = 0, **values: object) -> Callable[[list[Said]], None]:
    def spoil(said: list[Said]) -> None:
        for name, value in values.items():
            setattr(named(said, key, number).content.header, name, value)

    return spoil


def set_in(key: str, field: str, number: int = 0, **values: object) -> Callable[[list[Said]], None]:
    def spoil(said: list[Said]) -> None:
        for name, value in values.items():
            setattr(getattr(named(said, key, number).content, field), name, value)

    return spoil


def set_field(key: str, number: int = 0, **values: object) -> Callable[[list[Said]], None]:
    def spoil(said: list[Said]) -> None:
        named(said, key, number).content.update(values)

    return spoil


def set_document(key: str, **values: object) -> Callable[[list[Said]], None]:
    def spoil(said: list[Said]) -> None:
        document(said, key).update(values)

    return spoil


def moved(key: str, to: int, number: int = 0) -> Callable[[list[Said]], None]:
    return lambda said: move(said, key, to, number)


def without(key: str, number: int = 0) -> Callable[[list[Said]], None]:
    return lambda said: said.remove(named(said, key, number))


def again(key: str, number: int = 0) -> Callable[[list[Said]], None]:
    return lambda said: said.append(replace(named(said, key, number), at=said[-1].at))


def late(key: str, by: int) -> Callable[[list[Said]], None]:
    """Its event happened so many ticks later, after its message was sent."""

    def spoil(said: list[Said]) -> None:
        named(said, key).content.header.timestamp += by

    return spoil


EXPLORERS_KEY = process_key(7, *EXPLORER[:2])
FAULTS: dict[str, tuple[str, Callable[[list[Said]], None]]] = {
    "a guid of two processes": ("guid", set_header("regmod", process_guid=EXPLORER[2])),
    "a process of two guids": ("guid", set_header("regmod", process_guid=77)),
    "another create time": ("untold", set_header("filemod", process_create_time=CHILD[1] + 1)),
    "an unannounced process": ("untold", without("procstart")),
    "a hit on an unknown process": ("untold", set_field(
        "ingress.hit.process", process_id=process_key(7, 1, BEGAN))),
    "a hit on an unknown binary": ("untold", set_field("16.ingress.hit.binary", md5="CD" * 16)),
    "no process key": ("process-key", set_field("ingress.hit.process", process_id="x" * 36)),
    "another MD5": ("image", set_header("regmod", process_md5=b"z" * 16)),
    "another path": ("image", set_header("regmod", process_path="c:\\x.exe")),
    "a wrong parent guid": ("parent", set_in("procstart", "process", 1, parent_guid=3)),
    "a wrong parent path": ("parent", set_in("procstart", "process", 1, parent_path="c:\\x.exe")),
    "a wrong parent MD5": ("parent", set_in("procstart", "process", 1, parent_md5=b"\x01" * 16)),
    "an unknown parent": ("parent", set_in("procstart", "process", 1, parent_pid=5)),
    "no parent, though seen": ("parent", set_in("procstart", "process", 1, parent_pid=-1)),
    "a start a second time": ("start", again("procstart", 1)),
    "announced, and new": ("start", set_in("procstart", "process", 1, creationobserved=False)),
    "start and childproc apart": ("one-time", late("childproc", -10)),
    "ends apart": ("one-time", late("procend", 10)),
    "childproc of another image": ("childproc", set_in("childproc", "childproc", path="c:\\x.exe")),
    "a start's childproc with a cut MD5": ("childproc", set_in("childproc", "childproc",
                                                               md5hash=b"")),
    "a childproc of another child": ("childproc", set_in("childproc", "childproc", child_guid=8)),
    "childproc of another parent": ("childproc", set_in("childproc", "childproc", parent_guid=8)),
    "an end's childproc with a guid": ("childproc", set_header("childproc", 1,
                                                               process_guid=EXPLORER[2])),
    "a library first": ("own-image-first", late("moduleload", SECOND // 50)),
    "a base module of another path": ("own-image", set_in("moduleload", "modload", 1,
                                                          is_process_base_module=True)),
    "its image with another MD5": ("own-image", set_in("moduleload", "modload",
                                                       md5hash=b"q" * 16)),
    "a deed after the end": ("after-end", moved("regmod", 99)),
    "ends twice": ("end", again("procend")),
    "ends as another's child": ("end", set_in("procend", "process", parent_pid=3)),
    "a deed before the start": ("before-start", set_header("moduleload", timestamp=CHILD[1] - 1)),
    "an event of the future": ("future", late("netconn", SECOND)),
    "a hit of the future": ("future", set_field("ingress.hit.process",
                                                event_timestamp=1_704_067_205.0)),
    "events out of order": ("order", late("netconn", -2 * SECOND // 10)),
    "a key that carries another": ("carries", lambda said: setattr(
        named(said, "regmod"), "key", "ingress.event.filemod")),
    "reaches into nobody": ("target", lambda said: setattr(
        named(said, "crossprocopen").content.crossproc.open, "targetPid", 9)),
    "a target of another image": ("target", lambda said: setattr(
        named(said, "crossprocopen").content.crossproc.open, "targetProcPath", "c:\\x")),
    "observed twice": ("binaryinfo", again("binaryinfo.observed")),
    "a host before observed": ("binaryinfo", moved("binaryinfo.host.observed", 9)),
    "a group before its host": ("binaryinfo", moved("binaryinfo.group.observed", 11)),
    "a host too late": ("binaryinfo", moved("binaryinfo.host.observed", 15)),
    "a group too late": ("binaryinfo", set_field("binaryinfo.group.observed",
                                                 event_timestamp=1_704_067_203.1)),
    "a group that is not the host's": ("binaryinfo", set_field("binaryinfo.group.observed",
                                                               group="Servers")),
    "no group": ("binaryinfo", lambda said: setattr(
        named(said, "binaryinfo.group.observed"), "content",
        {"md5": "CD" * 16, "group": "Servers", "event_timestamp": 1_704_067_203.0})),
    "no module event": ("binaryinfo", set_in("ingress.event.module", "module", md5=b"C" * 32)),
    "stored before observed": ("binaryinfo", moved("binarystore.file.added", 9)),
    "stored elsewhere": ("binarystore", set_field("binarystore.file.added", file_path="/tmp")),
    "stored twice": ("binarystore", again("binarystore.file.added")),
    "a storage hit before its ingress hit": ("turn", moved("14.storage.hit.process", 14)),
    "a storage hit of another report": ("turn", set_field("14.storage.hit.process",
                                                          report_id="TOR-Node-1")),
    "a binary's storage hit first": ("turn", moved("16.storage.hit.binary", 14)),
    "an alert before its hit": ("turn", moved("alert.watchlist.hit.ingress.process", 14)),
    "an alert of no watchlist": ("turn", set_field("alert.watchlist.hit.query.process",
                                                   watchlist_id=9)),
    "a binary's alert before its hit": ("turn", moved("alert.watchlist.hit.query.binary", 23)),
    "synchronized unasked": ("turn", set_field("feed.synchronized", feed_id=15)),
    "Autoruns without a Run key": ("cause", set_in("regmod", "regmod",
                                                   utf8_regpath=b"\\registry\\machine\\x")),
    "a port that was not connected to": ("cause", set_in("netconn", "network", remotePort=1)),
    "an address that was not": ("cause", set_field("ingress.hit.process", ioc_value="192.0.2.1")),
    "another binary's MD5": ("cause", set_field("16.ingress.hit.binary", ioc_value="0" * 32)),
    "a signed binary": ("cause", set_document("watchlist.storage.hit.binary",
                                              digsig_result="Signed")),
    "a query that does not match": ("cause", set_field(
        "query.hit.process", ioc_value="cb.urlver=1&q=process_name%3Acalc.exe")),
    "an unknown watchlist": ("watchlist", set_field("watchlist.hit.process",
                                                    watchlist_name="Anything")),
    "a count too high": ("counts", set_document("watchlist.hit.process", modload_count=3)),
    "a count too low": ("counts", set_document("watchlist.hit.process", filemod_count=0)),
    "an alert's count": ("counts", set_field("alert.watchlist.hit.ingress.process",
                                             modload_count="7")),
    "a host too many": ("counts", set_document("watchlist.storage.hit.binary", host_count=2)),
    "last_update of no event": ("last-update", set_document(
        "watchlist.hit.process", last_update=iso_time(BEGAN + 4 * SECOND))),
    "last_update after the hit": ("hindsight", set_document(
        "watchlist.hit.process", last_update=iso_time(BEGAN + 40 * SECOND))),
    "last_seen after the hit": ("hindsight", set_document(
        "watchlist.storage.hit.binary", last_seen=iso_time(BEGAN + 40 * SECOND))),
    "another MD5's report": ("alliance", set_document(
        "16.storage.hit.binary", alliance_data_virustotal=["Binary_" + "C" * 32])),
    "a report that never hit": ("alliance", set_document("14.storage.hit.process",
                                                         alliance_data_tor=["TOR-Node-1"])),
    "a feed of this minute": ("alliance", set_document(
        "14.storage.hit.process", alliance_updated_tor=iso_time(BEGAN))),
    "a mark of this moment": ("watchlist-age", set_document(
        "watchlist.storage.hit.process", watchlist_8=iso_time(BEGAN + 21 * SECOND))),
    "twelve digits of a segment": ("segment", set_document(
        "watchlist.hit.process", unique_id=process_key(7, *CHILD[:2]) + "-000000000001")),
    "another segment": ("segment", set_document("watchlist.hit.process", segment_id=2)),
    "a document of another MD5": ("document-md5", set_document("16.storage.hit.binary",
                                                               md5="CD" * 16)),
    "a document of another path": ("document", set_document("watchlist.hit.process",
                                                            path="c:\\x")),
    "another parent in a document": ("document", set_document("watchlist.hit.process",
                                                              parent_id=5)),
    "another command line": ("document", set_document("watchlist.hit.process", cmdline="x")),
    "a sensor of two names": ("sensor-facts", set_field("ingress.hit.process", hostname="X")),
    "moments that go back": ("moments", lambda said: setattr(said[3], "at", BEGAN)),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str) -> None:
    rule, spoil = FAULTS[fault]
    said = morning()
    spoil(said)
    assert rule in {finding.rule for finding in found(said)}


def test_disorder_is_no_fault_where_it_was_asked_for() -> None:
    said = morning()
    move(said, "moduleload", 8, 1)
    assert {finding.rule for finding in found(said)} == {"order"}
    assert found(said, replace(ORDERED, ordered=False)) == []


def test_a_suppressed_process_does_nothing() -> None:
    said = morning()
    third = named(said, "childproc", 1)
    third.content.childproc.suppressed.bIsSuppressed = True
    assert "suppressed" in {finding.rule for finding in found(said)}


def test_a_fork_shares_its_parents_guid_and_is_told_of_first() -> None:
    said = unix()
    named(said, "childproc").content.childproc.child_guid = 5
    assert [finding.rule for finding in found(said)] == ["fork"]
    said = unix()
    named(said, "filemod").content.header.fork_pid = 72
    assert [finding.rule for finding in found(said)] == ["fork"]
    said = unix()
    named(said, "procstart", 1).content.process.pid = 70
    assert [finding.rule for finding in found(said)] == ["start"]


def test_two_running_processes_have_two_pids() -> None:
    said = morning()
    twin = CbEventMsg.FromString(named(said, "procstart").content.SerializeToString())
    twin.header.process_create_time -= 1
    twin.header.process_guid = 5
    said.insert(1, Said(said[1].at, "ingress.event.procstart", twin))
    assert [finding.rule for finding in found(said)] == ["pid"]


def test_a_process_that_ran_before_may_have_done_more() -> None:
    said = morning()
    start = named(said, "procstart", 1).content
    for line in said:
        if isinstance(line.content, CbEventMsg) and line.content.header.process_pid == CHILD[0]:
            line.content.header.process_create_time -= 100 * SECOND
    start.process.creationobserved = False
    said = [line for line in said if line.key.startswith("ingress.") and line.key not in
            ("ingress.event.childproc", "ingress.event.procend")]  # fmt: skip
    key = process_key(7, CHILD[0], CHILD[1] - 100 * SECOND)
    hit = {"watchlist_id": 8, "watchlist_name": "Autoruns", "process_id": key}

    def counted(count: int, at: int) -> Said:
        content = {**hit, "docs": [{"unique_id": f"{key}-00000001", "filemod_count": count}]}
        return Said(BEGAN + at * SECOND, "watchlist.hit.process", content)

    assert found([*said, counted(40, 100), counted(40, 101)]) == []
    assert [it.rule for it in found([*said, counted(40, 100), counted(42, 101)])] == ["counts"]


@pytest.mark.parametrize("version", [ServerVersion.V6, ServerVersion.V7])
def test_later_servers_write_a_segment_as_the_time_it_began(version: ServerVersion) -> None:
    key, at = process_key(7, *CHILD[:2]), 1_704_067_202_000
    said = morning()
    said = [line for line in said if "storage.hit.p" not in line.key and "query" not in line.key]
    document(said, "watchlist.hit.process").update(
        unique_id=f"{key}-{at:012x}", segment_id=at, parent_id=EXPLORERS_KEY,
        parent_unique_id=f"{EXPLORERS_KEY}-000000000001",
    )  # fmt: skip
    terms = Terms(version, ordered=True)
    assert found(said, terms) == []
    document(said, "watchlist.hit.process").update(unique_id=f"{key}-{at + 99_999:012x}")
    assert {finding.rule for finding in found(said, terms)} == {"segment"}
    document(said, "watchlist.hit.process").update(unique_id=f"{key}-{1:012x}", segment_id=1)
    assert {finding.rule for finding in found(said, terms)} == {"segment"}


def test_a_bundle_is_its_sensors_and_its_events_come_by_themselves_too() -> None:
    said = [line for line in morning() if isinstance(line.content, CbEventMsg)]
    (upload,) = bundled(said)
    both = Terms(both=True, ordered=True)
    assert found([*said, upload], both) == []
    assert {it.rule for it in found([*said[1:], upload], both)} >= {"bundle"}
    headed = replace(upload, headers={"sensorId": 8, "sensorHostName": "X"})
    assert {it.rule for it in found([*said, headed], both)} == {"bundle"}
    whole = replace(upload, content=bundle.join([said[0].content.SerializeToString()]))
    assert {it.rule for it in found([whole])} == {"bundle"}


def test_what_is_not_said_at_all_is_not_missed() -> None:
    said = [line for line in morning() if not line.key.startswith("ingress.event.proc")]
    said = [line for line in said if "netconn" not in line.key and "regmod" not in line.key]
    assert found(said, Terms()) == []
    assert {finding.rule for finding in found(said)} == {"untold", "target"}


def test_a_finding_is_a_sentence() -> None:
    assert str(Finding(3, "order", "sensor 7: late")) == "message 3: order: sensor 7: late"
    said = morning()
    document(said, "watchlist.hit.process").update(process_md5=MD5[::-1], md5=NEW)
    (only,) = found(said)
    assert "process_md5" in only.sentence


def test_the_command_counts_what_it_finds_by_rule() -> None:
    result = CliRunner().invoke(main, ["quickstart", "--count", "300"])
    assert "quickstart: 300 messages" in result.output
    assert result.exit_code in (0, 1)
