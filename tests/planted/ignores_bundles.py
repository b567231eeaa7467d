"""Passes over what is not JSON: bundles."""

from __future__ import annotations

from typing import Any

from correct import Forwarder as Correct
from correct import rows

__all__ = ["Forwarder", "rows"]


class Forwarder(Correct):
    """Writes notifications alone."""

    def write(self, buffer: list[Any]) -> None:
        """Write what is JSON."""
        super().write([one for one in buffer if isinstance(one, dict)])
