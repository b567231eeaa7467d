"""Emitted messages with fields of a test's choice, and what follows from these."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbsim.catalog import name_of
from cbsim.checks import decode, iter_errors
from cbsim.checks.rules import broken
from cbsim.testing import CbServer, examples
from cbsim.testing.alteration import altered
from cbsim.wire.identity import process_key
from cbsim.wire.sensor_events_pb2 import CbEventMsg

DRAWN = {
    "sensor_id": st.integers(0, 2**31 - 1),
    "hostname": st.text("abcXYZ-09", min_size=1),
    "md5": st.text("0123456789abcdefABCDEF", min_size=32, max_size=32),
    "process_pid": st.integers(0, 2**31 - 1),
    "parent_pid": st.integers(0, 2**31 - 1),
    "watchlist_id": st.integers(0, 10**6),
    "feed_id": st.integers(0, 10**6),
    "feed_name": st.text("abcxyz", min_size=3),
    "segment_id": st.integers(0, 2**31),
    "process_id": st.builds(
        process_key, st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1),
        st.integers(0, 10**15).map(lambda late: 133_000_000_000_000_000 + late * 10_000 % 10**14)),
}  # fmt: skip
EMITTED = [
    (one.name, dialect, one)
    for version, dialect in [("5.2", "observed"), ("7.x", "documented")]
    for one in examples(server=version, dialect=dialect)
]


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_what_tells_the_same_follows(data: st.DataObject) -> None:
    name, dialect, example = data.draw(st.sampled_from(EMITTED))
    told = {*example.fields}.union(*example.fields.get("docs", []))
    raw = name.startswith("ingress.event.")
    names = ["sensor_id", "hostname", "md5"] if raw else [*DRAWN]
    field = data.draw(
        st.sampled_from([one for one in names if raw or one in told or one in names[:3]])
    )
    value = data.draw(DRAWN[field])
    if field == "md5":
        # As given is as given: also in the case that the message does not have it in.
        subjects = [example.fields, *example.fields.get("docs", [])]
        lower = any(str(one.get("md5", "")).islower() for one in subjects)
        value = value.lower() if lower else value.upper()
    sent = altered(name, example.message, {field: value})
    [reading] = decode(sent.body, sent.routing_key, sent.content_type)
    assert name_of(sent.routing_key) == name
    assert [*iter_errors(reading.fields, name, dialect=dialect)] == []
    before, after = broken(example.fields, name), broken(reading.fields, name)
    known = {problem.rule for problem in before} | {"time-order", "hindsight", "time-plausible"}
    assert [problem for problem in after if problem.rule not in known] == []
    if field == "md5" and example.fields.get("md5"):
        old = example.fields["md5"].lower()
        assert old not in sent.body.decode().lower()


@pytest.mark.parametrize(
    ("name", "fields", "where"),
    [
        ("ingress.event.module", {"md5": "aB" * 16}, {"module.md5": "AB" * 16}),
        ("ingress.event.procstart", {"md5": "ab" * 16},
         {"process.md5hash": "ab" * 16, "header.process_md5": "ab" * 16}),
        ("ingress.event.procstart", {"process_pid": 77},
         {"process.pid": 77, "header.process_pid": 77}),
        ("ingress.event.childproc", {"process_guid": 5},
         {"header.process_guid": 5, "childproc.parent_guid": 5}),
        ("ingress.event.filemod", {"filepath_string_guid": 5}, {"strings.0.guid": 5}),
        ("ingress.event.regmod", {"utf8_regpath": "\\registry"},
         {"regmod.utf8_regpath": "\\registry"}),
        ("ingress.event.procstart", {"sha256hash": "ab" * 32}, {"process.sha256hash": "ab" * 32}),
        ("ingress.event.crossprocopen", {"targetPid": 5}, {"crossproc.open.targetPid": 5}),
        ("watchlist.hit.process", {"process_pid": 0x4D0001},
         {"docs.0.unique_id": "0000000?-004d-0001-*", "docs.0.id": "0000000?-004d-0001-*"}),
        ("watchlist.hit.process", {"md5": "AB" * 16}, {"docs.0.process_md5": "ab" * 16}),
        ("watchlist.storage.hit.process", {"watchlist_id": 99},
         {"docs.0.watchlist_99": "*Z", "watchlist_id": 99}),
        ("feed.storage.hit.binary", {"md5": "ab" * 16, "feed_name": "mine"},
         {"md5": "ab" * 16, "docs.0.md5": "ab" * 16, "ioc_value": "ab" * 16,
          "docs.0.alliance_data_mine.0": "ab" * 16}),
        ("alert.watchlist.hit.query.process", {"process_id": process_key(5, 6, 7), "sensor_id": 8},
         {"sensor_id": "8", "process_id": process_key(5, 6, 7)}),
        ("feed.storage.hit.binary", {"hostname": "H", "sensor_id": 5}, {"docs.0.endpoint": "H|5"}),
    ],
)  # fmt: skip
def test_emitted_fields_and_what_follows(
    name: str, fields: dict[str, Any], where: dict[str, Any]
) -> None:
    with CbServer("embedded", server="7.x") as server:
        sent = server.emit(name, **fields)
        # One start in sixteen is told before the sensor knows what was started.
        while name.endswith("procstart") and not CbEventMsg.FromString(sent.body).process.md5hash:
            sent = server.emit(name, **fields)
    if name.startswith("ingress"):
        told: Any = CbEventMsg.FromString(sent.body)
    else:
        told = json.loads(sent.body)
    for path, wanted in where.items():
        found = told
        for step in path.split("."):
            if step.isdigit():
                found = found[int(step)]
            else:
                found = found[step] if isinstance(found, dict) else getattr(found, step)
        if isinstance(found, bytes):
            binary = "hash" in path or path.endswith("process_md5")
            found = found.hex() if binary else found.decode()
        assert found == wanted or fnmatchcase(str(found), str(wanted)), (path, found)
