"""Reading the bus: a delivered message becomes the notification or the events that it carries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from cbsim.errors import WireError
from cbsim.printable import printable
from cbsim.wire import bundle
from cbsim.wire.event import as_dict
from cbsim.wire.event import decode as event_of
from cbsim.wire.json_text import parse_json
from cbsim.wire.message import EVENTS_EXCHANGE, JSON_TYPE, RAW_EXCHANGE, Message
from cbsim.wire.sensor_events_pb2 import CbEventMsg

__all__ = ["Reading", "decode", "events", "forwarded", "read"]


class Reading(NamedTuple):
    """One thing that a message says."""

    routing_key: str
    """Empty for an event of a bundle."""
    fields: dict[str, object]
    """The notification, or the event in protobuf's JSON mapping with the proto's names."""


def read(message: Message) -> Iterator[Reading]:
    """What a message carries: one notification, one raw event, or a bundle's events.

    Events of a bundle carry no `env`: it is filled in from the headers. Raises WireError.
    """
    if message.content_type == JSON_TYPE:
        try:
            fields = parse_json(message.body)
        except WireError as error:
            raise WireError(f"{printable(message.routing_key)}: {error}") from None
        if not isinstance(fields, dict):
            raise WireError(f"{printable(message.routing_key)}: expected a JSON object")
        yield Reading(message.routing_key, fields)
    elif message.routing_key:
        yield Reading(message.routing_key, as_dict(event_of(message.body)))
    else:
        for event in events(message):
            yield Reading("", as_dict(event))


def events(message: Message) -> Iterator[CbEventMsg]:
    """The events of a bundle, with their `env`; raises WireError."""
    for run in bundle.members(message.body):
        for body in bundle.split(run):
            event = event_of(body)
            _fill(event, message.headers)
            yield event


def decode(
    body: bytes,
    routing_key: str,
    content_type: str,
    headers: Mapping[str, int | str] | None = None,
) -> list[Reading]:
    """What a delivered message carries, from what a consumer's callback gets; see `read`.

    >>> body = b'{"feed_id": 7, "full_sync": false, "event_timestamp": 1447696175.07}'
    >>> decode(body, "cmd.feed.synchronize", "application/json")[0].fields["feed_id"]
    7
    """
    exchange = EVENTS_EXCHANGE if routing_key else RAW_EXCHANGE
    return list(read(Message(exchange, routing_key, content_type, body, headers or {})))


def forwarded(fields: Mapping[str, Any]) -> bool:
    """Whether these are the fields of a forwarder's line, which no message of the bus has."""
    ours = "event_timestamp" in fields or "header" in fields
    return isinstance(fields.get("type"), str) and (
        "cb_server" in fields or ("timestamp" in fields and not ours)
    )


def _fill(event: CbEventMsg, headers: Mapping[str, int | str]) -> None:
    endpoint = event.env.endpoint
    try:
        endpoint.SensorId = int(headers.get("sensorId", 0))
        endpoint.HostId = int(headers.get("hostId", 0))
        endpoint.SensorHostName = str(headers.get("sensorHostName", ""))
        event.env.server.NodeId = int(headers.get("nodeId", 0))
    except (ValueError, TypeError):
        raise WireError("headers: expected numbers in sensorId, hostId and nodeId") from None
