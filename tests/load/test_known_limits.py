"""`find-limit` names the limit of consumers whose limit is known: half a minute each, `--long`."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cbsim.bus.local import Node
from cbsim.bus.provider import Broker, provide
from cbsim.load.probe import Reason
from cbsim.testing import CbServer
from tests.support.command import cbsim
from tests.support.paced import consuming

pytestmark = pytest.mark.timeout(600)

SCENARIO = "steady-state"


@pytest.fixture(params=["embedded", "managed"])
def at(long: bool, request: pytest.FixtureRequest) -> Iterator[Broker]:
    if not long:
        pytest.skip("takes half a minute: --long")
    if request.param == "embedded":
        with provide("embedded") as broker:
            yield broker
    else:
        found: Node = request.getfixturevalue("managed")
        yield Broker(found.url, management=found.management)


CONSUMERS = [
    pytest.param(0.001, 50, 1, 0, id="1 ms"),
    pytest.param(0.005, 500, 1, 0, id="5 ms, prefetch 500"),
    pytest.param(0.0005, 1, 1, 0, id="half a ms, prefetch 1"),
    pytest.param(0.0005, 500, 1, 0, id="half a ms, prefetch 500"),
    pytest.param(0.001, 1, 1, 0, id="1 ms, prefetch 1"),
    pytest.param(0.002, 50, 2, 0, id="two of 2 ms"),
    pytest.param(0.001, 50, 1, 20_000, id="slower when more wait"),
]


@pytest.mark.parametrize(("seconds", "prefetch", "consumers", "deeper"), CONSUMERS)
def test_the_limit_of_a_consumer(
    at: Broker, seconds: float, prefetch: int, consumers: int, deeper: int
) -> None:
    with (
        CbServer(at) as server,
        consuming(server, seconds, consumers=consumers, prefetch=prefetch, deeper=deeper) as queue,
    ):
        said: list[str] = []
        found = server.find_limit(SCENARIO, queue, hold=3.0, tell=said.append)
    assert found.reason is Reason.DEPTH, (found, said)
    assert found.limit == pytest.approx(consumers / seconds, rel=0.05), (found, said)
    assert found.high is not None
    assert found.low <= found.limit <= found.high <= found.low * 1.05


def test_a_queue_that_gets_a_part(at: Broker) -> None:
    bound = "ingress.event.filemod"
    with CbServer(at) as server, consuming(server, 0.005, bound=bound) as queue:
        found = server.find_limit(SCENARIO, queue, hold=3.0)
    assert found.limit == pytest.approx(200, rel=0.05)
    assert found.share == pytest.approx(0.36, abs=0.1)


def test_the_command(at: Broker) -> None:
    with CbServer(at, exchanges="server") as server, consuming(server, 0.004) as queue:
        words = ["--queue", queue.name, "--broker", at.url, "--format", "json"]
        done = cbsim("find-limit", SCENARIO, *words, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["limit"] == pytest.approx(250, rel=0.05), done.stderr
