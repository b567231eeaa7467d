"""What can be wrong with a message: the faults, their names, and a broken message's label."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from cbsim.wire.message import Message

__all__ = ["Fault", "FaultName", "Malformed"]


class Fault(StrEnum):
    """What is wrong with a message."""

    TRUNCATED_JSON = "truncated-json"
    TRUNCATED_PROTOBUF = "truncated-protobuf"
    EMPTY_BODY = "empty-body"
    NOT_AN_OBJECT = "not-an-object"
    WRONG_CONTENT_TYPE = "wrong-content-type"
    WRONG_TYPE = "wrong-type"
    MISSING_FIELD = "missing-field"
    UNKNOWN_FIELD = "unknown-field"
    DUPLICATE_KEY = "duplicate-key"
    DEEP_NESTING = "deep-nesting"
    NOT_A_NUMBER = "not-a-number"
    INVALID_UTF8 = "invalid-utf8"
    LONE_SURROGATE = "lone-surrogate"
    OVERSIZED_BODY = "oversized-body"
    WRONG_LENGTH = "wrong-length"
    CORRUPT_ZIP = "corrupt-zip"
    ZIP_BOMB = "zip-bomb"


FaultName = Literal[
    "truncated-json", "truncated-protobuf", "empty-body", "not-an-object", "wrong-content-type",
    "wrong-type", "missing-field", "unknown-field", "duplicate-key", "deep-nesting",
    "not-a-number", "invalid-utf8", "lone-surrogate", "oversized-body", "wrong-length",
    "corrupt-zip", "zip-bomb",
]  # fmt: skip
"""The names of the faults, for type checkers."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A broken message and what is wrong with it."""

    message: Message
    fault: Fault
    detail: str
    """What was done, such as `cut after 17 of 230 bytes`."""
    pointer: str | None = None
    """Of a fault in a field: a JSON pointer to it."""

    def __str__(self) -> str:
        return f"{self.fault}: {self.detail}"

    def __repr__(self) -> str:
        body = self.message.body
        shown = repr(body) if len(body) <= 2000 else f"{body[:60]!r}... of {len(body)} bytes"
        return f"<{self}; {self.message.routing_key or self.message.exchange} {shown}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """How Hypothesis shows it."""
        printer.text("<...>" if cycle else repr(self))
