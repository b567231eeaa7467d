"""The forwarder's tests: every hit, odd ones too, whole runs, and a connection that is cut."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from forwarder import Forwarder, rows
from hypothesis import given

from cbsim.strategies import Odd, odd, watchlist_hit_process

if TYPE_CHECKING:
    from cbsim.testing import CbServer


@given(watchlist_hit_process(dialect="mixed"))
def test_every_hit_becomes_rows(hit: dict[str, list[object]]) -> None:
    assert len(rows(hit)) == len(hit["docs"])


@given(odd(name="watchlist.hit.process"))
def test_odd_hits_are_survived(odd: Odd) -> None:
    rows(json.loads(odd.message.body))


@pytest.mark.parametrize(
    ("bound", "scenario"), [("watchlist.#", "quickstart"), ("api.rawsensordata", "sensor-uploads")]
)
def test_nothing_is_lost(cb_server: CbServer, bound: str, scenario: str) -> None:
    queue = cb_server.queue(bound, name="all", durable=True)
    with Forwarder(cb_server.url, queue.name) as consumer:
        queue.wait_for_consumer()
        cb_server.run(scenario, rate="max", count=500)
        queue.wait_until_drained()
    cb_server.assert_consumed(consumer.output, bound=bound)


@pytest.mark.embedded
def test_what_was_in_hand_comes_again(cb_server: CbServer) -> None:
    queue = cb_server.queue("watchlist.#", "feed.#", name="hits", durable=True)
    cb_server.faults.drop_connection(queue="hits", after_acks=47)
    with Forwarder(cb_server.url, queue.name) as consumer:
        cb_server.run("quickstart", rate="max", count=500)
        queue.wait_until_drained()
    cb_server.assert_consumed(consumer.output, bound=queue.keys)
