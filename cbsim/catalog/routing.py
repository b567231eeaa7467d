"""Routing keys: what a server publishes a message under, and which message a key stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cbsim.catalog.notification import NOTIFICATIONS, Notification
from cbsim.catalog.raw import RAW_EVENTS
from cbsim.catalog.server import ServerVersion
from cbsim.errors import UnknownKeyError

__all__ = ["id_in_key", "name_of", "name_of_event", "routing_key"]

_WITH_ID = re.compile(r"^(watchlist|feed)\.\d+\.")


def id_in_key(
    notification: Notification, version: ServerVersion, *, watchlist_ids: bool = False
) -> str | None:
    """The field whose value is in the routing key: `feed_id` of feeds' hits from 5.2 on.

    `watchlist_ids`: have `watchlist_id` there as well, which no server was seen to do.
    """
    known = notification.database_id
    if known == "watchlist_id" and not watchlist_ids:
        return None
    return known if version.feed_id_in_key else None


def routing_key(
    notification: Notification,
    version: ServerVersion,
    database_id: int,
    *,
    watchlist_ids: bool = False,
) -> str:
    """The key of a notification: its name, with the database id where `id_in_key` says so.

    >>> routing_key(NOTIFICATIONS["feed.storage.hit.process"], ServerVersion.V5_2, 24)
    'feed.24.storage.hit.process'
    >>> routing_key(NOTIFICATIONS["watchlist.hit.process"], ServerVersion.V5_2, 3)
    'watchlist.hit.process'
    """
    if id_in_key(notification, version, watchlist_ids=watchlist_ids) is None:
        return notification.name
    head, _, tail = notification.name.partition(".")
    return f"{head}.{database_id}.{tail}"


def name_of(routing_key: str) -> str:
    """The catalog's name for a routing key; raises UnknownKeyError when there is none.

    >>> name_of("watchlist.12.storage.hit.process")
    'watchlist.storage.hit.process'
    """
    name = _WITH_ID.sub(r"\1.", routing_key)
    if name in NOTIFICATIONS or name in RAW_EVENTS:
        return name
    raise UnknownKeyError(f"routing key {routing_key!r} is of no kind that is known")


def name_of_event(fields: Mapping[str, Any]) -> str:
    """The name of a raw event by what it carries, as a dict of dicts; raises UnknownKeyError.

    >>> name_of_event({"header": {"version": 4}, "process": {"created": False}})
    'ingress.event.procend'
    """
    process = fields.get("process") or {}
    for name, event in reversed(RAW_EVENTS.items()):
        carried = any(one in fields for one in event.carries)
        if carried and event.created in (None, bool(process.get("created"))):
            inner = [path.partition(".") for path in event.inner]
            if all(within in (fields.get(outer) or {}) for outer, _, within in inner):
                return name
    carried_by = ", ".join(key for key in fields if key not in ("header", "strings", "env"))
    raise UnknownKeyError(f"no kind of raw event that is known carries {carried_by or 'nothing'}")
