"""Quantities as people write them: `500/s`, `30s`, `1%`."""

from __future__ import annotations

import re

from cbsim.errors import ScenarioError
from cbsim.printable import printable

__all__ = ["parse_duration", "parse_rate", "parse_share"]

_RATE = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(?:/\s*(s|sec|second|m|min|minute|h|hour))?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|m|min|h)?")
_SHARE = re.compile(r"(\d{1,20}(?:\.\d{1,20})?|\.\d{1,20})\s*(%)?")
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


def parse_share(text: str | float) -> float:
    """A share of `1%` or `0.01`, above 0 and at most 1; raises ScenarioError."""
    match = _SHARE.fullmatch(f"{text:.20f}" if isinstance(text, float) else str(text).strip())
    share = float(match[1]) / (100 if match[2] else 1) if match else 0.0
    if not 0 < share <= 1:
        raise ScenarioError(
            f"share {printable(text)!r}: expected one above 0 and at most 1, such as 1% or 0.01"
        )
    return share
