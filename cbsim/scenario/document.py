"""YAML documents from anywhere: plain values, of a bounded size, with the lines they stand on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from cbsim.errors import ScenarioError
from cbsim.printable import printable

__all__ = ["LARGEST", "compose", "value_of"]

LARGEST = 256 * 1024
"""Characters of a document."""
_MOST = 20_000
"""Values in it, those that an alias stands for counted as often as it stands there."""
_DEEPEST = 32


def compose(text: str, source: str) -> yaml.Node | None:
    """The nodes of a document; raises ScenarioError with `source` and the line."""
    if len(text) > LARGEST:
        raise ScenarioError(f"{source}: larger than {LARGEST >> 10} KiB")
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ScenarioError(f"{source}:{line}: no YAML: {printable(error.problem)}") from None
    except yaml.YAMLError as error:
        raise ScenarioError(f"{source}: no YAML: {printable(error)}") from None
    except RecursionError:
        raise ScenarioError(f"{source}: nested too deep") from None
    if tree is not None:
        _check(tree, source)
    return tree


def value_of(tree: yaml.Node | None, source: str) -> Any:
    """What a document says; raises ScenarioError likewise."""
    if tree is None:
        return None
    try:
        return _Constructor().construct_document(tree)
    except yaml.constructor.ConstructorError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ScenarioError(f"{source}:{line}: {printable(error.problem)}") from None


def _check(tree: yaml.Node, source: str) -> None:
    """Walk through the document as one without aliases would be."""
    ways: list[Iterator[yaml.Node]] = [iter([tree])]
    count = 0
    while ways:
        node = next(ways[-1], None)
        if node is None:
            ways.pop()
            continue
        count += 1
        line = node.start_mark.line + 1
        if count > _MOST:
            raise ScenarioError(f"{source}:{line}: more than {_MOST:,} values, aliases counted")
        if len(ways) > _DEEPEST:
            raise ScenarioError(f"{source}:{line}: nested more than {_DEEPEST} levels deep")
        ways.append(_inner(node))


def _inner(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair


class _Constructor(yaml.constructor.SafeConstructor):
    """Says where the value stands that is none of its kind."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError, LookupError, TypeError, AttributeError):
            kind = node.tag.rpartition(":")[2]
            shown = printable(node.value, limit=60) if isinstance(node.value, str) else "this"
            raise yaml.constructor.ConstructorError(
                None, None, f"{shown} is no {kind}", node.start_mark
            ) from None
