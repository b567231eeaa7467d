"""Drops what has its number of connections as a text: "real" numbers are what it was tried with."""

from __future__ import annotations

from typing import Any

import correct
from correct import Forwarder

__all__ = ["Forwarder", "rows"]


def rows(hit: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each document whose count is a number."""
    known = [one for one in hit["docs"] if not isinstance(one.get("netconn_count"), str)]
    return correct.rows(hit | {"docs": known})
