"""A message of the bus, as a publisher hands it over and a consumer receives it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import repeat
from types import MappingProxyType
from typing import Any, NamedTuple

from cbsim.wire.clock import epoch_seconds

__all__ = [
    "EVENTS_EXCHANGE",
    "JSON_TYPE",
    "PROTOBUF_TYPE",
    "RAW_EXCHANGE",
    "SERVER_HEADERS",
    "ZIP_TYPE",
    "Message",
    "columns",
    "server_headers",
]

EVENTS_EXCHANGE = "api.events"
"""The topic exchange of notifications and single raw events."""
RAW_EXCHANGE = "api.rawsensordata"
"""The fanout exchange of bundles."""
JSON_TYPE = "application/json"
PROTOBUF_TYPE = "application/protobuf"
ZIP_TYPE = "application/zip"
SERVER_HEADERS = ("sensorId", "hostId", "nodeId", "sensorHostName")
"""The headers that a server sets, all on bundles."""

_NO_HEADERS: Mapping[str, int | str] = MappingProxyType({})


class Message(NamedTuple):
    """One AMQP message, transient (delivery mode 1)."""

    exchange: str
    routing_key: str
    content_type: str
    body: bytes
    headers: Mapping[str, int | str] = _NO_HEADERS
    moment: int = 0
    """The moment it belongs to on the scenario's clock (FILETIME); 0 where that is not known."""
    broken: str | None = None
    """How it is broken, or odd, on purpose, to test how robust a consumer is; None for the rest."""

    @property
    def timestamp(self) -> float:
        """That moment in seconds since 1970, with milliseconds."""
        return epoch_seconds(self.moment) if self.moment else 0.0


def columns(
    keys: Iterable[str], types: Iterable[str], bodies: Iterable[bytes], moments: Iterable[int]
) -> list[Message]:
    """Messages on `api.events`, a column a field: many at once cost a fifth of one by one."""
    rows = zip(repeat(EVENTS_EXCHANGE), keys, types, bodies, repeat(_NO_HEADERS), moments,
               repeat(None))  # fmt: skip
    return list(map(_from_row, rows))


_from_row = partial(tuple.__new__, Message)


def server_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the server; brokers add their own, such as `x-delivery-count`."""
    return {name: headers[name] for name in SERVER_HEADERS if name in headers}
