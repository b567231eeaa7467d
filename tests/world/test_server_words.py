"""What servers of a version say, and how often: keys, segments, hashes and fields of their own."""

from __future__ import annotations

import base64
from collections import defaultdict
from functools import cache
from typing import Any

import pytest

from cbsim.catalog import DIGSIG_RESULTS, NOTIFICATIONS, RAW_EVENTS, Dialect, ServerVersion, names
from cbsim.errors import ScenarioError
from cbsim.scenario.loader import parse
from cbsim.wire.clock import parse_iso_time
from tests.support.stream import everything, readings, sent

NEWER = (ServerVersion.V6, ServerVersion.V7)
OLDER = (ServerVersion.V4_2, ServerVersion.V5_2)
Fields = dict[str, Any]


@cache
def told(version: ServerVersion, dialect: str = "observed") -> dict[str, list[Fields]]:
    """What a run says, by name."""
    found: dict[str, list[Fields]] = defaultdict(list)
    for name, fields in readings(sent(everything(version, dialect, count=12_000))):
        found[name].append(fields)
    return found


def documents(version: ServerVersion, kind: str) -> list[Fields]:
    return [
        document
        for name, messages in told(version).items()
        if name in NOTIFICATIONS and NOTIFICATIONS[name].document == kind
        for message in messages
        for document in message["docs"]
    ]


@pytest.mark.parametrize("version", ServerVersion)
def test_what_a_version_knows_is_said(version: ServerVersion) -> None:
    assert told(version).keys() == set(names(version))


@pytest.mark.parametrize("version", ServerVersion)
def test_segments_are_numbers_then_times(version: ServerVersion) -> None:
    found = documents(version, "process")
    assert found
    for document in found:
        key, segment = document["unique_id"][:36], document["unique_id"][37:]
        number = int(segment, 16)
        assert document.get("segment_id", number) == number
        if version in OLDER:
            assert len(segment) == 8
            assert number < 1000
        else:
            assert len(segment) == 12
            started = parse_iso_time(document["start"]) // 10_000 - 11_644_473_600_000
            assert started <= number < started + 86_400_000
            assert document["parent_unique_id"].endswith("-000000000001")
        assert document.get("id", key) == key


@pytest.mark.parametrize("version", NEWER)
def test_a_binarys_hash_is_one(version: ServerVersion) -> None:
    said: dict[str, set[str]] = defaultdict(set)
    lacking = 0
    for name, messages in told(version).items():
        if name.startswith(("binaryinfo.", "binarystore.")) or name.endswith(".query.binary"):
            for message in (message for message in messages if "sha256" in message):
                said[message["md5"]].add(message["sha256"])
    for document in (it for it in documents(version, "binary") if "sha256" in it):
        said[document["md5"]].add(document["sha256"])
    for event in told(version)["ingress.event.module"]:
        module = event["module"]
        md5 = base64.b64decode(module["md5"]).decode()
        lacking += "sha256" not in module
        said[md5].add(base64.b64decode(module.get("sha256", "")).hex().upper())
    assert lacking
    assert {len(hashes) for hashes in said.values()} == {1}
    hashes = [*said.values()]
    assert 0 < sum(it == {""} for it in hashes) < len(hashes) / 5


@pytest.mark.parametrize("version", OLDER)
def test_older_servers_have_no_such_hashes(version: ServerVersion) -> None:
    assert not any("sha256" in str(messages) for messages in told(version).values())


@pytest.mark.parametrize("version", ServerVersion)
def test_fields_come_as_often_as_the_catalog_says(version: ServerVersion) -> None:
    for name, messages in told(version).items():
        if name in NOTIFICATIONS:
            entry = NOTIFICATIONS[name]
            groups = [(entry.fields, messages)]
            if entry.document:
                groups.append((entry.documents, [it["docs"][0] for it in messages]))
            for fields, those in groups:
                for field in fields:
                    if field.is_family or not field.observed:
                        continue
                    share = sum(field.name in it for it in those) / len(those)
                    if not version.includes(field.since):
                        assert share == 0, (name, field.name)
                    elif field.required:
                        assert share == 1, (name, field.name)
                    elif field.chance and len(those) > 100:
                        assert share == pytest.approx(field.frequency, abs=0.25), (name, field.name)


