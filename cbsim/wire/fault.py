"""What can be wrong with, or odd of, a message on purpose."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["EXPECTED", "SPARED", "Fault", "Oddity"]


class Fault(StrEnum):
    """What is wrong with a message."""

    TRUNCATED_JSON = "truncated-json"
    TRUNCATED_PROTOBUF = "truncated-protobuf"
    EMPTY_BODY = "empty-body"
    NOT_AN_OBJECT = "not-an-object"
    WRONG_CONTENT_TYPE = "wrong-content-type"
    WRONG_TYPE = "wrong-type"
    MISSING_FIELD = "missing-field"
    DUPLICATE_KEY = "duplicate-key"
    DEEP_NESTING = "deep-nesting"
    NOT_A_NUMBER = "not-a-number"
    INVALID_UTF8 = "invalid-utf8"
    LONE_SURROGATE = "lone-surrogate"
    OVERSIZED_BODY = "oversized-body"
    WRONG_LENGTH = "wrong-length"
    CORRUPT_ZIP = "corrupt-zip"
    ZIP_BOMB = "zip-bomb"


EXPECTED = "odd: "
"""How the label of a message begins that a consumer should put out all the same."""


SPARED = "odd, may be left out: "
"""How it begins of a legal one that it may have nothing to say of."""


class Oddity(StrEnum):
    """What is odd of a legal message."""

    EMPTY_DOCS = "empty-docs"
    UNKNOWN_FIELD = "unknown-field"
    UNKNOWN_ROUTING_KEY = "unknown-routing-key"
    NULL = "null"

    @property
    def label(self) -> str:
        """How it is called beside a message.

        Of no documents, and of a name that nobody knows, a consumer may have nothing to say.
        """
        told = self in (Oddity.UNKNOWN_FIELD, Oddity.NULL)
        return f"{EXPECTED if told else SPARED}{self}"
