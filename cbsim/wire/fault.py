"""Messages that are broken on purpose, and what can be wrong with one."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from cbsim.wire.message import Message

__all__ = ["BrokenMessage", "Fault"]


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


class BrokenMessage(Message):
    """A message that is broken on purpose, as a consumer's robustness is tested with."""

    fault: str
    """What is wrong with it."""

    @classmethod
    def of(cls, message: Message, fault: str) -> Self:
        """The message with its label."""
        made = cls._make(message)
        made.fault = fault
        return made

    def __repr__(self) -> str:
        return f"<{self.fault}: {self.routing_key or self.exchange}, {len(self.body)} bytes>"
