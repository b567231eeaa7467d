"""A clock that jumps during a run, or differs from the consumer's: what is said of latencies."""

from __future__ import annotations

import io
import time

import pytest

from cbsim.bus.sink import NullSink
from cbsim.checks import Ledger, LedgerSink, Record, compare
from cbsim.report import comparison
from cbsim.wire.message import JSON_TYPE, Message

REAL = time.time


def numbered(number: int) -> Message:
    body = b'{"feed_id": %d, "timestamp": 1407510942.1, "type": "feed.synchronized"}' % number
    return Message("api.events", "feed.synchronized", JSON_TYPE, body)


def compared(messages: list[Message], ledger: Ledger, lag: float) -> str:
    """What is said of an output that the consumer received so much later, by its own clock."""
    output = [Record("tap", number, message=message, envelope={"received": REAL() + lag})
              for number, message in enumerate(messages, 1)]  # fmt: skip
    out = io.StringIO()
    comparison.show(compare(ledger, output), "text", out)
    return out.getvalue()


@pytest.mark.parametrize(("jump", "said"), [
    (3600.0, "the clock of the run was put forward by 3600.00 s at 20"),
    (-3600.0, "the clock of the run was put back by 3600.00 s at 20"),
])  # fmt: skip
def test_a_jump_is_told(monkeypatch: pytest.MonkeyPatch, jump: float, said: str) -> None:
    messages = [numbered(number) for number in range(3)]
    with Ledger(None) as ledger:
        sink = LedgerSink(NullSink(), ledger, counted=True)
        sink.publish(messages[0])
        monkeypatch.setattr(time, "time", lambda: REAL() + jump)
        sink.publish(messages[1])
        sink.publish(messages[2])
        told = compared(messages, ledger, lag=5.0)
    assert told.count("the clock of the run was put") == 1
    assert said in told
    assert ("2 were received before they were published" in told) == (jump > 0)


def test_several_workers_note_one_jump(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("jump") / "run.ledger"
    Ledger(path).close()
    workers = [LedgerSink(NullSink(), Ledger.join(path), counted=True) for _ in range(2)]
    monkeypatch.setattr(time, "time", lambda: REAL() - 60)
    for number, worker in enumerate(workers):
        worker.publish(numbered(number))
        worker.close()
    with Ledger.open(path) as ledger:
        result = compare(ledger, [])
    assert [round(jump.seconds) for jump in result.jumps] == [-60]


def test_clocks_that_agree_are_not_spoken_of() -> None:
    messages = [numbered(number) for number in range(3)]
    with Ledger(None) as ledger:
        LedgerSink(NullSink(), ledger, counted=True).publish_many(messages)
        told = compared(messages, ledger, lag=0.0)
    assert "clock" not in told
