"""What people met on servers of their own, and cbsim shall send, is drawn."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from cbsim import strategies as cb
from cbsim.bus.recording import recorded
from cbsim.catalog import NOTIFICATIONS, Shape
from cbsim.profile.shape import form_of
from cbsim.wire.event import decode
from cbsim.wire.message import Message
from cbsim.wire.sensor_events_pb2 import CbEventMsg

PROCESS, BINARY = "watchlist.hit.process", "watchlist.hit.binary"
ALERT = "alert.watchlist.hit.query.process"
QUICKLY = settings(max_examples=2000, database=None, phases=[Phase.generate])

Said = tuple[str, str]
"""A field, as a path, and the shape of its value; times by their being times."""


def said(name: str, message: dict[str, Any]) -> Iterator[Said]:
    """What a message says of the fields that it may have."""
    entry = NOTIFICATIONS[name]
    for before, declared, told in (
        ("", entry.fields, [message]), ("docs.", entry.documents, message.get("docs", ()))
    ):  # fmt: skip
        domains = {field.name: field.domain for field in declared}
        for fields in told:
            for written, value in fields.items():
                field = re.sub(r"^(alliance_[a-z]+)_.+", r"\1_<feed>", written)
                form = form_of(value, domains.get(field))
                yield before + field, form if isinstance(form, Shape) else "time"


@pytest.mark.parametrize(
    ("file", "name", "server"),
    [
        ("03-watchlist.hit.process-7x.json", PROCESS, "7.x"),
        ("25-alert-without-ioc_attr.json", ALERT, "6.x"),
        ("27-alert-6x-extra.json", ALERT, "6.x"),
        ("29-watchlist.hit.binary-7.5.json", BINARY, "7.x"),
        ("31-watchlist.hit.process-6.1-rest-doc.json", PROCESS, "6.x"),
    ],
)
def test_every_field_of_a_case_is_drawn_in_its_shape(
    shared: Path, file: str, name: str, server: str
) -> None:
    drawn: set[Said] = set()

    @settings(max_examples=120, database=None, derandomize=True, phases=[Phase.generate])
    @given(cb.notification(name, server=server))
    def draw(message: dict[str, Any]) -> None:
        drawn.update(said(name, message))

    draw()
    case = json.loads((shared / "cases" / file).read_text())
    assert {*said(name, case)} - drawn == set()


def in_time(document: dict[str, Any]) -> bool:
    """Whether a document's segment is a time, and its unique_id ends in the same."""
    segment, unique_id = int(document["segment_id"]), str(document["unique_id"])
    return segment > 2**32 and unique_id.endswith(f"-{segment:012x}")


@pytest.mark.parametrize(
    ("strategy", "seen"),
    [
        (cb.watchlist_hit_process(server="6.x", docs=1), lambda hit: in_time(hit["docs"][0])),
        (cb.watchlist_hit_process(server="7.x", docs=1),
         lambda hit: hit["docs"][0]["parent_unique_id"].endswith("-000000000001")),
        (cb.alert_watchlist_hit_query_process(server="6.x"), lambda it: "ioc_attr" not in it),
        (cb.watchlist_hit_binary(server="7.x", docs=1),
         lambda hit: any("wid" in it for it in hit["docs"][0].get("watchlists", ()))),
    ],
)  # fmt: skip
def test_what_makes_a_notification_a_case_is_drawn(
    strategy: st.SearchStrategy[dict[str, Any]], seen: Callable[[dict[str, Any]], bool]
) -> None:
    assert seen(find(strategy, seen, settings=QUICKLY))


def remote_thread(event: CbEventMsg) -> bool:
    return event.crossproc.HasField("remotethread")


def without_sha256(event: CbEventMsg) -> bool:
    return event.HasField("module") and not event.module.HasField("sha256")


def ended_without_hash(event: CbEventMsg) -> bool:
    child = event.childproc
    return child.HasField("md5hash") and not (child.created or child.md5hash)


def ended(event: CbEventMsg) -> bool:
    """Whether a child ended, of which the server tells no guid of the parent's."""
    return not (event.childproc.created or event.header.process_guid)


def of_parent_cut(event: CbEventMsg) -> bool:
    return len(event.process.parent_md5) == 12


@pytest.mark.parametrize(
    ("case", "name", "seen"),
    [
        ("33-remotethread-on-crossprocopen.ndjson", "crossprocopen", remote_thread),
        ("34-module-no-sha256.bin", "module", without_sha256),
        ("35-childproc-md5-empty.bin", "childproc", ended_without_hash),
        ("35-childproc-md5-empty.bin", "childproc", ended),
        ("37-process-parent_md5-12-bytes.bin", "procstart", of_parent_cut),
    ],
)
def test_raw_events_of_cases_are_drawn(
    shared: Path, case: str, name: str, seen: Callable[[CbEventMsg], bool]
) -> None:
    path = shared / "cases" / case
    bodies = [path.read_bytes()] if case.endswith(".bin") else [it.body for it in recorded(path)]
    assert all(seen(decode(body)) for body in bodies)
    assert seen(find(cb.raw_event(name, server="7.x"), seen, settings=QUICKLY))


def test_hashes_are_cut_anywhere() -> None:
    """A sensor cuts some at their first NUL byte, which may be any."""
    lengths: set[int] = set()

    @settings(max_examples=200, database=None, derandomize=True, phases=[Phase.generate])
    @given(cb.raw_event("childproc", sparse=False))
    def draw(event: CbEventMsg) -> None:
        lengths.add(len(event.childproc.md5hash))

    draw()
    assert {0, 16} <= lengths <= {*range(17)}
    assert len(lengths) > 8


@settings(max_examples=30)
@given(cb.raw_event("childproc", sparse=False), cb.sequence())
def test_when_a_child_ends_the_header_names_no_guid(
    event: CbEventMsg, story: tuple[Message, ...]
) -> None:
    told = [decode(it.body) for it in story if it.routing_key == "ingress.event.childproc"]
    for child in (event, *told):
        assert child.childproc.created or child.header.process_guid == 0
