"""A RabbitMQ that is killed during runs: the ledger, the queue and `verify` agree on what came."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cbsim.bus.connection import connect
from cbsim.bus.topology import STANDARD, declare
from cbsim.checks import Comparison, Ledger, Record, compare
from cbsim.wire.message import Message
from tests.support.arrival import drain
from tests.support.command import CBSIM, cbsim
from tests.support.killable import Killable, killable
from tests.support.patience import until

pytestmark = pytest.mark.restarts


@pytest.fixture(scope="module")
def own(broker: str) -> Iterator[Killable]:
    # `broker` decides whether there must be a RabbitMQ.
    with killable() as node:
        yield node


def queue(own: Killable, kind: str) -> str:
    """A durable queue of that kind, bound to all events and to nothing else."""
    connection = connect(own.url)
    channel = connection.channel()
    declare(channel, STANDARD, own.url)
    name = f"durable-{kind}-{time.monotonic_ns()}"
    channel.queue_declare(name, durable=True, arguments={"x-queue-type": kind})
    channel.queue_bind(name, "api.events", "#")
    connection.close()
    return name


def taken(own: Killable, name: str, mode: int) -> list[Message]:
    """What the queue has; it is deleted."""
    connection = connect(own.url)
    channel = connection.channel()
    # A quorum queue elects a leader first.
    until(lambda: channel.queue_declare(name, passive=True).method.message_count)
    messages = drain(channel, name, mode)
    channel.queue_delete(name)
    connection.close()
    return messages


def waiting(own: Killable, name: str) -> int:
    connection = connect(own.url)
    count: int = connection.channel().queue_declare(name, passive=True).method.message_count
    connection.close()
    return count


def run(own: Killable, ledger: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*CBSIM, "run", "steady-state", "--broker", own.url, "--rate", "1500/s", "--duration",
         "1h", "--ledger", str(ledger), "--give-up-after", "2m", *more],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> str:
    process.terminate()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return said


def compared(path: Path, stream: list[Message]) -> tuple[Comparison, Counter[int]]:
    """The comparison, and how often each message that was sent again was."""
    with Ledger.open(path) as ledger:
        records = (Record("queue", number, message=one) for number, one in enumerate(stream, 1))
        result = compare(ledger, records)
        again: Counter[int] = Counter()
        for first, last in ledger.database.execute("select first, last from again"):
            again.update(range(first, last + 1))
    return result, again


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_nothing_confirmed_is_missing(own: Killable, tmp_path: Path, kind: str, long: bool) -> None:
    kills = 20 if long else 1
    name, ledger = queue(own, kind), tmp_path / "run.ledger"
    process = run(own, ledger, "--persistent")
    for _ in range(kills):
        before = waiting(own, name)
        until(lambda: waiting(own, name) > before + 1000, patience=60)  # noqa: B023
        own.kill()
        time.sleep(0.5)
        own.start()
    before = waiting(own, name)
    until(lambda: waiting(own, name) > before + 1000, patience=60)
    said = ended(process)
    stream = taken(own, name, mode=2)
    result, again = compared(ledger, stream)
    sent = result.total("sent")
    assert f"{sent:,} sent, {sent:,} confirmed" in said
    assert result.whole, result
    assert result.unconfirmed == result.perished == 0
    assert len(result.outages) == kills
    assert len(stream) == sent + result.total("duplicated")
    assert {one.sequence for one in result.duplicated} <= set(again)
    assert f"; {again.total():,} were sent again after a lost connection" in said
    twice = result.total("duplicated")
    sys.stdout.write(f"{kind}: {kills} kills, {sent:,} sent, {twice:,} came twice\n")


def test_what_died_with_the_broker_is_not_the_consumers(own: Killable, tmp_path: Path) -> None:
    name, ledger = queue(own, "classic"), tmp_path / "run.ledger"
    process = run(own, ledger)
    until(lambda: waiting(own, name) > 2000, patience=60)
    own.kill()
    own.start()
    until(lambda: waiting(own, name) > 2000, patience=60)
    ended(process)
    stream = taken(own, name, mode=1)
    result, _ = compared(ledger, stream)
    assert result.perished >= 2000
    assert not result.whole
    assert result.total("lost") == 0
    assert result.total("sent") == result.perished + result.total("received")
    # Of what came after the outage, the consumer alone can have lost any.
    result, _ = compared(ledger, stream[:-1])
    assert result.total("lost") == 1
    tap = tmp_path / "output"
    tap.mkdir()
    for number, message in enumerate(stream):
        tap.joinpath(f"{number:06}.bin").write_bytes(message.body)
    done = cbsim("verify", str(tap), "--ledger", str(ledger))
    assert done.returncode == 1
    assert f"{result.perished:,} did not come, but were confirmed before that" in done.stdout
    assert "the broker was away from 2" in done.stdout
    assert "0 lost, 0 duplicated, 0 corrupted, 0 unexpected" in done.stdout


def test_a_run_that_gives_up_names_both_causes(own: Killable, tmp_path: Path) -> None:
    ledger = tmp_path / "run.ledger"
    process = run(own, ledger, "--give-up-after", "3s")
    until(lambda: ledger.exists() and ledger.stat().st_size > 100_000, patience=60)
    own.kill()
    _, said = process.communicate(timeout=60)
    own.start()
    assert process.returncode == 1
    assert "nothing listens there (connection refused), 3 s after the connection was lost: " in said
    with Ledger.open(ledger) as book:
        assert len([*book.database.execute("select * from outage")]) == 1
