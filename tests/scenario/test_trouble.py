"""Faults of the broker that a scenario asks for: at their moment, told, and survived."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cbsim.bus.embedded import EmbeddedBroker
from cbsim.bus.provider import provide
from cbsim.bus.publisher import Publisher, Topology
from cbsim.bus.sink import NullSink
from cbsim.checks import Ledger, LedgerSink, compare
from cbsim.errors import BrokerError, InputError
from cbsim.report import comparison
from cbsim.scenario.loader import load, parse
from cbsim.scenario.runner import run
from cbsim.scenario.stream import FIXED_START
from cbsim.scenario.trouble import Trouble
from cbsim.testing import CbServer
from cbsim.wire.message import Message
from tests.support.command import cbsim
from tests.support.patience import until


class Noted(NullSink):
    """Remembers how many messages came by the time that it was flushed."""

    def __init__(self) -> None:
        super().__init__()
        self.flushed: list[int] = []

    def flush(self) -> None:
        self.flushed.append(self.confirmed)


def scenario(*faults: str, count: int = 1000) -> str:
    return f"""
        estate: {{sensors: 5}}
        phases: [{{count: {count}, rate: max, clock: 100/s}}]
        faults: [{", ".join(faults)}]
    """


@pytest.mark.parametrize("batch", [1, 7, 400])
def test_each_comes_before_the_first_message_of_its_moment(batch: int) -> None:
    wanted = parse(scenario("{at: 4s, broker: clear}", "{at: 2.5s, broker: clear}"))
    sink = Noted()
    with provide("embedded") as broker:
        trouble = Trouble(sink, wanted, FIXED_START, broker.faults)

        class Pieces(NullSink):
            def publish_many(self, messages: Sequence[Message]) -> None:
                for at in range(0, len(messages), batch):
                    trouble.publish_many(messages[at : at + batch])

        run(wanted, Pieces(), FIXED_START)
    assert sink.flushed == [250, 400]
    assert sink.confirmed == 1000


def test_a_broker_that_goes_away_lets_nobody_in_and_keeps_what_it_has() -> None:
    wanted = parse(scenario("{at: 5s, broker: {go-away: {seconds: 0.5, how: mid-frame}}}"))
    ledger = Ledger(None)
    with provide("embedded") as broker:
        publisher = Publisher(broker.url, Topology(), witness=ledger)
        sink = LedgerSink(publisher, ledger, counted=False)
        report = run(wanted, Trouble(sink, wanted, FIXED_START, broker.faults), FIXED_START)
        publisher.close()
    assert report.confirmed == report.sent == 1000
    result = compare(ledger, [])
    (outage,) = result.outages
    ((at, said),) = result.notes
    assert said == "the broker had a fault on purpose: go_away seconds=0.5 how=mid-frame"
    assert at <= outage.until
    assert any(said in line for line in comparison.remarks(result))


def test_nobody_comes_in_while_it_is_away() -> None:
    with EmbeddedBroker() as broker:
        assert broker.faults.go_away(seconds=0.4) == 0
        assert broker.faults.active() == ["go_away"]
        with pytest.raises(BrokerError):
            Publisher(broker.url, Topology())
        until(lambda: not broker.faults.active())
        Publisher(broker.url, Topology()).close()
        broker.faults.go_away(seconds=60)
        broker.faults.clear()
        Publisher(broker.url, Topology()).close()


def test_a_consumer_meets_them_in_a_test(tmp_path: Path) -> None:
    path = tmp_path / "trouble.yaml"
    path.write_text(scenario("{at: 2s, broker: {redeliver: {count: 30}}}", count=400))
    with CbServer("embedded") as server:
        queue = server.queue("#")
        server.run(str(path))
        taken = queue.expect(430)
        result = server.assert_consumed(taken)
    assert result.total("duplicated") == 30


def test_what_found_nothing_to_strike_is_told(tmp_path: Path) -> None:
    path, ledger = tmp_path / "trouble.yaml", tmp_path / "ledger"
    path.write_text(scenario("{at: 2s, broker: cancel-consumer}", count=400))
    done = cbsim("run", str(path), "--broker", "embedded", "--ledger", str(ledger), "--strict")
    assert "fault cancel_consumer: there is no consumer with queue=*" in done.stderr
    assert "400 sent, 400 confirmed" in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize("more", [["--sink", "null"], ["--broker", "embedded", "--workers", "2"]])
def test_only_an_embedded_broker_has_faults(tmp_path: Path, more: list[str]) -> None:
    path = tmp_path / "trouble.yaml"
    path.write_text(scenario("{at: 2s, broker: stall}"))
    done = cbsim("run", str(path), *more)
    assert done.returncode == 2
    assert "the scenario has faults of the broker: expected --broker embedded" in done.stderr


def test_another_broker_has_none(broker: str) -> None:
    wanted = load("broker-trouble")
    assert wanted.unreached == []
    with provide(broker) as at, pytest.raises(InputError, match="expected --broker embedded"):
        Trouble(NullSink(), wanted, FIXED_START, at.faults)


@pytest.mark.parametrize("how", ["reset", "eof", "mid-frame"])
def test_what_goes_again_after_a_lost_connection_goes_in_order(how: Any) -> None:
    with CbServer("embedded") as server:
        queue = server.queue("#")
        server.faults.drop_connection(how=how, after=700)
        report = server.run("quickstart", rate="max", count=3000)
        result = server.assert_consumed([body for _, _, body in queue])
        again = server.ledger.rows("select first, last from again", (int, int))
    assert report.confirmed == 3000
    assert report.republished == sum(last - first + 1 for first, last in again) > 0
    assert result.disordered == {}
    twice = {sequence for first, last in again for sequence in range(first, last + 1)}
    assert {difference.sequence for difference in result.duplicated} <= twice
