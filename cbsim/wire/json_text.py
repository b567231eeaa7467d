"""JSON from outside: read with a bound on its depth, since much that walks it has one."""

from __future__ import annotations

from typing import Any

import orjson

from cbsim.errors import WireError
from cbsim.printable import printable
from cbsim.wire.line import LONGEST

__all__ = ["DEEPEST", "parse_json"]

DEEPEST = 64
"""Levels of lists and objects; messages of the bus have five."""


def parse_json(text: bytes | str) -> Any:
    """The value of a JSON text; raises WireError for what is none, and for one too deep.

    >>> parse_json(b'{"docs": [1]}')
    {'docs': [1]}
    """
    if len(text) > LONGEST:
        raise WireError(f"longer than {LONGEST >> 20} MiB")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise WireError(f"no JSON: {printable(error)}") from None
    opening = ("[", "{") if isinstance(text, str) else (b"[", b"{")
    if sum(map(text.count, opening)) > DEEPEST and _too_deep(value):  # type: ignore[arg-type]
        raise WireError(f"no JSON that anybody reads: it is nested more than {DEEPEST} levels deep")
    return value


def _too_deep(value: object) -> bool:
    level = [value]
    for _ in range(DEEPEST + 1):
        inner: list[object] = []
        for part in level:
            if isinstance(part, dict):
                inner += part.values()
            elif isinstance(part, list):
                inner += part
        level = inner
    return bool(level)
