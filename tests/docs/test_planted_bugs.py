"""Consumers with a bug each are found by the tests that the README prints; a correct one passes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLANTED = ROOT / "tests" / "planted"
PRINTED = re.compile(r"```python\n(# (test_\w+\.py)\b.*?)```", re.DOTALL)
RECIPES = {name: code for code, name in PRINTED.findall((ROOT / "README.md").read_text())}
BUGS = {
    "drops_texts": ("test_parser.py", "test_my_parser_takes_every_hit"),
    "expects_documents": ("test_parser.py", "test_my_parser_survives_odd_hits"),
    "acks_early": ("test_recovery.py", "test_my_consumer_recovers"),
    "ignores_bundles": ("test_recovery.py", "test_my_consumer_takes_bundles"),
}


def outcome(folder: Path, recipe: str, consumer: Path, *words: str) -> tuple[int, str]:
    """How a recipe goes with a consumer in the place of `examples/forwarder.py`."""
    (folder / recipe).write_text(RECIPES[recipe])
    shutil.copy(consumer, folder / "forwarder.py")
    shutil.copy(ROOT / "examples" / "forwarder.py", folder / "correct.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-pno:cacheprovider", "-Werror", "-rfE",
         "--cbsim-broker=embedded", recipe, *words],
        cwd=folder, capture_output=True, text=True, timeout=80, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.parametrize("recipe", sorted({recipe for recipe, _ in BUGS.values()}))
def test_the_correct_consumer_passes(recipe: str, tmp_path: Path) -> None:
    code, said = outcome(tmp_path, recipe, ROOT / "examples" / "forwarder.py")
    assert code == 0, said


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str, tmp_path: Path) -> None:
    recipe, test = BUGS[bug]
    code, said = outcome(tmp_path, recipe, PLANTED / f"{bug}.py")
    failed = re.findall(r"^FAILED \w+\.py::(\w+)", said, re.MULTILINE)
    assert (code, failed) == (1, [test]), said


def test_all_that_are_planted_are_looked_for() -> None:
    assert {path.stem for path in PLANTED.glob("*.py")} == {*BUGS}


def test_early_acks_are_found_every_time(tmp_path: Path) -> None:
    """Twenty of twenty, in one process."""
    recipe, test = BUGS["acks_early"]
    (tmp_path / "conftest.py").write_text(
        "def pytest_generate_tests(metafunc):\n"
        "    metafunc.fixturenames.append('round')\n"
        "    metafunc.parametrize('round', range(20))\n"
    )
    _, said = outcome(tmp_path, recipe, PLANTED / "acks_early.py", "-k", test)
    assert "20 failed" in said, said
