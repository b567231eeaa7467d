"""The specification as printed."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["examples"]


def examples(text: str) -> Iterator[tuple[str, str]]:
    """The specification's examples by notification, as printed."""
    name, block = "", []
    for line in text.splitlines():
        if line.startswith("Name: "):
            name, block = line.removeprefix("Name: ").strip(), []
        elif name and (line.strip() == "{" or block):
            block.append(line)
            if line.strip() == "}" and len(line) == len(block[0]):
                yield name, "\n".join(block)
                name, block = "", []
