"""Each broken message is broken in the way its label says, and in no other."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from cbsim import strategies as cb
from cbsim.catalog import NOTIFICATIONS, Dialect
from cbsim.checks import decode, iter_errors
from cbsim.errors import StrategyError, WireError
from cbsim.strategies import Fault, Malformed
from cbsim.strategies.broken_bundle import BOMB_SIZE
from cbsim.wire import bundle
from cbsim.wire.message import JSON_TYPE, RAW_EXCHANGE, Message

UNREADABLE = {
    Fault.TRUNCATED_JSON, Fault.TRUNCATED_PROTOBUF, Fault.EMPTY_BODY, Fault.NOT_AN_OBJECT,
    Fault.NOT_A_NUMBER, Fault.INVALID_UTF8, Fault.LONE_SURROGATE, Fault.WRONG_LENGTH,
    Fault.CORRUPT_ZIP, Fault.ZIP_BOMB, Fault.DEEP_NESTING,
}  # fmt: skip


def readings(message: Message) -> list[Any]:
    return decode(message.body, message.routing_key, message.content_type, message.headers)


@pytest.mark.parametrize("fault", sorted(UNREADABLE - {Fault.ZIP_BOMB, Fault.DEEP_NESTING}))
@settings(max_examples=25)
@given(data=st.data())
def test_what_cannot_be_read_cannot_be_read(fault: Fault, data: st.DataObject) -> None:
    broken = data.draw(cb.malformed(fault))
    assert broken.fault is fault
    assert broken.detail
    if fault is Fault.EMPTY_BODY and broken.message.content_type != JSON_TYPE:
        assert broken.message.body == b""
    with pytest.raises(WireError):
        readings(broken.message)


@pytest.mark.parametrize("fault", [Fault.ZIP_BOMB, Fault.DEEP_NESTING])
@settings(max_examples=3)
@given(data=st.data())
def test_bombs_are_refused(fault: Fault, data: st.DataObject) -> None:
    broken = data.draw(cb.malformed(fault))
    assert len(broken.message.body) < 2_000_000
    with pytest.raises(WireError):
        readings(broken.message)


def test_a_bomb_is_one_event_of_bounded_size() -> None:
    broken = find(cb.malformed("zip-bomb"), lambda _: True)
    limit = bundle.BUNDLE_LIMIT
    assert limit + 1 == BOMB_SIZE
    assert len(broken.message.body) < limit // 100


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("name", [name for name, it in NOTIFICATIONS.items() if not it.guessed])
@settings(max_examples=10)
@given(data=st.data())
def test_a_wrong_field_is_what_the_schema_refuses(
    name: str, dialect: Dialect, data: st.DataObject
) -> None:
    broken = data.draw(cb.malformed("wrong-type", "missing-field", name=name, dialect=dialect))
    [reading] = readings(broken.message)
    problems = [*iter_errors(reading.fields, name, dialect)]
    assert [it.pointer for it in problems] == [broken.pointer], broken
    assert (problems[0].found == "nothing") == (broken.fault is Fault.MISSING_FIELD)


@settings(max_examples=30)
@given(cb.malformed("duplicate-key"))
def test_a_duplicate_key_comes_twice(broken: Malformed) -> None:
    assert broken.pointer is not None
    pairs = json.loads(broken.message.body, object_pairs_hook=list)
    assert [key for key, _ in pairs].count(broken.pointer[1:]) == 2


@settings(max_examples=30)
@given(cb.malformed("wrong-content-type"))
def test_a_wrong_content_type_is_wrong(broken: Malformed) -> None:
    message = broken.message
    right = "application/json" if message.body[:1] == b"{" else "application/protobuf"
    assert message.content_type != right


@settings(max_examples=3)
@given(cb.malformed("oversized-body"))
def test_an_oversized_body_is_valid_json(broken: Malformed) -> None:
    assert len(broken.message.body) > 4 * 1024 * 1024
    assert len(repr(broken)) < 1000
    json.loads(broken.message.body)


@settings(max_examples=40)
@given(cb.malformed())
def test_any_fault_is_quick_to_read(broken: Malformed) -> None:
    began = time.process_time()
    with suppress(WireError):
        readings(broken.message)
    assert time.process_time() - began < 20
    assert (broken.message.exchange == RAW_EXCHANGE) == (broken.message.routing_key == "")


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        (["truncated"], {}, "'truncated' is no fault"),
        (["zip-bom"], {}, "did you mean 'zip-bomb'"),
        (["zip-bomb"], {"name": "watchlist.hit.process"}, "cannot have the fault zip-bomb"),
        (["wrong-type", "truncated-protobuf"], {"name": "watchlist.hit.process"},
         "cannot have the fault truncated-protobuf"),
        ([], {"dialect": "mixed"}, "expected documented or observed"),
        ([], {"name": "watchlist.hit"}, "unknown notification"),
    ],
)  # fmt: skip
def test_what_cannot_be_broken_so_is_refused(
    arguments: list[Any], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(StrategyError, match=said):
        cb.malformed(*arguments, **options)
