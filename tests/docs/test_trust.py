"""The page on what is promised: each row's test is there, each limit is what the broker has."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from cbsim.bus.embedded.quota import Quota
from cbsim.scenario.loader import parse

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "trust.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "| ---" not in line]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


@pytest.mark.parametrize(("path", "test"), NAMED)
def test_every_test_it_names_is_there(path: str, test: str) -> None:
    assert f"\ndef {test}(" in (ROOT / path).read_text()


def test_every_row_has_a_test_or_a_limit() -> None:
    headings = [row for row in ROWS if row.endswith(("| the test |", "| limit |"))]
    rest = [row for row in ROWS if row not in headings]
    assert len(rest) > 40
    for row in rest:
        assert re.search(r"`tests/[\w/]+\.py::\w+` \|$|\| [\d,]+ \|$", row), row


@pytest.mark.parametrize("limit", [field.name for field in fields(Quota)])
def test_limits_are_those_of_the_broker(limit: str) -> None:
    (said,) = re.findall(rf"^\| `{limit}`.*\| ([\d,]+) \|$", PAGE, re.MULTILINE)
    assert int(said.replace(",", "")) == getattr(Quota(), limit)


def test_the_faults_it_shows_can_be() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    wanted = parse(f"phases: [{{count: 1, rate: max}}]\n{block}")
    assert len(wanted.faults) == len(yaml.safe_load(block)["faults"])
