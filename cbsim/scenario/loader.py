"""Loads scenarios: a path or a shipped name, with errors that name file, line and field."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from pydantic import ValidationError

from cbsim.errors import ScenarioError
from cbsim.scenario.document import LARGEST, compose, value_of
from cbsim.scenario.mistake import line, told
from cbsim.scenario.model import Scenario
from cbsim.shipped import folder

__all__ = ["found", "load", "parse", "shipped"]


def shipped() -> dict[str, str]:
    """The scenarios that come with cbsim: name and first comment line, in order."""
    return {
        path.stem: path.read_text().partition("\n")[0].lstrip("# ")
        for path in sorted(folder("scenarios").glob("*.yaml"))
    }


def found(name: str) -> Path:
    """The file of a scenario: a path, or the name of a shipped one; raises ScenarioError."""
    path = Path(name)
    if not path.is_file():
        path = folder("scenarios") / f"{name}.yaml"
        if "/" in name or not path.is_file():
            near = get_close_matches(name, shipped(), n=1)
            hint = f"did you mean {near[0]}?" if near else "shipped are " + ", ".join(shipped())
            raise ScenarioError(f"there is no scenario {name!r}: {hint}")
    return path


def load(name: str) -> Scenario:
    """The scenario in a file, or the shipped one of that name; raises ScenarioError."""
    path = found(name)
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LARGEST + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from None
    return parse(text, str(path))


def parse(text: str, source: str = "scenario") -> Scenario:
    """The scenario in a YAML text; raises ScenarioError with `source`, line and field."""
    tree = compose(text, source)
    data = value_of(tree, source)
    if not isinstance(data, dict):
        raise ScenarioError(f"{source}:1: expected a mapping with `phases`")
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        raise ScenarioError(f"{source}:{told(error, tree, data)}") from None
    for at, phase in enumerate(scenario.phases):
        for number, injection in enumerate(phase.inject):
            injection.found_at(f"{source}:{line(tree, ('phases', at, 'inject', number))}")
    return scenario
