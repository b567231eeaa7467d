"""The examples' tests pass, by the commands of their workflows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

EXAMPLES = Path(__file__).parents[2] / "examples"


def github(job: str) -> tuple[list[str], dict[str, str]]:
    """What a job of the workflow runs, and its variables of ours."""
    text = (EXAMPLES / ".github" / "workflows" / "forwarder.yml").read_text()
    told = yaml.safe_load(text)["jobs"][job]
    return [step["run"] for step in told["steps"] if "run" in step], ours(told.get("env", {}))


def gitlab(job: str) -> tuple[list[str], dict[str, str]]:
    told = yaml.safe_load((EXAMPLES / ".gitlab-ci.yml").read_text())
    variables = ours(told[job].get("variables", {}))
    return told["default"]["before_script"] + told[job]["script"], variables


def ours(variables: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name.startswith("CBSIM_")}


@pytest.mark.parametrize("job", ["embedded", "rabbitmq"])
def test_a_workflow_passes(job: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    commands, variables = github(job)
    assert commands[0].startswith("pip install")
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("CBSIM_", "PYTEST_"))}  # fmt: skip
    environment |= variables | {"CI": "true"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    if "CBSIM_BROKER_URL" in variables:
        environment["CBSIM_BROKER_URL"] = request.getfixturevalue("broker")
    for command in commands[1:]:
        done = subprocess.run(["sh", "-ec", command], cwd=tmp_path, env=environment,
                              capture_output=True, text=True, timeout=80, check=False)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("job", ["embedded", "rabbitmq"])
def test_both_services_do_the_same(job: str) -> None:
    commands, variables = github(job)
    others, their_variables = gitlab(job)
    assert commands == others
    assert variables.keys() == their_variables.keys()
