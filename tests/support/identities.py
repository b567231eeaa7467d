"""Whether the identities of a stream agree: processes, binaries and reports, told in order."""

from __future__ import annotations

from collections import defaultdict

from cbsim.wire.clock import parse_iso_time
from cbsim.wire.identity import parse_process_key, parse_unique_id, process_key, store_path
from cbsim.wire.message import Message
from tests.support.stream import readings

__all__ = ["check_identities", "told"]


def check_identities(stream: list[Message]) -> None:
    assert all(told(stream))


DEEDS = tuple(
    f"ingress.event.{name}"
    for name in ("filemod", "regmod", "moduleload", "netconn", "crossprocopen", "remotethread",
                 "processblock", "emetmitigation", "procend")
)  # fmt: skip


def told(stream: list[Message]) -> tuple[set[str], set[str], set[str]]:
    """Processes that started, binaries stored and reports that hit; asserts that all agree."""
    started: set[str] = set()
    observed: set[str] = set()
    hosts: set[tuple[str, int]] = set()
    groups: set[tuple[str, str]] = set()
    stored: set[str] = set()
    ingress: set[str] = set()
    clocks: defaultdict[int, int] = defaultdict(int)
    for name, fields in readings(stream):
        if name.startswith("ingress.event."):
            sensor = fields["env"]["endpoint"]["SensorId"]
            moment = int(fields["header"]["timestamp"])
            assert moment >= clocks[sensor], "timestamps run backwards within a sensor"
            clocks[sensor] = moment
            if name.endswith("procstart"):
                header = fields["header"]
                started.add(
                    process_key(sensor, header["process_pid"], int(header["process_create_time"]))
                )
            if name in DEEDS:
                header = fields["header"]
                created = int(header["process_create_time"])
                by = process_key(sensor, header["process_pid"], created)
                assert by in started, f"{name} of a process that was not told of"
            guid = fields["header"].get("filepath_string_guid")
            if guid is not None:
                assert guid in {entry["guid"] for entry in fields["strings"]}
        key = fields.get("process_id") or fields.get("process_guid")
        if key is not None:
            assert key in started, f"{name} names a process that was not told of"
        if name == "binaryinfo.observed":
            assert fields["md5"] not in observed
            observed.add(fields["md5"])
        if name == "binaryinfo.host.observed":
            pair = fields["md5"], fields["sensor_id"]
            assert fields["md5"] in observed
            assert pair not in hosts
            hosts.add(pair)
        if name == "binaryinfo.group.observed":
            couple = fields["md5"], fields["group"]
            assert fields["md5"] in {md5 for md5, _ in hosts}
            assert couple not in groups
            groups.add(couple)
        if name == "binarystore.file.added":
            assert fields["md5"] in observed
            assert fields["md5"] not in stored
            assert fields["file_path"] == store_path(fields["md5"])
            stored.add(fields["md5"])
        if name == "feed.ingress.hit.process":
            ingress.add(f"{key}{fields['report_id']}")
        if name == "feed.storage.hit.process":
            assert f"{key}{fields['report_id']}" in ingress
        for document in fields.get("docs", []):
            if "unique_id" in document:
                unique, segment = parse_unique_id(document["unique_id"])
                assert unique == parse_process_key(document.get("id", document["unique_id"][:36]))
                assert segment == document.get("segment_id", segment)
                assert unique.pid == int(document["process_pid"])
                assert parse_iso_time(document["last_update"]) >= parse_iso_time(document["start"])
    return started, stored, ingress
