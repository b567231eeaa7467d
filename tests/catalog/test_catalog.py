from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbsim.catalog import (
    NOTIFICATIONS,
    RAW_EVENTS,
    Dialect,
    ServerVersion,
    Shape,
    lookup,
    name_of,
    names,
    parse_broadcast,
    routing_key,
)
from cbsim.catalog.tables import DOCUMENTS, MESSAGES
from cbsim.errors import CatalogError

FORWARDED = "feed.ingress.hit.process"
"""The one capture under this name is a forwarder's line, and no message of the bus."""
MISPRINTS = {"in32": "int32", "legal_trademarkt": "legal_trademark"}


def tables(text: str) -> dict[tuple[str, int], list[tuple[str, str, str]]]:
    """The specification's tables: (notification, 1 for message or 2 for document) to rows."""
    found: dict[tuple[str, int], list[tuple[str, str, str]]] = {}
    name, number, reading = "", 0, False
    for line in map(str.strip, text.splitlines()):
        if match := re.match(r"Name: (\S+)", line):
            name, number = match[1], 0
        elif line == "name type description":
            number, reading = number + 1, True
        elif not line:
            reading = False
        elif reading:
            field, kind, meaning = line.split(" ", 2)
            row = (MISPRINTS.get(field, field), MISPRINTS.get(kind, kind), meaning)
            found.setdefault((name, number), []).append(row)
    return found


def test_tables_are_the_specifications(shared: Path) -> None:
    spec = tables((shared / "spec" / "cb-server-api.txt").read_text())
    assert len(spec) == 18
    for (name, number), rows in spec.items():
        ours = (MESSAGES if number == 1 else DOCUMENTS)[name]
        # The row `sensor_id string` beside `sensor_id int32` is a misprint of one notification.
        rows = [row for row in rows if row[:2] != ("sensor_id", "string")]
        assert [(row.name, row.type) for row in ours] == [row[:2] for row in rows], name
        for row, theirs in zip(ours, rows, strict=True):
            assert row.meaning.startswith(theirs[2].rstrip(".")), (name, row.name)


def test_every_captured_field_is_declared_with_its_shape(shared: Path) -> None:
    facts = json.loads((shared / "wire" / "presence.json").read_text())["json"]
    kinds = {
        "string": {Shape.STRING, Shape.DIGITS, Shape.TRUTH, Shape.JSON, Shape.DISPLAY,
                   Shape.SECONDS, Shape.TRIMMED, Shape.MICROS},
        "number": {Shape.NUMBER}, "integer": {Shape.INTEGER, Shape.NUMBER},
        "boolean": {Shape.BOOLEAN}, "object": {Shape.OBJECT, Shape.TEXTS},
        "array": {Shape.ARRAY}, "null": {Shape.NULL},
    }  # fmt: skip
    for name, seen in facts.items():
        if name == FORWARDED:
            continue
        groups = [(seen["fields"], NOTIFICATIONS[name].fields)]
        if "docs" in seen:
            groups.append((seen["docs"]["fields"], NOTIFICATIONS[name].documents))
        for captured, fields in groups:
            declared: dict[str, set[Shape]] = {}
            for field in fields:
                key = field.name.partition("<")[0] if field.is_family else field.name
                declared.setdefault(key, set()).update(field.shapes(Dialect.OBSERVED))
            for field_name, shapes in captured.items():
                family = re.sub(r"^((?:alliance_[a-z]+|watchlist)_).*", r"\1", field_name)
                known = declared.get(field_name) or declared[family]
                for shape in shapes:
                    assert kinds[shape] & known, (name, field_name, shape)


def test_captured_raw_presence_is_declared(shared: Path) -> None:
    facts = json.loads((shared / "wire" / "presence.json").read_text())["protobuf"]
    for name, seen in facts.items():
        declared = dict(RAW_EVENTS[name].presence)
        assert declared.keys() == seen["set_in"].keys(), name
        for path, often in seen["set_in"].items():
            assert declared[path] == pytest.approx(often, abs=0.03), (name, path)


def test_the_twelve_documented_notifications() -> None:
    documented = [it for it in NOTIFICATIONS.values() if it.section is not None]
    assert len(documented) == 12
    assert all(it.in_version(version) for it in documented for version in ServerVersion)


@pytest.mark.parametrize("version", ServerVersion)
def test_routing_keys_lead_back_to_their_names(version: ServerVersion) -> None:
    for name in names(version):
        entry = lookup(name)
        key = name if name in RAW_EVENTS else routing_key(NOTIFICATIONS[name], version, 24)
        assert name_of(key) == entry.name
        assert ("24" in key) == (
            version is not ServerVersion.V4_2
            and name.startswith("feed.")
            and name != "feed.synchronized"
        )


@pytest.mark.parametrize("version", ServerVersion)
def test_watchlists_are_in_keys_only_where_that_is_asked_for(version: ServerVersion) -> None:
    for name in (name for name in names(version) if name.startswith("watchlist.")):
        entry = NOTIFICATIONS[name]
        assert routing_key(entry, version, 12) == name
        key = routing_key(entry, version, 12, watchlist_ids=True)
        assert key == (name if version is ServerVersion.V4_2 else name.replace(".", ".12.", 1))
        assert name_of(key) == name


def test_versions_decide_what_is_sent() -> None:
    assert "ingress.event.process" in names(ServerVersion.V4_2)
    assert "ingress.event.procstart" not in names(ServerVersion.V4_2)
    assert "ingress.event.procstart" in names(ServerVersion.V5_2)
    assert "ingress.event.filelessscriptload" not in names(ServerVersion.V6)
    assert "ingress.event.filelessscriptload" in names(ServerVersion.V7)


@pytest.mark.parametrize(
    ("text", "expected"), [("5.2", "5.2"), ("6.x", "6.x"), ("6.3.1", "6.x"), ("7.5", "7.x")]
)
def test_parse_version(text: str, expected: str) -> None:
    assert ServerVersion.parse(text) == expected


@given(st.text(max_size=6).filter(lambda text: text.strip()[:1] not in tuple("4567")))
def test_parse_version_refuses_in_a_sentence(text: str) -> None:
    with pytest.raises(CatalogError, match=r"expected one of 4\.2, 5\.2, 6\.x, 7\.x"):
        ServerVersion.parse(text)


@pytest.mark.parametrize(
    ("broadcast", "exported"),
    [
        ("", set()),
        ("netconn", {"netconn"}),
        ("process", {"procstart", "procend", "childproc"}),
        ("moduleload,moduleinfo", {"moduleload", "module"}),
    ],
)
def test_broadcast_selects_raw_events(broadcast: str, exported: set[str]) -> None:
    types = parse_broadcast(broadcast)
    selected = {
        name.rpartition(".")[2]
        for name in names(ServerVersion.V5_2)
        if name in RAW_EVENTS and RAW_EVENTS[name].selected_by(types)
    }
    assert selected == exported
    assert all(event.selected_by(parse_broadcast("*")) for event in RAW_EVENTS.values())


@pytest.mark.parametrize("text", ["netcon", "process, netconn", "*,", " "])
def test_broadcast_refuses(text: str) -> None:
    with pytest.raises(CatalogError, match="DatastoreBroadcastEventTypes: unknown type"):
        parse_broadcast(text)


def test_unknown_name_gets_a_hint() -> None:
    with pytest.raises(CatalogError, match=r"did you mean watchlist\.hit\.process"):
        lookup("watchlist.hit.proces")
