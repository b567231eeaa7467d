"""What is wrong with a scenario file, in a sentence: where, and what was expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cbsim.printable import printable
from cbsim.world.setting import Part

__all__ = ["line", "told"]

_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "keys with values",
    "enum": "{expected}",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "list_type": "a list",
    "literal_error": "{expected}",
    "model_type": "keys with values",
    "string_type": "a text",
    "tuple_type": "a list",
}
"""What pydantic's types of errors mean, by the name of each, with its parameters."""


def told(error: ValidationError, tree: Any, data: Any) -> str:
    """The line, the key and what is wrong there, as `LINE: KEY: SENTENCE`, of a YAML `tree`."""
    problems = error.errors()
    # Of the branches of a union, the one that went deepest into the data is the one that was meant.
    problem = max(
        problems, key=lambda each: (len(_real(each["loc"], data)), each["type"] == "value_error")
    )
    where = _real(problem["loc"], data)
    key = ".".join(map(str, where)) or "scenario"
    return f"{line(tree, where)}: {printable(key)}: {_said(problem, where)}"


def line(node: Any, where: Sequence[int | str]) -> int:
    """The line where a key or an item stands in a YAML tree, the first being 1."""
    number = int(node.start_mark.line) + 1
    for part in where:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    number, node = int(key.start_mark.line) + 1, value
                    break
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            number = int(node.start_mark.line) + 1
    return number


def _said(problem: ErrorDetails, where: Sequence[int | str]) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        near = get_close_matches(str(where[-1]), sorted(_keys() - {where[-1]}), n=1)
        return "unknown key" + (f": did you mean {near[0]!r}?" if near else "")
    if kind == "missing":
        missing = [part for part in problem["loc"] if part not in where]
        return f"{missing[-1] if missing else 'a field'!r} is missing"
    if kind == "too_short":
        return "expected one item or more"
    if kind in _EXPECTED:
        expected = _EXPECTED[kind].format(**context)
        return f"expected {expected}, not {printable(repr(problem['input']), 60)}"
    return printable(problem["msg"].removeprefix("Value error, "), 400)


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


def _keys() -> set[str]:
    """Every key that some part of a scenario has."""
    return {
        field.alias or name for part in _parts(Part) for name, field in part.model_fields.items()
    }


def _parts(part: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for kind in part.__subclasses__():
        yield kind
        yield from _parts(kind)
