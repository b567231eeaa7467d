"""Looks at the first document, without asking whether there is one."""

from __future__ import annotations

from typing import Any

import correct
from correct import Forwarder

__all__ = ["Forwarder", "rows"]


def rows(hit: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each document, and a look at the first."""
    first = hit["docs"][0]
    assert first is not None
    return correct.rows(hit)
