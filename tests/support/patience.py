"""Waiting for what another process or thread is about to do."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["until"]


def until(true: Callable[[], object], patience: float = 20.0) -> None:
    """Return as soon as it is true; AssertionError after `patience` seconds."""
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, f"it did not happen within {patience} seconds"
        time.sleep(0.02)
