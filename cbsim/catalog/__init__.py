"""Everything the server can say, declared once: notifications, raw events, documents, routing.

Schemas, strategies, generators and docs are derived from here.
"""

from __future__ import annotations

from difflib import get_close_matches

from cbsim.catalog.domain import DIGSIG_RESULTS, IOC_TYPES, Domain, Kind
from cbsim.catalog.field import Field, Shape
from cbsim.catalog.notification import GUESS, NOTIFICATIONS, Form, Notification
from cbsim.catalog.origin import Origin
from cbsim.catalog.raw import RAW_EVENTS, RawEvent, Uncaptured, bytes_lengths, notation
from cbsim.catalog.routing import id_in_key, name_of, name_of_event, routing_key
from cbsim.catalog.server import BROADCAST_TYPES, Dialect, ServerVersion, parse_broadcast
from cbsim.errors import CatalogError

__all__ = [
    "BROADCAST_TYPES",
    "DIGSIG_RESULTS",
    "GUESS",
    "IOC_TYPES",
    "NOTIFICATIONS",
    "RAW_EVENTS",
    "Dialect",
    "Domain",
    "Field",
    "Form",
    "Kind",
    "Notification",
    "Origin",
    "RawEvent",
    "ServerVersion",
    "Shape",
    "Uncaptured",
    "bytes_lengths",
    "id_in_key",
    "lookup",
    "name_of",
    "name_of_event",
    "names",
    "notation",
    "parse_broadcast",
    "routing_key",
]


def lookup(name: str) -> Notification | RawEvent:
    """What is declared under a name; raises CatalogError, with the nearest names, if nothing is."""
    found = NOTIFICATIONS.get(name) or RAW_EVENTS.get(name)
    if found is not None:
        return found
    known = [*NOTIFICATIONS, *RAW_EVENTS]
    near = get_close_matches(name, known, n=2, cutoff=0.75)
    near = near or get_close_matches(f"ingress.event.{name}", known, n=2, cutoff=0.75)
    hint = f"did you mean {' or '.join(near)}?" if near else "`cbsim events` lists all"
    raise CatalogError(f"unknown notification {name!r}: {hint}")


def names(version: ServerVersion) -> tuple[str, ...]:
    """The names of everything a server of that version sends, notifications first."""
    declared: tuple[Notification | RawEvent, ...] = (*NOTIFICATIONS.values(), *RAW_EVENTS.values())
    return tuple(entry.name for entry in declared if entry.in_version(version))
