"""Values of notifications, in whichever shape a server writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from cbsim.errors import WireError
from cbsim.wire.clock import from_epoch_seconds, parse_display_time, parse_iso_time

__all__ = ["MS", "Fields", "documents", "inner", "key_of", "listed", "moment_of", "ticks", "whole"]

Fields = Mapping[str, Any]

MS = 10_000
"""Ticks in a millisecond: JSON's times are cut to it."""


def whole(value: object) -> int | None:
    """A number, or the digits of one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return int(value) if value.lstrip("-").isdigit() else None
    return value if isinstance(value, int) else None


def ticks(value: object) -> int | None:
    """The FILETIME of an ISO 8601 time, or of one as people write it."""
    if not isinstance(value, str):
        return None
    try:
        return parse_iso_time(value)
    except WireError:
        pass
    try:
        return parse_display_time(value)
    except WireError:
        return None


def moment_of(fields: Fields) -> tuple[int, int] | None:
    """The FILETIME of a notification's own time, and how coarse it is, in ticks."""
    value = fields.get("event_timestamp", fields.get("timestamp"))
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    coarse = isinstance(value, int) or (isinstance(value, str) and "." not in value)
    return from_epoch_seconds(seconds), 10_000_000 if coarse else MS


def inner(fields: Fields, *names: str) -> dict[str, Any]:
    """The first of these members that holds an object, be it as JSON in a string."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str) and value.startswith("{"):
            value = orjson.loads(value)
        if isinstance(value, dict):
            return value
    return {}


def listed(value: object) -> list[str]:
    """A list of strings, or the one string."""
    if isinstance(value, str):
        return [value]
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def documents(fields: Fields) -> Iterator[dict[str, Any]]:
    """The documents of a hit."""
    docs = fields.get("docs")
    if isinstance(docs, list):
        yield from (document for document in docs if isinstance(document, dict))


def key_of(fields: Fields) -> str | None:
    """The process key in a notification or a document."""
    for name in ("process_id", "process_guid", "id", "unique_id", "process_unique_id"):
        value = fields.get(name)
        if isinstance(value, str) and len(value) >= 36 and value[8] == "-" and value[13] == "-":
            key = value[:36]
            # An alert's own unique_id is a GUID of the usual kind; a process's has the FILETIME.
            if name != "unique_id" or len(value) > 36:
                return key
    return None
