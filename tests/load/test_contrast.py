"""Two runs are compared, and what may be chance is called so."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbsim.load.account import Account, Origin, Times, as_json
from cbsim.load.contrast import Change, contrasts, differences
from cbsim.load.timeline import Moment, Standing
from tests.support.command import cbsim

NOTHING = Times(0.0, 0.0, 0.0, 0.0)


def run_of(
    seed: int, *, sent: float = 1000.0, spread: float = 0.05, confirm: float = 0.002,
    seconds: int = 60,
) -> Account:  # fmt: skip
    rng = Random(seed)

    def about(mean: float) -> float:
        return max(0.0, rng.gauss(mean, mean * spread))

    moments = [
        Moment(float(second), "steady", sent, about(sent), about(sent), 0, 0, 0.0,
               (about(confirm), about(confirm * 2), about(confirm * 3)),
               {"orders": Standing(int(about(500)), 1, about(0.5), None, about(sent))}, None)
        for second in range(1, seconds + 1)
    ]  # fmt: skip
    origin = Origin("steady", "seed: 1\n", 1, "5.2", "embedded", datetime(2026, 1, 2, tzinfo=UTC))
    return Account("cbsim run", origin, 10, 10, 1.0, False, 0, NOTHING, None, {}, {}, [], moments)


def changes(before: Account, after: Account) -> dict[str, Change]:
    return {one.name: one.change for one in contrasts(before, after)}


def test_what_is_slower_is_worse() -> None:
    found = changes(run_of(1), run_of(2, sent=800.0, confirm=0.004))
    assert found["sent"] is found["consumed"] is Change.WORSE
    assert found["confirmed in, p95"] is Change.WORSE
    found = changes(run_of(1, sent=800.0, confirm=0.004), run_of(2))
    assert found["sent"] is found["confirmed in, p99"] is Change.BETTER


@settings(max_examples=30)
@given(st.integers(0, 1000))
def test_the_same_again_is_seldom_a_change(seed: int) -> None:
    found = [*changes(run_of(seed), run_of(seed + 1)).values()]
    assert len(found) == 8
    assert sum(change in (Change.BETTER, Change.WORSE) for change in found) <= 4


def test_noise_hides_a_small_difference() -> None:
    quiet = changes(run_of(1, spread=0.001), run_of(2, sent=1030.0, spread=0.001))
    loud = changes(run_of(1, spread=0.9), run_of(2, sent=1030.0, spread=0.9))
    assert quiet["sent"] is Change.BETTER
    assert loud["sent"] is Change.UNSURE
    assert changes(run_of(1, spread=0.0), run_of(2, spread=0.0))["sent"] is Change.SAME


def test_what_the_scenario_does_is_no_noise() -> None:
    before = run_of(1, spread=0.0)
    ramp = [
        replace(moment, sent=moment.sent * moment.seconds, confirms=None, queues={})
        for moment in before.moments
    ]
    slower = [replace(moment, sent=moment.sent * 0.95) for moment in ramp]
    before, after = replace(before, moments=ramp), replace(before, moments=slower)
    assert changes(before, after)["sent"] is Change.WORSE
    assert changes(before, before)["sent"] is Change.SAME
    other = replace(after, origin=replace(after.origin, document="seed: 2\n"))
    assert changes(before, other)["sent"] is Change.UNSURE


def test_short_runs_say_nothing() -> None:
    found = changes(run_of(1, seconds=3), run_of(2, seconds=60))
    assert {*found.values()} == {Change.SHORT}
    assert contrasts(run_of(1, seconds=0), run_of(2)) == []


def test_what_else_differs_is_said() -> None:
    before = run_of(1)
    after = replace(before, origin=replace(before.origin, seed=2, processors=64))
    assert differences(before, before) == []
    assert [said.split(":")[0] for said in differences(before, after)] == ["seed", "processors"]
    other = replace(before, origin=replace(before.origin, document="seed: 1\nrate: 5/s\n"))
    assert differences(before, other) == [
        "the scenario is not the same: rates, durations or the mix differ"
    ]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, account in zip(paths, (run_of(1), run_of(2, sent=700.0)), strict=True):
        path.write_text(as_json(account))
    return [*map(str, paths)]


def test_the_command_compares(files: list[str]) -> None:
    done = cbsim("report", *files)
    assert done.returncode == 0, done.stderr
    row = next(line.split() for line in done.stdout.splitlines() if line.startswith("sent"))
    assert row[-1] == "worse"
    assert row[3].startswith("-3") or row[3].startswith("-2")
    told = json.loads(cbsim("report", *files, "--format", "json").stdout)
    assert told["measures"][0]["name"] == "sent"
    assert told["measures"][0]["change"] == "worse"
    assert cbsim("report", files[0], files[0] + ".none").returncode == 2
