"""Thresholds are judged while a run goes on, and at its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cbsim.bus.queue_state import QueueState, Reading
from cbsim.load.judge import Judge
from cbsim.load.watch import Watch
from cbsim.scenario.lag import Lags
from cbsim.scenario.runner import Progress, Report
from cbsim.scenario.threshold import parse_threshold
from cbsim.testing import CbServer
from tests.support.command import cbsim


class Depths:
    """A gauge that tells of one queue, deeper each time."""

    exact = False

    def __init__(self, *depths: int) -> None:
        self.depths = [*depths]

    def read(self) -> dict[str, Reading]:
        return {"orders": Reading(QueueState(self.depths.pop(0), 0, 1))}

    def close(self) -> None: ...


def watch(*depths: int) -> Watch:
    found = Watch(Depths(*depths), published=lambda: 0)
    for _ in depths:
        found._read()
    return found


def progress(seconds: float = 1.0, *, confirms: Lags | None = None, lag: float = 0.0) -> Progress:
    return Progress("peak", 10, 10, 10.0, 500.0, lag, None, seconds, confirms or Lags())


def took(*seconds: float) -> Lags:
    lags = Lags()
    for one in seconds:
        lags.count(one)
    return lags


def test_a_breach_says_what_when_and_where() -> None:
    judge = Judge([parse_threshold("depth < 40", ends=True)], watch(3, 41, 5))
    found = judge.note(progress(14.2))
    assert [*map(str, found)] == [
        "threshold depth < 40: it was 41 of queue 'orders' 14 s into the run, in phase peak at "
        "500/s"
    ]
    assert judge.note(progress(15.2)) == []
    assert [*map(str, judge.end(Report()))] == ["threshold depth < 40: broken, 41"]


def test_a_percentile_waits_until_no_single_value_decides() -> None:
    judge = Judge([parse_threshold("confirm_p95 < 50ms"), parse_threshold("confirm < 2s")])
    assert judge.note(progress(confirms=took(*[0.5] * 19))) == []
    found = judge.note(progress(confirms=took(0.5)))
    assert [breach.threshold.name for breach in found] == ["confirm_p95"]
    assert found[0].value == pytest.approx(0.5, rel=0.25)


def test_at_the_end_few_values_are_enough() -> None:
    judge = Judge([parse_threshold("confirm_p95 < 50ms"), parse_threshold("behind < 1s")])
    report = Report(sent=1, confirmed=1, confirms=took(0.5))
    judge.note(progress(confirms=report.confirms))
    broken, held = judge.end(report)
    assert str(broken) == "threshold confirm_p95 < 50ms: broken, 500 ms"
    assert str(held) == "threshold behind < 1s: held, 0 ms"
    assert [*map(str, judge.breaches.values())] == ["threshold confirm_p95 < 50ms: it was 500 ms"]


def test_what_is_known_at_the_end_only() -> None:
    judge = Judge(map(parse_threshold, ["lost == 0", "sent_rate >= 100/s"]))
    assert judge.note(progress()) == []
    lost, rate = judge.end(Report(sent=50, confirmed=47, seconds=0.5))
    assert (lost.value, rate.value) == (3, 100)
    assert [breach.threshold.name for breach in judge.breaches.values()] == ["lost"]


def test_nothing_measured_is_no_verdict() -> None:
    judge = Judge(map(parse_threshold, ["depth < 3", "confirm < 1s"]))
    judge.note(progress())
    assert [verdict.value for verdict in judge.end(Report())] == [None, None]


@contextmanager
def unconsumed() -> Iterator[list[str]]:
    with CbServer("embedded", exchanges="server") as server:
        queue = server.queue("#")
        yield ["--broker", server.url, "--watch", queue.name, "--duration", "4s", "--rate", "200/s"]


@pytest.mark.parametrize("workers", [[], ["--workers", "2"]])
def test_a_run_ends_where_a_threshold_breaks(workers: list[str]) -> None:
    with unconsumed() as words:
        words += ["--threshold", "depth < 100", "--threshold", "lost == 0", "--end-at-breach"]
        done = cbsim("run", "quickstart", *words, *workers)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[-1].startswith("cbsim: threshold depth < 100: it was "), done.stderr
    assert "ended early" in done.stderr
    assert "threshold lost == 0: held, 0" in lines


def test_a_run_goes_on_unless_it_is_to_end() -> None:
    with unconsumed() as words:
        words[-3:] = ["2s", "--rate", "100/s"]
        done = cbsim("run", "quickstart", *words, "--threshold", "lag < 50ms")
    assert done.returncode == 1
    assert "200 sent, 200 confirmed" in done.stderr
    assert "threshold lag < 50ms: broken" in done.stderr


def test_thresholds_that_nothing_is_known_of() -> None:
    done = cbsim("run", "quickstart", "--sink", "null", "--threshold", "depth < 3")
    assert (done.returncode, done.stderr) == (
        2, "cbsim: threshold depth < 3: it is of queues; expected --watch QUEUE or auto\n"
    )  # fmt: skip
    words = ["--sink", "null", "--rate", "max", "--count", "10"]
    done = cbsim("run", "ramp-to-limit", *words)
    assert done.returncode == 0
    assert "threshold lag < 5s: nothing was measured: no queue is watched (--watch)" in done.stderr


def test_the_fixture_asserts_what_must_hold() -> None:
    with CbServer("embedded") as server:
        queue = server.queue("#")
        held = server.run("quickstart", rate="max", count=50, watch=queue, thresholds=["lost == 0"])
        assert held.queues[queue.name].deepest == 50
        with pytest.raises(AssertionError, match=r"threshold depth < 60: it was 100 of queue"):
            server.run("quickstart", rate="max", count=50, watch=queue, thresholds=["depth < 60"])


def test_a_breach_ends_a_run_of_the_fixture(tmp_path: Path) -> None:
    scenario = tmp_path / "endless.yaml"
    scenario.write_text(
        "thresholds: [{that: depth < 60, ends: true}]\n"
        "phases: [{name: flood, duration: 1h, rate: 200/s, mix: {ingress.event.filemod: 1}}]\n"
    )
    with CbServer("embedded") as server:
        queue = server.queue("#")
        with pytest.raises(AssertionError, match=r"s into the run, in phase flood at 200/s"):
            server.run(str(scenario), watch=queue)
