from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from itertools import takewhile
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbsim.catalog import ServerVersion, names
from cbsim.errors import ScenarioError
from cbsim.quantity import parse_rate
from cbsim.scenario import rate as rates
from cbsim.scenario.loader import load, parse, shipped
from cbsim.scenario.mix import weights
from cbsim.scenario.schema import schema
from cbsim.scenario.stream import FIXED_START, messages
from cbsim.shipped import folder


@given(st.floats(0.5, 1e6))
def test_rates_round_trip(rate: float) -> None:
    assert parse_rate(f"{rate:f}/s") == pytest.approx(rate, abs=1e-6)
    assert parse_rate(f"{rate:f}/min") == pytest.approx(rate / 60, abs=1e-6)


@pytest.mark.parametrize("text", ["-5/s", "fast", "0/s", "", "5/fortnight", "nan", "inf"])
def test_no_rate(text: str) -> None:
    with pytest.raises(ScenarioError, match="expected a number above 0"):
        parse_rate(text)


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (rates.constant(100), 1000),
        (rates.varying(rates.ramp(0.0001, 200, 10)), 1000),
        (rates.varying(rates.sine(100, 90, 5)), 1000),
        (rates.varying(rates.burst(50, 300, 5, 1)), 1000),
        (rates.varying(rates.steps([(5, 20), (5, 180)])), 1000),
        (rates.poisson(100), 1000),
    ],
)
def test_a_profile_holds_its_rate(profile: rates.Profile, expected: int) -> None:
    moments = list(takewhile(lambda at: at < 10, profile(Random(3))))
    assert moments == sorted(moments)
    assert len(moments) == pytest.approx(expected, rel=0.1 if profile.__closure__ else 0.01)


@pytest.mark.parametrize("name", shipped())
def test_shipped_scenarios_run_and_repeat(name: str) -> None:
    scenario = load(name)
    first, again = (
        [message for _, message, _, _ in messages(scenario, FIXED_START, 400)] for _ in range(2)
    )
    assert first == again
    assert len(first) == 400
    assert len(shipped()[name]) > 40, "the first comment tells the story"


def test_start_moves_the_clock_and_nothing_else() -> None:
    scenario = load("quickstart")
    later = datetime(2025, 6, 1, tzinfo=UTC)
    first, second = (
        [message.routing_key for _, message, _, _ in messages(scenario, start, 200)]
        for start in (FIXED_START, later)
    )
    assert first == second


def test_the_mix_is_honoured() -> None:
    scenario = parse("""
    phases:
      - {count: 6000, rate: 100/s, mix: {"ingress.event.filemod": 5, ingress.event.netconn: 2,
         feed.ingress.hit.process: 1, feed.storage.hit.process: 1, binaryinfo.observed: 1}}
    """)
    counted = Counter(name for _, _, name, _ in messages(scenario, FIXED_START))
    assert counted["ingress.event.filemod"] == pytest.approx(3000, rel=0.06)
    assert counted["feed.ingress.hit.process"] == pytest.approx(600, rel=0.12)
    assert counted["feed.storage.hit.process"] == pytest.approx(600, rel=0.12)
    assert counted["binaryinfo.observed"] == pytest.approx(600, rel=0.12)


def test_rates_in_a_mix_add_up() -> None:
    text = "phases: [{duration: 1s, mix: {'feed.*': 5/s, watchlist.hit.process: 15/s}}]"
    assert parse(text).phases[0].rate == 20


def test_a_pattern_leaves_out_what_is_named() -> None:
    shares = weights({"binaryinfo.*": 10, "binaryinfo.observed": 1}, ServerVersion.V5_2, "*")
    assert shares["binaryinfo.observed"] == 1
    assert sum(shares.values()) == pytest.approx(11)


def test_one_message_of_each_where_phases_cover() -> None:
    for seed in range(8):
        scenario = load("quickstart").model_copy(update={"seed": seed})
        named = Counter(name for _, _, name, _ in messages(scenario, FIXED_START))
        expected = weights(scenario.phases[0].mix, scenario.server.version, "*")
        assert set(named) == set(expected)


PHASE = "phases: [{duration: 1s, rate: 5/s}]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "s.yaml:1: expected a mapping"),
        ("phases: [", "s.yaml:1: no YAML"),
        (f"{PHASE}\nsede: 3", "s.yaml:2: sede: unknown key: did you mean 'seed'"),
        ("phases: [{duration: 1s, rate: -5/s}]", "s.yaml:1: phases.0.rate: rate '-5/s': expected"),
        ("phases:\n  - rate: 5/s\n", "s.yaml:2: phases.0: phase 'phase' has no end"),
        (f"{PHASE}\nserver:\n  version: 9.9", "s.yaml:3: server.version: unknown server version"),
        (f"{PHASE}\nserver:\n  broadcast: x", "s.yaml:3: server.broadcast: DatastoreBroadcast"),
        ("phases:\n - duration: 1s\n   rate: 5/s\n   mix: {watchlist.hit.proces: 1}",
         "s.yaml:4: phases.0.mix: unknown notification 'watchlist.hit.proces': did you mean"),
        ("phases:\n - duration: 1s\n   mix: {feed.*: 1}", "s.yaml:2: phases.0: expected a rate"),
        ("phases:\n - {duration: 1s, rate: {ramp: {from: 1/s}}}",
         "s.yaml:2: phases.0.rate.ramp: 'to'"),
    ],
)  # fmt: skip
def test_a_bad_scenario_gets_one_sentence(text: str, expected: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(text, "s.yaml")
    assert str(caught.value).startswith(expected)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        ("inject: [{at: 1s, hit: {sensor: 99, report: tor}}]", "there is no sensor 99"),
        ("inject: [{at: 1s, hit: {sensor: 1, report: nope}}]", "there is no report 'nope'"),
        ("mix: {ingress.event.process: 1}", "is not sent by a 5.2 server"),
    ],
)
def test_what_cannot_happen_is_refused_before_the_run(phase: str, expected: str) -> None:
    scenario = parse(f"phases: [{{duration: 2s, rate: 5/s, {phase}}}]")
    with pytest.raises(ScenarioError, match=expected):
        next(messages(scenario, FIXED_START))


@pytest.mark.locked
def test_schema_is_fresh() -> None:
    committed = folder("schemas") / "scenario.schema.json"
    assert committed.read_text() == schema(), "run `make schemas`"


def test_at_max_the_clock_moves_as_it_did() -> None:
    """What takes its time comes after as many messages as when they are paced."""
    seen = {name for _, _, name, _ in messages(load("quickstart").at_rate("max").up_to(400),
                                               FIXED_START)}  # fmt: skip
    assert seen == set(names(load("quickstart").server.version))
    burst = parse(
        "phases: [{duration: 9s, rate: {burst: {base: 10, peak: 40, every: 6s, for: 2s}}}]"
    )
    assert burst.at_rate("max").phases[0].usual == 20
    assert burst.at_rate("30/min").phases[0].usual == 0.5
