"""Interrupts: whenever one comes, the counts, the ledger and the queue say the same."""

from __future__ import annotations

import random
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from cbsim.bus.connection import connect
from cbsim.bus.link import Link
from cbsim.bus.publisher import Publisher, Topology, declare
from cbsim.checks import Ledger
from cbsim.checks.ledger_sink import LedgerSink
from cbsim.interrupt import heed, note, taken, whole
from cbsim.scenario.loader import parse
from cbsim.scenario.runner import run
from cbsim.scenario.stream import FIXED_START
from tests.support.command import CBSIM
from tests.support.patience import until


class Bound:
    """An exchange of our own, and a queue that gets all that is sent there."""

    def __init__(self, url: str) -> None:
        mark = uuid.uuid4().hex[:8]
        self.topology = Topology(f"events-{mark}", f"raw-{mark}")
        self.connection = connect(url)
        self.channel = self.connection.channel()
        declare(self.channel, self.topology, url)
        self.queue = self.channel.queue_declare("", exclusive=True).method.queue
        self.channel.queue_bind(self.queue, self.topology.events, "#")

    def waiting(self) -> int:
        count: int = self.channel.queue_declare(self.queue, passive=True).method.message_count
        return count


@pytest.fixture
def bound(broker: str) -> Iterator[Bound]:
    one = Bound(broker)
    yield one
    one.channel.exchange_delete(one.topology.events)
    one.channel.exchange_delete(one.topology.raw)
    one.connection.close()


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def test_a_signal_is_raised_where_nothing_is_under_way() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with taken(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_is_whole_ends_first() -> None:
    done: list[str] = []

    def work() -> None:
        interrupt()
        done.append("after it")

    with taken(lambda: done.append("at once")):
        assert whole(work)
        assert done == ["at once", "after it"]
        assert not whole(lambda: None), "it is told once"
        with pytest.raises(KeyboardInterrupt):
            whole(work)  # a second signal does not wait
    assert done == ["at once", "after it"]


def test_what_was_noted_is_raised_later() -> None:
    with taken():
        note()
        interrupt()
        with pytest.raises(KeyboardInterrupt):
            heed()


def test_a_second_one_can_be_ignored() -> None:
    with taken(twice=False):
        with pytest.raises(KeyboardInterrupt):
            interrupt()
        interrupt()


def test_who_takes_no_signals_is_left_alone() -> None:
    note()
    heed()
    assert not whole(lambda: None)
    with pytest.raises(KeyboardInterrupt):
        whole(interrupt)


def interrupted(method: Callable[..., object], call: int, before: bool) -> Callable[..., object]:
    """A method that is interrupted at that call, before or after it does what it does."""
    calls = count(1)

    def instead(*args: object) -> object:
        due = next(calls) == call
        if due and before:
            interrupt()
        result = method(*args)
        if due and not before:
            interrupt()
        return result

    return instead


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [
        (Ledger, "record", 3),
        (Publisher, "publish_many", 3),
        (Publisher, "_take", 3),
        (Link, "encode", 3),
        (Link, "write", 3),
        (Publisher, "flush", 1),
    ],
)
def test_counts_ledger_and_queue_agree(
    broker: str, bound: Bound, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    owner: type, name: str, call: int, before: bool,
) -> None:  # fmt: skip
    monkeypatch.setattr(owner, name, interrupted(getattr(owner, name), call, before))
    path = tmp_path / "run.ledger"
    scenario = parse("phases: [{count: 20000, rate: 20000/s}]")
    ledger = Ledger(path)
    with taken():
        publisher = Publisher(broker, bound.topology, window=700, witness=ledger)
        sink = LedgerSink(publisher, ledger, counted=False)
        report = run(scenario, sink, FIXED_START)
        sink.close()
    assert report.interrupted
    assert 0 < report.sent == report.confirmed == bound.waiting()
    assert publisher.republished == 0
    assert sum(report.per_name.values()) == report.sent
    check_ledger(path, report.sent)


def check_ledger(path: Path, sent: int) -> None:
    with Ledger.open(path) as ledger:
        query = ledger.database.execute
        assert query("select count(*) from message").fetchone() == (sent,)
        assert query("select sum(last - first + 1) from confirm").fetchone() == (sent,)


@pytest.mark.timeout(1800)
def test_counts_ledger_and_queue_agree_at_any_moment(
    broker: str, tmp_path: Path, long: bool
) -> None:
    random.seed(13)
    for number in range(200 if long else 4):
        bound, ledger = Bound(broker), tmp_path / f"{number}.ledger"
        scenario = tmp_path / "run.yaml"
        scenario.write_text(
            f"bus: {{events: {bound.topology.events}, raw: {bound.topology.raw}}}\n"
            "phases: [{duration: 1h, rate: max}]\n"
        )
        process = subprocess.Popen(
            [*CBSIM, "run", str(scenario), "--broker", broker, "--ledger", str(ledger)],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        until(bound.waiting, patience=60)
        time.sleep(random.random() / 2)
        process.send_signal(random.choice([signal.SIGINT, signal.SIGTERM]))
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        assert "; interrupted" in said
        sent, _, confirmed = said.strip().splitlines()[-1].replace(",", "").split()[:3]
        assert int(sent) == int(confirmed) == bound.waiting() > 0
        check_ledger(ledger, int(sent))
        bound.connection.close()
