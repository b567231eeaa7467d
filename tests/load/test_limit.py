"""`find-limit` names the limit of consumers whose limit is known, and says who else is slow."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbsim.bus.gauge import gauge_of
from cbsim.bus.local import Node
from cbsim.bus.provider import Broker, provide
from cbsim.bus.publisher import Publisher
from cbsim.bus.sink import Relay
from cbsim.load.bracket import Bracket
from cbsim.load.limit import Search, find_limit
from cbsim.load.pace import Pace
from cbsim.load.probe import GoneError, Reason
from cbsim.load.trace import Point, growth
from cbsim.load.watch import Watch
from cbsim.scenario.loader import load
from cbsim.testing import CbServer
from cbsim.testing.queue import CbQueue
from cbsim.wire.message import Message
from tests.support.command import cbsim
from tests.support.paced import paced

pytestmark = pytest.mark.timeout(600)

SCENARIO = "steady-state"


@given(limit=st.floats(1, 1e6), guess=st.floats(0.05, 20))
def test_a_bracket_closes_around_the_limit(limit: float, guess: float) -> None:
    bracket, tries = Bracket(limit * guess), 0
    while not bracket.closed:
        rate = bracket.rate()
        assert bracket.low < rate < bracket.high
        bracket.tried(rate, kept=rate <= limit)
        tries += 1
        assert tries < 20
    assert bracket.low <= limit < bracket.high <= bracket.low * 1.05


def test_a_guess_that_is_right_needs_two_trials() -> None:
    bracket = Bracket(1000.0)
    for _ in range(2):
        rate = bracket.rate()
        bracket.tried(rate, kept=rate <= 1000.0)
    assert bracket.closed


def test_what_contradicts_an_earlier_finding_takes_its_place() -> None:
    bracket = Bracket(100.0)
    bracket.tried(100.0, kept=True)
    bracket.tried(100.0, kept=False)
    assert (bracket.low, bracket.high) == (0.0, 100.0)
    bracket.tried(100.0, kept=True)
    assert (bracket.low, bracket.high) == (100.0, inf)


@given(slope=st.floats(-1e4, 1e4), start=st.integers(0, 10**6), count=st.integers(2, 50))
def test_growth_is_the_slope(slope: float, start: int, count: int) -> None:
    points = [Point(at / 10, 0, int(start + slope * at / 10), None, 1, None) for at in range(count)]
    assert growth(points) == pytest.approx(slope, abs=40)


def test_a_pace_counts_what_went_by() -> None:
    pace = Pace([(100.0, 1.0), (200.0, 2.0)])
    pace.begin(50.0)
    assert (pace.asked(50.5), pace.asked(51.5), pace.asked(99.0)) == (100.0, 200.0, 200.0)
    assert pace.done(52.0) == 300.0
    pace.note(52.0, 0.5)
    assert pace.done(52.0) == 200.0
    assert pace.rate == 100.0


@pytest.fixture(params=["embedded", "managed"])
def at(request: pytest.FixtureRequest) -> Iterator[Broker]:
    if request.param == "embedded":
        with provide("embedded") as broker:
            yield broker
    else:
        found: Node = request.getfixturevalue("managed")
        yield Broker(found.url, management=found.management)


@contextmanager
def consuming(
    server: CbServer, seconds: float, *, consumers: int = 1, prefetch: int = 50, deeper: int = 0,
    bound: str = "#",
) -> Iterator[CbQueue]:  # fmt: skip
    """A queue with so many consumers, each of which needs so many seconds for a message."""
    queue = server.queue(bound)
    with ExitStack() as stack:
        for _ in range(consumers):
            stack.enter_context(
                paced(server.url, queue.name, seconds, prefetch=prefetch, deeper=deeper)
            )
        queue.wait_for_consumer(20)
        yield queue


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
    at: Broker, long: bool, request: pytest.FixtureRequest,
    seconds: float, prefetch: int, consumers: int, deeper: int,
) -> None:  # fmt: skip
    shortly = "-1 ms]" if at.own else "5 ms, prefetch 500"
    if not long and shortly not in request.node.name:
        pytest.skip("takes half a minute: --long")
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


def test_a_queue_that_gets_a_part(long: bool) -> None:
    if not long:
        pytest.skip("takes half a minute: --long")
    with CbServer("embedded") as server, consuming(server, 0.005, bound="ingress.event.filemod"
                                                   ) as queue:  # fmt: skip
        found = server.find_limit(SCENARIO, queue, hold=3.0)
    assert found.limit == pytest.approx(200, rel=0.05)
    assert found.share == pytest.approx(0.36, abs=0.1)


def test_the_lag_may_be_the_limit() -> None:
    # What waits for a batch is late, though the queue does not grow.
    with CbServer("embedded") as server, consuming(server, 0.002) as queue:
        found = server.find_limit(SCENARIO, queue, max_lag=0.02, hold=1.0)
    assert found.reason in (Reason.LAG, Reason.DEPTH)
    assert found.limit < 525


def test_a_consumer_that_goes() -> None:
    with CbServer("embedded") as server, consuming(server, 0.001) as queue:
        with paced(server.url, queue.name, 0.001):
            pass
        found = server.find_limit(
            SCENARIO, queue, hold=1.0, tell=lambda said: said.startswith("hold") and gone(server)
        )
    assert found.reason is Reason.CONSUMER
    assert "nobody consumes" in found.why


def gone(server: CbServer) -> None:
    for name in server._queues:
        server.channel.queue_delete(name)


def test_nobody_consumes(at: Broker) -> None:
    expected = r"nobody consumes queue .* after 0.2 s"
    with CbServer(at) as server, pytest.raises(GoneError, match=expected):
        server.find_limit(SCENARIO, server.queue("#"), patience=0.2)


class Slow(Relay):
    """A broker that takes 2,000 messages a second."""

    def publish_many(self, messages: Sequence[Message]) -> None:
        time.sleep(len(messages) / 2000)
        super().publish_many(messages)


def test_a_broker_that_is_slower_than_the_consumer() -> None:
    with provide("embedded") as at, CbServer(at) as server, consuming(server, 0.0002) as queue:
        gauge = gauge_of(at, [queue.name], [])
        with closing(Publisher(at.url)) as publisher, Watch(gauge) as watch:
            search = Search(queue.name, hold=2.0)
            found = find_limit(load(SCENARIO), Slow(publisher), watch, search)
    assert found.reason is Reason.BROKER
    assert found.limit == pytest.approx(1850, rel=0.15)
    assert found.high is None
    assert "the broker took no more than" in found.why


def test_a_publisher_that_is_slower_than_the_consumer() -> None:
    scenario = load(SCENARIO).with_raw("bundles")
    slow = scenario.server.model_copy(update={"bundle": 1})
    wanted = scenario.model_copy(update={"server": slow})
    # What comes to the queue is next to nothing.
    with provide("embedded") as at, CbServer(at) as server, consuming(
        server, 0.0001, bound="alert.#"
    ) as queue:  # fmt: skip
        gauge = gauge_of(at, [queue.name], [])
        with closing(Publisher(at.url)) as publisher, Watch(gauge) as watch:
            found = find_limit(wanted, publisher, watch, Search(queue.name, hold=2.0))
    assert found.reason in (Reason.PUBLISHER, Reason.BROKER)
    assert found.high is None


def ended(url: str, queue: str, *more: str) -> subprocess.CompletedProcess[str]:
    words = ["--queue", queue, "--broker", url, "--hold", "1s", *more]
    return cbsim("find-limit", SCENARIO, *words, timeout=300)


def test_the_command_prints_one_number_and_judges_it(managed: Node) -> None:
    with CbServer(Broker(managed.url), exchanges="server") as server:
        with consuming(server, 0.004) as queue:
            done = ended(managed.url, queue.name, "--format", "json", "--at-least", "5000/s")
            assert done.returncode == 1, done.stderr
            told = json.loads(done.stdout)
            assert told["limit"] == pytest.approx(250, rel=0.1)
            assert told["low"] <= told["limit"] <= told["high"]
            assert told["reason"] == "depth"
            assert "expected 5,000/s or more" in done.stderr.splitlines()[-1]
        done = ended(managed.url, queue.name, "--wait-for-consumer", "0.1s")
        assert done.returncode == 1
        assert "nobody consumes queue" in done.stderr


def test_the_command_says_what_cannot_be(broker: str) -> None:
    assert ended(broker, "nowhere").returncode == 2
    done = ended(broker, "nowhere", "--rate", "5/s")
    assert (done.returncode, done.stderr) == (
        2, "cbsim: --rate with find-limit: the rates are what it tries\n"
    )  # fmt: skip