@pytest.mark.parametrize("version", ServerVersion)
def test_a_hit_as_data_arrives_says_how_and_where(version: ServerVersion) -> None:
    for name in ("process", "binary"):
        for message in told(version)[f"feed.ingress.hit.{name}"]:
            assert not {"cb_server", "computer_name", "type"} & message.keys()
            later = version is not ServerVersion.V4_2
            assert (isinstance(message.get("from_feed_search"), bool)) == later
            assert ("os_type" in message) == later


def test_what_ran_already_and_was_blocked_is_the_events_own_process() -> None:
    running = 0
    scenario = parse("phases: [{count: 60, rate: max, mix: {ingress.event.processblock: 1}}]")
    for _, event in readings(sent(scenario)):
        header, blocked = event["header"], event["blocked"]
        if "blockedPid" in blocked:
            running += 1
            assert blocked["blockedPid"] == header["process_pid"]
            assert blocked["blockedProcCreateTime"] == header["process_create_time"]
            assert blocked["blockedPath"] == header["process_path"]
            assert blocked["blockedmd5Hash"] == header["process_md5"]
    assert running


def test_scripts_are_told_as_consumers_read_them() -> None:
    scenario = parse("""
    server: {version: 7.x}
    phases: [{count: 2000, rate: 200/s, mix: {ingress.event.filelessscriptload: 1}}]
    """)
    scripts = [it for name, it in readings(sent(scenario)) if name.endswith("scriptload")]
    assert len(scripts) > 1500
    assert sum("fbscriptexe" in event for event in scripts) < len(scripts) / 50


def test_remote_threads_come_as_opens_now_and_then() -> None:
    name = "ingress.event.crossprocopen"
    threads = [("remotethread" in event["crossproc"]) for event in told(ServerVersion.V7)[name]]
    assert 0 < sum(threads) < len(threads) / 5
    assert not any("remotethread" in it["crossproc"] for it in told(ServerVersion.V6)[name])
    assert RAW_EVENTS[name].instead == ("crossproc.remotethread",)


@pytest.mark.parametrize("seed", range(3))
def test_every_result_of_a_signature_is_among_500_binaries(seed: int) -> None:
    scenario = parse(f"""
    seed: {seed}
    phases: [{{count: 6000, rate: 200/s, mix: {{"binaryinfo.*": 1, "watchlist.*.binary": 3}}}}]
    """)
    results: dict[str, str] = {}
    for _, fields in readings(sent(scenario)):
        for document in fields.get("docs", ()):
            results.setdefault(document["md5"], document["digsig_result"])
    first = [*results.values()][:500]
    assert len(first) == 500
    assert {*first} == {*DIGSIG_RESULTS}
    assert first.count("Signed") > 300


def test_the_documented_sensor_may_be_none() -> None:
    hits = told(ServerVersion.V5_2, Dialect.DOCUMENTED)["feed.query.hit.process"]
    sensors = [message["sensor_id"] for message in hits]
    assert 0 < sensors.count(0) < len(sensors)
    assert 0 not in [it["sensor_id"] for it in told(ServerVersion.V5_2)["feed.query.hit.process"]]


@pytest.mark.parametrize("dialect", Dialect)
def test_documents_list_the_watchlists_that_found_them(dialect: Dialect) -> None:
    hits = told(ServerVersion.V7, dialect)["watchlist.hit.binary"]
    listed = [found for hit in hits for it in hit["docs"] for found in it.get("watchlists", ())]
    assert listed
    for found in listed:
        assert found.keys() == {"wid", "value"}
        assert found["wid"].isdigit()


def test_bundles_began_with_a_version() -> None:
    with pytest.raises(ScenarioError, match=r"bundles from 5\.2 on"):
        parse("""
        server: {version: 4.2, raw: bundles}
        phases: [{count: 1, rate: max, mix: {"*": 1}}]
        """)
