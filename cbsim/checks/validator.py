"""Validates messages against the schemas, and says of each problem where, what, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

import jsonschema_rs
import orjson

from cbsim.catalog import Dialect, lookup
from cbsim.checks.raw_schema import EVENT
from cbsim.checks.schema import BASE, Schema, location, schemas
from cbsim.errors import CbsimError
from cbsim.printable import printable

__all__ = ["InvalidMessage", "Problem", "Validator", "iter_errors", "validate", "validator"]

_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a message."""

    pointer: str
    """A JSON pointer (RFC 6901) to the value; of what is missing, to where it should be."""
    rule: str
    """The schema's keyword (`type`, `required`, ...), or the name of a semantic rule."""
    found: str
    """The value as JSON, shortened; `nothing` when it is missing."""
    expected: str
    source: str
    """The section of the specification, or the wire fact, that says so."""
    warning: bool = False
    """Whether real servers do this too."""

    def __str__(self) -> str:
        at = self.pointer or "the message"
        said = f"{at}: expected {self.expected}, found {self.found} ({self.source})"
        return printable(said, limit=1000)


class InvalidMessage(CbsimError, ValueError):  # noqa: N818 - says what it is, as Hypothesis' do
    """A message that is not as its schema says; `problems` has them all."""

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{name}: {problems[0]}{more}")
        self.problems = tuple(problems)


class Validator:
    """Validates messages of one name in one dialect; made once, it is fast. Raises CatalogError.

    `CbEventMsg` stands for any raw event, whatever it carries.

    >>> command = Validator("cmd.feed.synchronize")
    >>> command.is_valid({"feed_id": 7, "full_sync": False, "event_timestamp": 1447696175.07})
    True
    """

    def __init__(self, name: str, dialect: Dialect | str = Dialect.OBSERVED) -> None:
        self.name = EVENT if name == EVENT else lookup(name).name
        self.dialect = Dialect.parse(dialect)
        self._path = location(name, self.dialect)
        self._compiled = jsonschema_rs.Draft202012Validator(
            schemas()[self._path], registry=_registry(), retriever=_no_other
        )
        self.is_valid = self._compiled.is_valid
        """Whether a message (as `orjson.loads` gives it, or `as_dict` for a raw event) is valid."""

    def iter_errors(self, message: object) -> Iterator[Problem]:
        """Every problem of a message; what two keywords say of one value comes once."""
        told: set[tuple[str, str]] = set()
        for error in self._compiled.iter_errors(message):
            for problem in _problems(error, message, self._path):
                if (problem.pointer, problem.expected) not in told:
                    told.add((problem.pointer, problem.expected))
                    yield problem

    def validate(self, message: object) -> None:
        """Raise InvalidMessage unless a message is valid."""
        if not self.is_valid(message):
            raise InvalidMessage(self.name, list(self.iter_errors(message)))


@lru_cache(maxsize=128)
def validator(name: str, dialect: Dialect | str = Dialect.OBSERVED) -> Validator:
    """The validator of that name and dialect, made at its first use; raises CatalogError."""
    return Validator(name, dialect)


def iter_errors(
    message: object, name: str, dialect: Dialect | str = Dialect.OBSERVED
) -> Iterator[Problem]:
    """Every problem of a message of that name; raises CatalogError.

    >>> [problem.pointer for problem in iter_errors({"md5": "?"}, "binaryinfo.observed")]
    ['/event_timestamp', '/scores', '/md5']
    """
    return validator(name, dialect).iter_errors(message)


def validate(message: object, name: str, dialect: Dialect | str = Dialect.OBSERVED) -> None:
    """Raise InvalidMessage, naming the first problem, unless a message is valid."""
    validator(name, dialect).validate(message)


@lru_cache(maxsize=1)
def _registry() -> jsonschema_rs.Registry:
    return jsonschema_rs.Registry([(BASE + path, schema) for path, schema in schemas().items()])


def _no_other(uri: str) -> NoReturn:
    """Nothing is fetched from anywhere: our schemas refer to one another only."""
    raise LookupError(uri)


