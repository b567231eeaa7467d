"""All targets, by name: an entry point each, where something comes in that others wrote."""

from __future__ import annotations

from tests.support.fuzz.outputs import OUTPUTS
from tests.support.fuzz.wire import WIRE
from tests.support.fuzz.words import WORDS

__all__ = ["TARGETS"]

TARGETS = {target.name: target for target in (*WIRE, *OUTPUTS, *WORDS)}
