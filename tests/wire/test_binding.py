"""What people write for a queue's bindings, and what the queue gets then."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbsim.errors import InputError
from cbsim.wire.binding import Bindings
from cbsim.wire.message import EVENTS_EXCHANGE, RAW_EXCHANGE
from cbsim.wire.topic import Topic

CALLED = {EVENTS_EXCHANGE: "api.events.a1", RAW_EXCHANGE: "api.rawsensordata.a1"}
KEYS = st.lists(st.sampled_from(["watchlist", "hit", "*", "#", "24"]), min_size=1).map(".".join)


@pytest.mark.parametrize(
    ("written", "bound"),
    [
        ("#", [(EVENTS_EXCHANGE, "#"), (RAW_EXCHANGE, "")]),
        ("watchlist.#", [(EVENTS_EXCHANGE, "watchlist.#")]),
        (["feed.#", "feed.#"], [(EVENTS_EXCHANGE, "feed.#")]),
        ("api.rawsensordata", [(RAW_EXCHANGE, "")]),
        ("api.rawsensordata/any", [(RAW_EXCHANGE, "")]),
        ("api.events", [(EVENTS_EXCHANGE, "#")]),
        ("api.events/feed.#", [(EVENTS_EXCHANGE, "feed.#")]),
        (("mine/a.b", "alert.#"), [("mine", "a.b"), (EVENTS_EXCHANGE, "alert.#")]),
        ("mine/", [("mine", "")]),
    ],
)
def test_as_written(written: str | list[str], bound: list[tuple[str, str]]) -> None:
    assert [*Bindings(written)] == bound


@pytest.mark.parametrize("written", ["", [], (), [""]])
def test_nothing_is_no_binding(written: str | list[str]) -> None:
    with pytest.raises(InputError, match="expected"):
        Bindings(written)


def test_the_empty_key_is_of_messages_without_one() -> None:
    bindings = Bindings("api.events/")
    assert bindings.takes(EVENTS_EXCHANGE, "")
    assert not bindings.takes(EVENTS_EXCHANGE, "feed.synchronized")


def test_a_key_without_its_exchange_is_refused() -> None:
    with pytest.raises(InputError, match=r"'/feed\.#': expected KEY, EXCHANGE or EXCHANGE/KEY"):
        Bindings("/feed.#")


@given(KEYS, KEYS)
def test_events_are_taken_by_their_keys(bound: str, sent: str) -> None:
    assert Bindings(bound).takes(EVENTS_EXCHANGE, sent) == Topic([bound]).matches(sent)
    assert Bindings(bound).takes(RAW_EXCHANGE, "") == (bound == "#")
    assert Bindings(f"api.events/{bound}").takes(EVENTS_EXCHANGE, sent) == Topic([bound]).matches(
        sent
    )


@pytest.mark.parametrize("name", ["api.rawsensordata", "api.rawsensordata.a1"])
def test_exchanges_that_are_called_otherwise_may_be_written_either_way(name: str) -> None:
    assert [*Bindings(name, CALLED)] == [("api.rawsensordata.a1", "")]
    assert Bindings(name, CALLED).takes(RAW_EXCHANGE, "")
    assert [*Bindings("feed.#", CALLED)] == [("api.events.a1", "feed.#")]
