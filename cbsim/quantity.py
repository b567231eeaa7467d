"""Quantities as people write them: `500/s`, `30s`."""

from __future__ import annotations

import re

from cbsim.errors import ScenarioError
from cbsim.printable import printable

__all__ = ["parse_duration", "parse_rate"]

_RATE = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(?:/\s*(s|sec|second|m|min|minute|h|hour))?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|m|min|h)?")
_FASTEST = 1e12
_CENTURY = 3.2e9
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def parse_rate(text: str | float) -> float:
    """Messages a second of `500/s`, `30/min`, `2/h` or a bare number; raises ScenarioError."""
    match = _RATE.fullmatch(str(text).strip())
    rate = float(match[1]) / _SECONDS[(match[2] or "s")[0]] if match else 0.0
    if not 0 < rate <= _FASTEST:
        raise ScenarioError(
            f"rate {printable(text)!r}: expected a number above 0 such as 500/s or 30/min, or max"
        )
    return rate


def parse_duration(text: str | float) -> float:
    """Seconds of `30s`, `500ms`, `5m`, `2h` or a bare number; raises ScenarioError."""
    match = _DURATION.fullmatch(str(text).strip())
    seconds = float(match[1]) * _SECONDS[match[2] or "s"] if match else -1.0
    if not 0 <= seconds <= _CENTURY:
        raise ScenarioError(
            f"duration {printable(text)!r}: expected a number with ms, s, m or h, such as 30s"
        )
    return seconds
