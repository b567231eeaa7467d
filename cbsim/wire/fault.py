"""What can be wrong with a message that is broken on purpose."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Fault"]


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
