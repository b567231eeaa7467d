"""Subscribers bind as those of the field do, and get what they expect of each server version."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cbsim.bus.publisher import Publisher, Topology, declare
from cbsim.catalog import ServerVersion
from cbsim.scenario.loader import parse
from cbsim.scenario.model import Scenario
from cbsim.scenario.runner import run
from cbsim.scenario.stream import FIXED_START, messages
from cbsim.wire.message import EVENTS_EXCHANGE
from tests.support.amqp import Amqp
from tests.support.arrival import drain

WATCHLIST, EXACT = "watchlist.hit.#", "watchlist.hit.process"
STORAGE, EVERYTHING = "feed.*.storage.hit.process", "#"


def scenario(version: ServerVersion, *, watchlist_ids: bool = False) -> Scenario:
    return parse(f"""
    server: {{version: {version}, watchlist_ids: {str(watchlist_ids).lower()},
      latency: {{store: 0.1, storage: 0.2, watchlist: 0.4, query: 0.6}}}}
    estate: {{sensors: 10}}
    phases: [{{count: 900, rate: 300/s, cover: true, mix: {{"watchlist.*": 5, "feed.*": 5,
      "binaryinfo.*": 1, ingress.event.filemod: 1}}}}]
    """)


@pytest.fixture
def amqp(broker: str) -> Iterator[Amqp]:
    with Amqp(broker) as amqp:
        yield amqp


def received(amqp: Amqp, of: Scenario) -> dict[str, list[str]]:
    """The routing keys that each binding got of a run."""
    channel = amqp.channel()
    declare(channel, Topology(), amqp.url)
    queues = {}
    for binding in (WATCHLIST, EXACT, STORAGE, EVERYTHING):
        queues[binding] = amqp.queue(channel)
        channel.queue_bind(queues[binding], EVENTS_EXCHANGE, binding)
    publisher = Publisher(amqp.url)
    report = run(of, publisher, FIXED_START)
    publisher.close()
    assert report.confirmed == 900
    return {
        binding: [message.routing_key for message in drain(channel, queue)]
        for binding, queue in queues.items()
    }


@pytest.mark.parametrize("version", ServerVersion)
def test_common_subscribers_get_their_messages(amqp: Amqp, version: ServerVersion) -> None:
    of = scenario(version)
    sent = [(name, message.routing_key) for _, message, name, _ in messages(of, FIXED_START)]
    got = received(amqp, of)
    assert got[EVERYTHING] == [key for _, key in sent]
    watchlist = [key for name, key in sent if name.startswith("watchlist.hit.")]
    assert len(watchlist) > 20
    assert got[WATCHLIST] == watchlist
    assert got[EXACT] == [key for name, key in sent if name == EXACT]
    assert {*got[EXACT]} == {EXACT}
    storage = [key for name, key in sent if name == "feed.storage.hit.process"]
    assert storage
    # Before 5.2 no key has a feed's id.
    assert got[STORAGE] == (storage if version.feed_id_in_key else [])


def test_an_option_puts_the_watchlists_id_there(amqp: Amqp) -> None:
    of = scenario(ServerVersion.V5_2, watchlist_ids=True)
    got = received(amqp, of)
    assert got[EXACT] == got[WATCHLIST] == []
    keys = [key for key in got[EVERYTHING] if key.startswith("watchlist.")]
    assert keys
    assert all(key.split(".")[1].isdigit() for key in keys)
