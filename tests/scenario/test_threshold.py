"""Thresholds as they are written."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbsim.errors import ScenarioError
from cbsim.scenario.loader import parse
from cbsim.scenario.schema import schema
from cbsim.scenario.threshold import METRICS, Unit, parse_threshold

PHASES = "phases: [{rate: 5/s, duration: 1s, mix: {ingress.event.filemod: 1}}]"


@pytest.mark.parametrize(
    ("text", "holds", "fails"),
    [
        ("depth < 10000", 9999, 10000),
        ("depth<=10_000", 10000, 10001),
        ("lag_p99 < 2s", 1.99, 2.0),
        ("confirm_p95 < 50ms", 0.049, 0.05),
        ("lost == 0", 0, 1),
        ("consumers >= 2", 2, 1),
        ("consumers != 1", 2, 1),
        ("sent_rate > 30/min", 0.6, 0.5),
    ],
)
def test_what_holds(text: str, holds: float, fails: float) -> None:
    threshold = parse_threshold(text)
    assert threshold.holds(holds)
    assert not threshold.holds(fails)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("depth", "expected a metric, <, <=, >, >=, == or !=, and a value"),
        ("depth << 3", "expected a number of messages after <"),
        ("dept < 3", "there is no metric 'dept'; did you mean 'depth'?"),
        ("xyz < 3", "expected depth, lag, "),
        ("lag < 2 apples", "expected a time such as 2s or 50ms after <"),
        ("depth < -1", "expected a number of messages"),
        ("sent_rate > 0", "expected a rate such as 500/s"),
        ("lag < 1s" + " " * 100, "expected a metric"),
    ],
)
def test_what_is_no_threshold(text: str, expected: str) -> None:
    with pytest.raises(ScenarioError, match="threshold ") as raised:
        parse_threshold(text)
    assert expected in str(raised.value)
    with pytest.raises(ScenarioError) as raised:
        parse(f"{PHASES}\nthresholds: [{json.dumps(text)}]")
    assert expected in str(raised.value)


@given(st.text())
def test_any_text_is_a_threshold_or_an_error(text: str) -> None:
    with contextlib.suppress(ScenarioError):
        assert parse_threshold(text).name in METRICS


@given(st.sampled_from(Unit), st.floats(0, 1e12))
def test_every_value_can_be_shown(unit: Unit, value: float) -> None:
    assert unit.shown(value)


def test_a_scenario_has_thresholds() -> None:
    scenario = parse(f"{PHASES}\nthresholds: [depth < 5, {{that: lag < 2s, ends: true}}]")
    assert [(one.text, one.ends) for one in scenario.thresholds] == [
        ("depth < 5", False), ("lag < 2s", True)
    ]  # fmt: skip
    assert "thresholds" in json.loads(schema())["properties"]


@pytest.mark.parametrize("written", ["3", "{that: 3}", "{ends: true}", "{that: lag < 2s, on: 1}"])
def test_other_forms_of_a_threshold_are_refused(written: str) -> None:
    with pytest.raises(ScenarioError, match="thresholds"):
        parse(f"{PHASES}\nthresholds: [{written}]")