def _problems(
    error: jsonschema_rs.ValidationError, message: object, path: str
) -> Iterator[Problem]:
    where = list(error.instance_path)
    keyword = error.kind.name
    nodes, source = _nodes(path, where), _source(path, where)
    if keyword == "required":
        at = [*where, str(error.kind.value)]
        known = _phrase(_nodes(path, at))
        yield Problem(_pointer(at), keyword, "nothing", known, _source(path, at))
        return
    if keyword in ("additionalProperties", "unevaluatedProperties"):
        for extra in _extras(error.instance, nodes):
            at = [*where, extra[0]]
            yield Problem(_pointer(at), keyword, _shown(extra[1]), "no such field", source)
        return
    if keyword == "falseSchema":
        yield Problem(_pointer(where), "additionalProperties", _shown(error.instance),
                      "no such field", source)  # fmt: skip
        return
    if keyword == "anyOf" and not where:
        choices = [one for node in nodes for it in node.get("anyOf", ()) for one in it["required"]]
        yield Problem("", "required", _shown([*message] if isinstance(message, dict) else message),
                      "one of the fields " + ", ".join(choices), source)  # fmt: skip
        return
    yield Problem(_pointer(where), keyword, _shown(error.instance), _phrase(nodes), source)


def _extras(instance: object, nodes: Sequence[Schema]) -> list[tuple[str, object]]:
    """The fields that no schema knows, and their values."""
    declared = {name for node in nodes for name in node.get("properties", ())}
    families = [family for node in nodes for family in node.get("patternProperties", ())]
    return [
        (name, value)
        for name, value in (instance.items() if isinstance(instance, dict) else ())
        if name not in declared and not any(re.search(family, name) for family in families)
    ]


def _pointer(where: Sequence[str | int]) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in where)


def _shown(value: object) -> str:
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _nodes(path: str, where: Sequence[str | int]) -> list[Schema]:
    """The schemas that speak of a value, the most specific first."""
    nodes = _unfolded(path, schemas()[path])
    for part in where:
        inner: list[tuple[str, Schema]] = []
        for home, node in nodes:
            found: Any = None
            if isinstance(part, int):
                found = node.get("items")
            else:
                found = node.get("properties", {}).get(part)
                if found is None:
                    for family, value in node.get("patternProperties", {}).items():
                        if re.search(family, part):
                            found = value
            if isinstance(found, dict):
                inner += _unfolded(home, found)
        nodes = inner
    return [node for _, node in nodes]


def _source(path: str, where: Sequence[str | int]) -> str:
    """Who says so: the innermost schema on the way to a value that names its source."""
    for end in range(len(where), -1, -1):
        for node in _nodes(path, where[:end]):
            if "$comment" in node:
                return str(node["$comment"])
    return ""


def _unfolded(path: str, node: Schema) -> list[tuple[str, Schema]]:
    out = [(path, node)]
    reference = node.get("$ref")
    if reference is not None:
        file, _, inside = reference.partition("#/$defs/")
        home = path
        if file:
            folder = path.rpartition("/")[0]
            home = file.removeprefix("../") if file.startswith("../") else f"{folder}/{file}"
        target: Mapping[str, Any] = schemas()[home]
        out += _unfolded(home, dict(target["$defs"][inside] if inside else target))
    return out


_WORDS = {
    "string": "a string", "integer": "an integer", "number": "a number", "boolean": "true or false",
    "object": "an object", "array": "a list", "null": "null",
}  # fmt: skip


def _phrase(nodes: Sequence[Schema]) -> str:
    """What a schema asks for, in words."""
    merged: Schema = {}
    for node in reversed(nodes):
        merged |= {key: value for key, value in node.items() if key != "$ref"}
    if "const" in merged:
        return orjson.dumps(merged["const"]).decode()
    if "enum" in merged:
        return "one of " + ", ".join(map(str, merged["enum"]))
    types = merged.get("type", [])
    types = [types] if isinstance(types, str) else types
    plain = [it for it in types if it != "string" or not {"integer", "number"} & {*types}]
    said = " or ".join(_WORDS[it] for it in plain) or "something"
    if plain != types:
        said += ", bare or as a string"
    if "title" in merged and types != ["object"]:
        said += f" ({merged['title']})"
    if "minimum" in merged and "maximum" in merged:
        said += f" from {merged['minimum']} to {merged['maximum']}"
    if "minItems" in merged:
        said += f" of at least {merged['minItems']}"
    if "pattern" in merged and "examples" in merged:
        said += f" such as {orjson.dumps(merged['examples'][0]).decode()}"
    return said
