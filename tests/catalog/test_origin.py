"""Where fields are said to be known from is where they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cbsim.catalog import NOTIFICATIONS, RAW_EVENTS, Origin, ServerVersion
from tests.support.specification import examples
from tests.support.stream import everything, readings, sent

FORWARDED = "feed.ingress.hit.process"
"""The one capture under this name is a forwarder's line, and no message of the bus."""


def family(name: str) -> str:
    """A field's name, or the pattern that stands for it."""
    name = re.sub(r"^(alliance_[a-z]+)_.+", r"\1_<feed>", name)
    return re.sub(r"^watchlist_\d+$", "watchlist_<id>", name)


def told(name: str, origin: Origin) -> tuple[set[str], set[str]]:
    """The fields of a message and of its documents that are said to be known so."""
    entry = NOTIFICATIONS[name]
    fields, documents = (
        {field.name for field in fields if origin in field.origins}
        for fields in (entry.fields, entry.documents)
    )
    return fields, documents


def test_examples_are_the_specifications(shared: Path) -> None:
    seen = {}
    for name, text in examples((shared / "spec" / "cb-server-api.txt").read_text()):
        message = json.loads(re.sub(r'(["\d}])[ \t]*\n(\s*")', r"\1,\n\2", text))
        documents = {field for document in message.get("docs", []) for field in document}
        seen[name] = {*map(family, message)}, {*map(family, documents)}
    assert {name: told(name, Origin.EXAMPLE) for name in seen} == seen
    for name in NOTIFICATIONS.keys() - seen.keys():
        assert told(name, Origin.EXAMPLE) == (set(), set())


def test_captures_are_what_was_captured(shared: Path) -> None:
    facts = json.loads((shared / "wire" / "presence.json").read_text())["json"]
    del facts[FORWARDED]
    seen = {
        name: ({*fact["fields"]}, {*map(family, fact.get("docs", {}).get("fields", ()))})
        for name, fact in facts.items()
    }
    assert {name: told(name, Origin.CAPTURE) for name in seen} == seen
    for name in NOTIFICATIONS.keys() - seen.keys():
        assert told(name, Origin.CAPTURE) == (set(), set())


@pytest.mark.parametrize("name", NOTIFICATIONS)
def test_every_field_is_known_from_somewhere(name: str) -> None:
    entry = NOTIFICATIONS[name]
    for field in (*entry.fields, *entry.documents):
        assert field.origins
        assert (Origin.TABLE in field.origins) == (field.table_type is not None)
        assert not {Origin.GUESS, Origin.SAMPLE} & {*field.origins} or len(field.origins) == 1
        assert all(origin in field.source for origin in field.origins)
    guesses = [field for field in entry.fields if field.origins == (Origin.GUESS,)]
    assert not entry.guessed or (guesses == [*entry.fields] and entry.note)


def test_a_script_from_a_file_is_unconfirmed() -> None:
    entry = RAW_EVENTS["ingress.event.filelessscriptload"]
    assert entry.unconfirmed == ("fbscriptexe",)
    assert "not known" in str(entry.note)
    assert not any(it.unconfirmed for it in RAW_EVENTS.values() if it is not entry)


@pytest.mark.parametrize("version", ServerVersion)
def test_every_raw_field_that_is_sent_is_known_from_somewhere(version: ServerVersion) -> None:
    for name, fields in readings(sent(everything(version))):
        if name in RAW_EVENTS:
            entry = RAW_EVENTS[name]
            known = {*dict(entry.presence), *(field.path for field in entry.uncaptured)}
            for path in paths(fields):
                assert {path, *outer(path)} & known, (name, path)


def paths(fields: dict[str, Any], before: str = "") -> Iterator[str]:
    for name, value in fields.items():
        inner = value[0] if isinstance(value, list) else value
        if isinstance(inner, dict):
            yield from paths(inner, f"{before}{name}.")
        else:
            yield before + name


def outer(path: str) -> Iterator[str]:
    while path := path.rpartition(".")[0]:
        yield path
