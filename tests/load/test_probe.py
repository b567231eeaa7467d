"""One trial of a rate, on a broker: who keeps up, who does not, and by what it shows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from threading import Thread

import pytest

from cbsim.bus.gauge import gauge_of
from cbsim.bus.publisher import Publisher
from cbsim.bus.sink import Relay, Sink
from cbsim.load.probe import GoneError, Prober, Reason
from cbsim.load.watch import Watch
from cbsim.scenario.loader import load
from cbsim.testing import CbServer
from cbsim.wire.message import Message
from tests.support.paced import consuming


class Slow(Relay):
    """A broker that takes 400 messages a second."""

    def publish_many(self, messages: Sequence[Message]) -> None:
        time.sleep(len(messages) / 400)
        super().publish_many(messages)


@contextmanager
def trying(
    seconds: float, *, max_lag: float | None = None, slow: bool = False, bound: str = "#"
) -> Iterator[tuple[Prober, CbServer]]:
    """Trials with a consumer that needs so many seconds for a message."""
    with CbServer("embedded") as server, consuming(server, seconds, bound=bound) as queue:
        gauge = gauge_of(server._broker, [queue.name], [])
        with closing(Publisher(server.url)) as publisher, Watch(gauge) as watch:
            sink: Sink = Slow(publisher) if slow else publisher
            yield Prober(load("steady-state"), sink, watch, queue.name, max_lag), server


def test_a_rate_that_is_kept_up_with_and_one_that_is_not() -> None:
    with trying(0.004) as (prober, _):
        # Where the machine hesitates a few messages wait, now and then.
        assert any(prober.hold(100.0, 1.0).reason is None for _ in range(5))
        grown = prober.hold(350.0, 1.0)
    assert grown.reason is Reason.DEPTH
    # Bounds are wide: a machine with more to do makes consumers slower.
    assert 50 < grown.growth < 250
    assert 100 < grown.consumed < 300


def test_how_fast_a_consumer_is_when_many_wait() -> None:
    with trying(0.002) as (prober, _):
        assert 250 < prober.measure(1500.0) < 560


def test_a_queue_that_takes_long_to_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cbsim.load.probe._STUCK", 2.0)
    with trying(0.001) as (prober, server):
        server.run("steady-state", rate="max", count=200)
        # More comes while it drains, and for some seconds it is above what it was at first.
        late = Thread(
            target=server.run, args=("steady-state",), kwargs={"count": 3500, "rate": "max"}
        )
        late.start()
        prober.drain()
        late.join()
        prober.drain()


def test_a_ramp_ends_where_the_consumer_does() -> None:
    with trying(0.015) as (prober, _):
        probe = prober.ramp(50.0)
    assert probe.reason is Reason.DEPTH
    assert 80 < probe.done < 500


def test_consumers_that_are_too_late() -> None:
    with trying(0.004, max_lag=0.05) as (prober, _):
        assert prober.hold(350.0, 2.0).reason is Reason.LAG


def test_a_part_of_what_is_sent_comes_to_a_queue() -> None:
    with trying(0.001, bound="ingress.event.filemod") as (prober, _):
        share = prober.hold(400.0, 1.5).share
    assert share == pytest.approx(0.36, abs=0.15)


def test_a_broker_that_is_slower_than_the_consumer() -> None:
    with trying(0.0002, slow=True) as (prober, _):
        probe = prober.hold(2000.0, 5.0)
    assert probe.reason is Reason.BROKER
    assert 100 < probe.done < 600


def test_a_publisher_that_is_slower_than_the_consumer() -> None:
    # Next to nothing of what it makes comes to the queue.
    with trying(0.0001, bound="alert.#") as (prober, _):
        probe = prober.hold(1e6, 3.0)
    assert probe.reason in (Reason.PUBLISHER, Reason.BROKER)
    assert probe.done < 1e6


def test_a_consumer_that_goes_meanwhile() -> None:
    with trying(0.004) as (prober, server):
        prober.hold(100.0, 0.5)
        server.channel.queue_delete(server._queues[0])
        with pytest.raises(GoneError, match=r"nobody consumes queue .* any more"):
            prober.hold(100.0, 5.0)
