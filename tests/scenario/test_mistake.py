"""Mistakes in scenario files: each named with its line, its key and what was expected."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cbsim.errors import ScenarioError
from cbsim.scenario.loader import parse
from cbsim.scenario.schema import schema
from cbsim.scenario.stream import FIXED_START, messages


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("phases: []", "1: phases: expected one item or more"),
        ("phases: 5", "1: phases: expected a list, not 5"),
        ("phase: []", "1: phase: unknown key: did you mean 'phases'?"),
        ("seed: 1\nphases: [5]", "2: phases.0: expected keys with values, not 5"),
        ("seed: x\nphases: []", "1: seed: expected a whole number, not 'x'"),
        ("estate: {sensors: 0}", "1: estate.sensors: expected 1 or more, not 0"),
        ("estate: {groups: 2000}", "1: estate.groups: expected 1000 or less, not 2000"),
        ("estate: {spread: lots}", "1: estate.spread: expected a number, not 'lots'"),
        ("bus: {durable: maybe}", "1: bus.durable: expected true or false, not 'maybe'"),
        ("bus: {events: [1]}", "1: bus.events: expected a text, not [1]"),
        ("bus: 3", "1: bus: expected keys with values, not 3"),
        ("server: {dialect: new}", "expected 'documented' or 'observed', not 'new'"),
        (r'server: {raw: "\x07"}', r"expected 'single', 'bundles' or 'both', not '\x07'"),
        ("server: {versoin: 5.2}", "1: server.versoin: unknown key: did you mean 'version'?"),
        ("phases: [{count: 1, rate: {steps: []}}]", "rate.steps: expected one item or more"),
        ("phases: [{count: 1, rate: {ramp: {from: 1}}}]", "rate.ramp: 'to' is missing"),
        ("phases: [{count: 1.5, rate: 1}]", "phases.0.count: expected a whole number, not 1.5"),
        ("phases: [{count: 1, rate: 1, mix: 3}]", "0.mix: expected keys with values, not 3"),
    ],
)
def test_it_is_one_sentence_with_its_line(text: str, expected: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        parse(text, "mine.yaml")
    said = str(raised.value)
    assert said.startswith("mine.yaml:")
    assert expected in said
    assert said.isprintable()
    assert "Input should be" not in said


@pytest.mark.parametrize(
    ("injection", "expected"),
    [
        ("hit: {sensor: 1, report: nope}", "mine.yaml:4: there is no report 'nope'"),
        ("hit: {sensor: 99, report: tor}", "mine.yaml:4: there is no sensor 99"),
        ("ransomware: {sensor: 99}", "mine.yaml:4: there is no sensor 99"),
    ],
)
def test_what_only_the_world_knows_is_named_with_its_line(injection: str, expected: str) -> None:
    text = f"""phases:
  - {{duration: 1s, rate: 5/s, inject: [
      {{at: 0s, spread: {{sensors: 2}}}},
      {{at: 0s, {injection}}}]}}
"""
    with pytest.raises(ScenarioError, match=expected):
        next(messages(parse(text, "mine.yaml"), FIXED_START))


def described() -> dict[str, Any]:
    root = json.loads(schema())
    parts = {"Scenario": root, **root["$defs"]}
    return {
        f"{name}.{key}": field
        for name, part in parts.items()
        for key, field in part.get("properties", {}).items()
    }


@pytest.mark.parametrize("field", described())
def test_every_key_has_a_description_and_examples(field: str) -> None:
    entry = described()[field]
    assert entry["description"]
    assert entry["examples"]


def test_the_schema_has_a_name_of_its_own() -> None:
    assert json.loads(schema())["$id"].endswith("/scenario.schema.json")
