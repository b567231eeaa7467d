"""The search for a limit: which rates it tries, and what it says of what they came to."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from math import inf
from subprocess import CompletedProcess

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from cbsim.cli.find_limit import command
from cbsim.errors import CbsimError
from cbsim.load.bracket import Bracket
from cbsim.load.limit import Hunt, Limit, Search
from cbsim.load.pace import Pace
from cbsim.load.probe import GoneError, Probe, Reason
from cbsim.load.trace import Point, growth
from cbsim.testing import CbServer
from tests.support.command import cbsim

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


@dataclass
class Simulated:
    """Trials of consumers, a publisher and a broker that can do so many messages a second; `share`
    of what is published comes to the queue.
    """

    consumers: float
    publisher: float = inf
    broker: float = inf
    share: float | None = 1.0
    lasting: int = 1000
    """How many trials there are until the consumers are gone."""
    prompt: float = inf
    """Up to which rate, as a share of what they can, consumers are not behind by much."""
    warm: float = 1.0
    """What they can do, as a share, before they are warm."""
    capacity: float | None = None

    def await_consumer(self, patience: float) -> None:
        if not self.lasting:
            raise GoneError(f"nobody consumes queue 'q' after {patience:g} s")

    def drain(self) -> None: ...

    def ramp(self, start: float) -> Probe:
        while (probe := self.hold(start, 1.0)).reason is None:
            start *= 2
        return probe

    def measure(self, rate: float) -> float:
        could = self.consumers * self.warm
        self.warm = min(1.0, self.warm * 1.5)
        return min(could, rate * (self.share or 1.0))

    def hold(self, rate: float, seconds: float) -> Probe:
        self.lasting -= 1
        if self.lasting < 0:
            raise GoneError("nobody consumes queue 'q' any more")
        most = min(self.publisher, self.broker)
        done, share = min(rate, most), self.share or 1.0
        grown, reason = max(0.0, done * share - self.consumers), None
        if rate > most:
            reason = Reason.BROKER if self.broker < self.publisher else Reason.PUBLISHER
        elif done * share > self.consumers * self.prompt:
            reason = Reason.LAG
        elif grown:
            reason = Reason.DEPTH
        return Probe(rate, seconds, done, grown, 0.01, self.share, reason)


def found(trials: Simulated, max_lag: float | None = None) -> tuple[Limit, list[str]]:
    said: list[str] = []
    return Hunt(trials, Search("q", max_lag), said.append).limit(), said


@given(
    consumers=st.floats(20, 1e5),
    share=st.floats(0.02, 1.0),
    warm=st.sampled_from([0.3, 0.6, 1.0]),
)
def test_the_limit_of_consumers(consumers: float, share: float, warm: float) -> None:
    limit, said = found(Simulated(consumers, share=share, warm=warm))
    assert limit.reason is Reason.DEPTH, said
    assert limit.certain
    assert limit.limit == pytest.approx(consumers, rel=0.02), said
    assert limit.high is not None
    assert limit.low <= limit.limit <= limit.high <= limit.low * 1.05
    assert "queue 'q' grew by" in limit.why
    assert said[-1].startswith("confirm")


def test_where_nobody_tells_what_came_the_rates_are_what_was_published() -> None:
    limit, said = found(Simulated(700.0, share=None))
    assert limit.share is None
    assert limit.limit == pytest.approx(700, rel=0.05), said


@pytest.mark.parametrize("slower", [Reason.PUBLISHER, Reason.BROKER])
def test_who_else_is_slower(slower: Reason) -> None:
    limit, said = found(Simulated(5000.0, **{slower.value: 2000.0}))
    assert limit.reason is slower, said
    assert not limit.certain
    assert limit.high is None
    assert 1800 <= limit.limit <= 2000
    assert f"the {slower.value} " in limit.why
    assert "2,000/s" in limit.why


def test_consumers_that_are_behind_before_the_queue_grows() -> None:
    limit, said = found(Simulated(1000.0, prompt=0.7), max_lag=0.5)
    assert limit.reason is Reason.LAG, said
    assert limit.certain
    assert limit.limit == pytest.approx(700, rel=0.05)
    assert limit.why.endswith("the consumers of queue 'q' were more than 0.5 s behind")


def test_consumers_that_go() -> None:
    limit, _ = found(Simulated(1000.0, lasting=7))
    assert limit.reason is Reason.CONSUMER
    assert limit.why == "nobody consumes queue 'q' any more"
    with pytest.raises(GoneError, match="nobody consumes queue 'q' after 10 s"):
        found(Simulated(1000.0, lasting=0))


def ended(url: str, queue: str, *more: str) -> CompletedProcess[str]:
    words = ["--queue", queue, "--broker", url, "--hold", "1s", *more]
    return cbsim("find-limit", SCENARIO, *words, timeout=80)


DEPTH = Limit(4321.0, 4300.0, 4400.0, Reason.DEPTH, "at 4,400/s queue 'q' grew by 79/s", 1.0)


@pytest.mark.parametrize(
    ("limit", "at_least", "said", "error"),
    [
        (DEPTH, "4000/s", "4,321/s (4,300/s to 4,400/s): at 4,400/s queue 'q' grew by 79/s", ""),
        (DEPTH, "5000/s", "4,321/s (4,", "the limit is 4,321/s: expected 5,000/s or more"),
        (replace(DEPTH, high=None), "1/s", "4,321/s (or more): at", ""),
        (replace(DEPTH, reason=Reason.CONSUMER, why="gone"), "1/s", "4,3", "ended early: gone"),
    ],
)
def test_the_command_says_one_number_and_judges_it(
    monkeypatch: pytest.MonkeyPatch, limit: Limit, at_least: str, said: str, error: str
) -> None:
    # What is found is found elsewhere: here it is what becomes of it.
    monkeypatch.setattr("cbsim.cli.find_limit.find_limit", lambda *_: limit)
    with CbServer("embedded") as server:
        given = [SCENARIO, "--queue", server.queue("#").name, "--broker", server.url]
        done = CliRunner().invoke(command, [*given, "--at-least", at_least])
        told = json.loads(CliRunner().invoke(command, [*given, "--format", "json"]).stdout)
    assert done.stdout.startswith(said)
    assert error in str(done.exception or "")
    assert isinstance(done.exception, CbsimError) == bool(error)
    assert told["limit"] == 4321.0
    assert told["reason"] == limit.reason.value


def test_nobody_consumes(broker: str) -> None:
    with CbServer(broker) as server:
        queue = server.queue("#")
        with pytest.raises(GoneError, match=r"nobody consumes queue .* after 0.2 s"):
            server.find_limit(SCENARIO, queue, patience=0.2)
        done = ended(broker, queue.name, "--wait-for-consumer", "0.1s")
    assert done.returncode == 1
    assert "nobody consumes queue" in done.stderr


def test_the_command_says_what_cannot_be(broker: str) -> None:
    assert ended(broker, "nowhere").returncode == 2
    done = ended(broker, "nowhere", "--rate", "5/s")
    assert (done.returncode, done.stderr) == (
        2, "cbsim: --rate with find-limit: the rates are what it tries\n"
    )  # fmt: skip
