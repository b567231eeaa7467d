"""Loads scenarios: a path or a shipped name, with errors that name file, line and field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from cbsim.errors import ScenarioError
from cbsim.printable import printable
from cbsim.scenario.document import LARGEST, compose, value_of
from cbsim.scenario.model import Scenario
from cbsim.shipped import folder

__all__ = ["load", "parse", "shipped"]


def shipped() -> dict[str, str]:
    """The scenarios that come with cbsim: name and first comment line, in order."""
    found = {}
    for path in sorted(folder("scenarios").glob("*.yaml")):
        found[path.stem] = path.read_text().partition("\n")[0].lstrip("# ")
    return found


def load(name: str) -> Scenario:
    """The scenario in a file, or the shipped one of that name; raises ScenarioError."""
    path = Path(name)
    if not path.is_file():
        path = folder("scenarios") / f"{name}.yaml"
        if "/" in name or not path.is_file():
            near = get_close_matches(name, shipped(), n=1)
            hint = f"did you mean {near[0]}?" if near else "shipped are " + ", ".join(shipped())
            raise ScenarioError(f"there is no scenario {name!r}: {hint}")
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
        return Scenario.model_validate(data)
    except ValidationError as error:
        raise ScenarioError(_sentence(error, tree, data, source)) from None


def _sentence(error: ValidationError, tree: Any, data: Any, source: str) -> str:
    problems = error.errors()
    # Of the branches of a union, the one that went deepest into the data is the one that was meant.
    problem = max(
        problems, key=lambda one: (len(_real(one["loc"], data)), one["type"] == "value_error")
    )
    where = _real(problem["loc"], data)
    line, field = _line(tree, where), ".".join(map(str, where)) or "scenario"
    said = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        said = "unknown key"
        near = get_close_matches(str(where[-1]), _keys(where), n=1)
        said += f": did you mean {near[0]!r}?" if near else ""
    elif problem["type"] == "missing":
        missing = [part for part in problem["loc"] if part not in where]
        said = f"{missing[-1] if missing else 'a field'!r} is missing"
    return f"{source}:{line}: {printable(field)}: {printable(said, limit=500)}"


def _real(loc: Sequence[int | str], data: Any) -> tuple[int | str, ...]:
    """The part of pydantic's location that is in the data, without its names of union branches."""
    where: list[int | str] = []
    for part in loc:
        if (isinstance(data, Mapping) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        ):
            where.append(part)
            data = data[part]  # type: ignore[index]
    return tuple(where)


def _line(node: Any, where: Sequence[int | str]) -> int:
    line = int(node.start_mark.line) + 1
    for part in where:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    line, node = int(key.start_mark.line) + 1, value
                    break
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = int(node.start_mark.line) + 1
    return line


def _keys(where: Sequence[int | str]) -> list[str]:
    from pydantic import BaseModel

    from cbsim.scenario import model

    names: list[str] = []
    for part in vars(model).values():
        if isinstance(part, type) and issubclass(part, BaseModel):
            names += [field.alias or name for name, field in part.model_fields.items()]
    return [name for name in names if name != where[-1]]
