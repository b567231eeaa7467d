"""Odd messages are legal, and odd in the one way that their label says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from cbsim import strategies as cb
from cbsim.catalog import NOTIFICATIONS, RAW_EVENTS, Dialect, lookup, name_of
from cbsim.checks import decode, iter_errors
from cbsim.errors import CatalogError, StrategyError
from cbsim.strategies import Odd, Oddity
from cbsim.wire.message import Message


def fields_of(message: Message) -> dict[str, Any]:
    [reading] = decode(message.body, message.routing_key, message.content_type)
    return reading.fields


def pointed(fields: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        fields = fields[int(step)] if isinstance(fields, list) else fields[step]
    return fields


@pytest.mark.parametrize("dialect", Dialect)
@settings(max_examples=40)
@given(data=st.data())
def test_no_documents(dialect: Dialect, data: st.DataObject) -> None:
    odd = data.draw(cb.odd("empty-docs", dialect=dialect))
    fields = fields_of(odd.message)
    assert fields["docs"] == []
    # Nothing else of it is odd.
    found = iter_errors(fields, name_of(odd.message.routing_key), dialect)
    assert [one.pointer for one in found] == ["/docs"] == [odd.pointer]


@settings(max_examples=60)
@given(cb.odd("unknown-field"))
def test_an_unknown_field_is_no_mistake(odd: Odd) -> None:
    name = name_of(odd.message.routing_key)
    fields = fields_of(odd.message)
    assert [*iter_errors(fields, name)] == []
    assert (odd.pointer is None) == (name in RAW_EVENTS)
    if odd.pointer is not None:
        assert odd.pointer[1:] in fields


@settings(max_examples=30)
@given(cb.odd("unknown-field", name="watchlist.hit.process", dialect="documented"))
def test_an_unknown_field_is_wrong_where_the_tables_count(odd: Odd) -> None:
    problems = [*iter_errors(fields_of(odd.message), "watchlist.hit.process", "documented")]
    assert {one.pointer for one in problems} == {odd.pointer}


@settings(max_examples=60)
@given(cb.odd("unknown-routing-key"))
def test_an_unknown_routing_key_is_unknown(odd: Odd) -> None:
    with pytest.raises(CatalogError):
        name_of(odd.message.routing_key)
    # Those who bind a family get it.
    assert odd.message.routing_key.partition(".")[0] in {
        name.partition(".")[0] for name in (*NOTIFICATIONS, *RAW_EVENTS)
    }


@settings(max_examples=60)
@given(cb.odd("null"))
def test_a_null_stands_where_a_field_may_be_left_out(odd: Odd) -> None:
    fields = fields_of(odd.message)
    assert odd.pointer is not None
    assert pointed(fields, odd.pointer) is None
    head, _, last = odd.pointer.rpartition("/")
    del pointed(fields, head)[last]
    entry = lookup(name_of(odd.message.routing_key))
    assert [*iter_errors(fields, entry.name)] == []


@pytest.mark.parametrize("oddity", Oddity)
def test_a_label_says_what_is_odd(oddity: Oddity) -> None:
    odd = find(cb.odd(oddity), lambda _: True)
    assert odd.oddity is oddity
    assert f"{oddity}: " in str(odd)
    assert repr(odd).startswith("<odd")


def test_of_a_name_what_it_can_be() -> None:
    seen = {odd.oddity for odd in drawn(cb.odd(name="ingress.event.netconn"), 60)}
    assert seen == {Oddity.UNKNOWN_FIELD, Oddity.UNKNOWN_ROUTING_KEY}
    assert {odd.oddity for odd in drawn(cb.odd(), 100)} == {*Oddity}


def drawn(strategy: st.SearchStrategy[Odd], count: int) -> list[Odd]:
    found: list[Odd] = []

    @settings(max_examples=count, derandomize=True, database=None)
    @given(strategy)
    def collect(odd: Odd) -> None:
        found.append(odd)

    collect()
    return found


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        (["empty-doc"], {}, "'empty-doc' is no oddity: did you mean 'empty-docs'"),
        (["empty-docs"], {"name": "binaryinfo.observed"}, "cannot have the oddity empty-docs"),
        (["null"], {"name": "ingress.event.netconn"}, "cannot have the oddity null"),
        ([], {"dialect": "mixed"}, "expected documented or observed"),
        ([], {"name": "watchlist.hit"}, "unknown notification"),
    ],
)
def test_what_cannot_be_odd_so_is_refused(
    arguments: list[Any], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(StrategyError, match=said):
        cb.odd(*arguments, **options)


@settings(max_examples=20)
@given(data=st.data())
@pytest.mark.parametrize("name", [one.name for one in NOTIFICATIONS.values() if one.document])
def test_there_may_be_no_documents_where_it_is_asked_for(name: str, data: st.DataObject) -> None:
    strategy = getattr(cb, name.replace(".", "_"))
    assert data.draw(strategy(docs=0))["docs"] == []
    assert len(data.draw(strategy(docs=(0, 2)))["docs"]) <= 2
    assert json.loads(data.draw(cb.message(name, docs=0)).body)["docs"] == []
