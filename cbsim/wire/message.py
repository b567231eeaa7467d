"""A message of the bus, as a publisher hands it over and a consumer receives it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

__all__ = [
    "EVENTS_EXCHANGE",
    "JSON_TYPE",
    "PROTOBUF_TYPE",
    "RAW_EXCHANGE",
    "ZIP_TYPE",
    "Message",
]

EVENTS_EXCHANGE = "api.events"
"""The topic exchange of notifications and single raw events."""
RAW_EXCHANGE = "api.rawsensordata"
"""The fanout exchange of bundles."""
JSON_TYPE = "application/json"
PROTOBUF_TYPE = "application/protobuf"
ZIP_TYPE = "application/zip"

_NO_HEADERS: Mapping[str, int | str] = MappingProxyType({})


class Message(NamedTuple):
    """One AMQP message, transient (delivery mode 1)."""

    exchange: str
    routing_key: str
    content_type: str
    body: bytes
    headers: Mapping[str, int | str] = _NO_HEADERS
    timestamp: float = 0.0
    """The moment it belongs to on the scenario's clock, seconds since 1970."""
