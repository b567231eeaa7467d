"""`cbsim scenarios NAME` and `cbsim init`: from what ships to what is one's own."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from cbsim.scenario.loader import load, shipped
from cbsim.shipped import folder
from tests.support.command import cbsim


def test_a_scenario_is_shown_as_it_is_written() -> None:
    done = cbsim("scenarios", "outbreak")
    assert done.stdout == (folder("scenarios") / "outbreak.yaml").read_text()
    done = cbsim("scenarios", "outbrek")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean outbreak?" in done.stderr


def test_a_copy_runs_and_names_its_schema(tmp_path: Path) -> None:
    done = cbsim("init", "outbreak", cwd=tmp_path)
    assert done.stdout == "outbreak.yaml: change it, then `cbsim run outbreak.yaml`\n"
    copy = tmp_path / "outbreak.yaml"
    first = copy.read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=scenario.schema.json"
    assert load(str(copy)).model_dump() == load("outbreak").model_dump()
    named = tmp_path / first.partition("=")[2]
    jsonschema.validate(yaml.safe_load(copy.read_text()), json.loads(named.read_text()))


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("seed: 3\n")
    done = cbsim("init", "soak", str(mine))
    assert done.returncode == 2
    assert done.stderr == f"cbsim: {mine} is there already: give another name\n"
    assert mine.read_text() == "seed: 3\n"
    done = cbsim("init", "soak", str(tmp_path / "no" / "such.yaml"))
    assert done.returncode == 2
    assert "No such file or directory" in done.stderr


@pytest.mark.parametrize("name", shipped())
def test_what_ships_is_as_the_schema_says(name: str) -> None:
    described = json.loads((folder("schemas") / "scenario.schema.json").read_text())
    text = (folder("scenarios") / f"{name}.yaml").read_text()
    jsonschema.validate(yaml.safe_load(text), described)
