"""Hits and alerts: of whom was told, after their cause, each after what it follows from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cbsim.errors import WireError
from cbsim.wire.identity import parse_process_key
from tests.support.consistency.causes import binary_cause, called, process_cause, queried
from tests.support.consistency.context import Context
from tests.support.consistency.documents import Documents
from tests.support.consistency.told import Life
from tests.support.consistency.values import (
    MS,
    Fields,
    documents,
    inner,
    key_of,
    moment_of,
    whole,
)

__all__ = ["Hits"]

_FOLLOWS = {
    # A message: those of which one must have come before, and what both are about.
    "feed.storage.hit.process": (("feed.ingress.hit.process",), "report"),
    "feed.storage.hit.binary": (("feed.ingress.hit.binary",), "report"),
    "alert.watchlist.hit.ingress.process": (("feed.ingress.hit.process",), "feed"),
    "alert.watchlist.hit.ingress.binary": (("feed.ingress.hit.binary",), "feed"),
    "alert.watchlist.hit.ingress.host": (("feed.ingress.hit.host",), "feed"),
    "alert.watchlist.hit.query.process":
        (("watchlist.storage.hit.process", "watchlist.hit.process"), "watchlist"),
    "alert.watchlist.hit.query.binary":
        (("watchlist.storage.hit.binary", "watchlist.hit.binary"), "watchlist"),
    "alert.watchlist.hit.feedsearch.binary": (("feed.query.hit.binary",), "feed"),
    "alert.watchlist.hit.feedsearch.bin": (("feed.query.hit.binary",), "feed"),
    "feed.synchronized": (("cmd.feed.synchronize",), "synchronization"),
}  # fmt: skip


class Hits:
    """Checks hits and alerts, one after another."""

    def __init__(self, context: Context) -> None:
        self._context, self._told = context, context.told
        self._documents = Documents(context)

    def take(self, name: str, fields: Mapping[str, Any]) -> None:
        """A notification of that name."""
        context, at = self._context, moment_of(fields)
        moment = at[0] if at and at[1] < 1_000_000 else context.moment
        if at and at[0] > context.moment + MS:
            context.say("future", f"event_timestamp is {(at[0] - context.moment) / 1e7:.3f} s "
                                  "after its message's moment")  # fmt: skip
        sensor = whole(fields.get("sensor_id"))
        if sensor is not None:
            for fact in ("hostname", "group"):
                if isinstance(fields.get(fact), str):
                    context.fact(sensor, fact, fields[fact])
        if name.endswith((".process", ".process.storage")):
            self._process(name, fields, moment)
        elif name.endswith((".binary", ".bin")):
            self._binary(name, fields, moment)
        else:
            self._in_turn(name, fields, sensor)

    def _process(self, name: str, fields: Fields, at: int) -> None:
        key, alert = key_of(fields), name.startswith("alert.")
        life = None if key is None else self._life(key)
        if key is None and "process_id" in fields:
            self._context.say("process-key", f"{fields['process_id']!r} is no process key")
        if alert and life is not None:
            self._documents.process(fields, life, at, alert=True)
        if life is not None and name.startswith("feed.ingress."):
            self._caused_by_feed(life, fields)
        docs = [fields] if alert else documents(fields)
        for document in docs:
            # Where a document does not say whose it is, the hit does.
            own = key_of(document) or key
            self._found(name, str(own), fields)
            owner = life if own == key else self._life(own or "")
            if owner is None:
                continue
            if not alert:
                self._documents.process(document, owner, at)
                self._report(fields)
                self._documents.members(document, owner.md5.hex(), at, _marking(name, fields))
            self._caused(name, fields, document, owner)
        self._in_turn(name, fields, key)

    def _life(self, key: str) -> Life | None:
        context = self._context
        try:
            found = parse_process_key(key)
        except WireError as error:
            context.say("process-key", str(error))
            return None
        life = self._told.lives.get((found.sensor_id, found.pid, found.create_time))
        if life is None or (not life.told and context.starts):
            if context.starts:
                context.say("untold", f"a hit on {key}, of which no process message told")
            return None
        return life

    def _binary(self, name: str, fields: Fields, at: int) -> None:
        md5 = str(fields.get("md5", "")).upper()
        if md5:
            self._met(md5)
        docs = [fields] if name.startswith("alert.") else documents(fields)
        self._report(fields)
        for document in docs:
            own = md5 or str(document.get("md5", "")).upper()
            if not md5:
                self._met(own)
            if document is not fields:
                self._documents.binary(document, own, at)
                self._documents.members(document, own, at, _marking(name, fields))
                self._caused(name, fields, document, None)
            self._found(name, own, fields)
        if name == "feed.ingress.hit.binary" and fields.get("ioc_type") == "md5" and \
                str(fields.get("ioc_value", "")).upper() != md5:  # fmt: skip
            self._context.say("cause", f"{md5} hit for {fields.get('ioc_value')}")
        self._in_turn(name, fields, md5)

    def _found(self, name: str, about: str, fields: Fields) -> None:
        self._told.hits.add((name, "watchlist", about, str(fields.get("watchlist_id"))))

    def _met(self, md5: str) -> None:
        if md5 not in self._told.met:
            self._context.say("untold", f"a hit on the binary {md5}, which nothing named before")

    def _report(self, fields: Fields) -> None:
        feed, report = fields.get("feed_name"), fields.get("report_id")
        if isinstance(feed, str) and isinstance(report, str):
            self._told.reports[feed].add(report)

    def _caused(self, name: str, fields: Fields, document: Fields, life: Life | None) -> None:
        """A watchlist's or a query's hit has its cause."""
        context = self._context
        if name.startswith("feed.query.") and life is not None:
            value = str(fields.get("ioc_value", ""))
            if missed := queried(value, life, document, context.published):
                context.say("cause", f"{life} does not meet {missed} of {value}")
            return
        if not name.startswith(("watchlist.", "alert.watchlist.hit.query")):
            return
        watchlist = str(fields.get("watchlist_name"))
        matches = context.terms.causes.get(watchlist)
        if matches is None:
            context.say("watchlist", f"{watchlist!r} is no watchlist of which a cause is known")
        elif life is not None:
            if process_cause(matches, life, document, context.published) is False:
                context.say("cause", f"{life} did nothing that {watchlist!r} ({matches}) finds")
        elif binary_cause(matches, document) is False:
            context.say("cause", f"{document.get('md5')} is nothing that {watchlist!r} finds")

    def _caused_by_feed(self, life: Life, fields: Fields) -> None:
        context = self._context
        kind, value = str(fields.get("ioc_type")), str(fields.get("ioc_value"))
        if kind == "md5":
            if value.lower() not in {life.md5.hex(), *(md5.hex() for md5 in life.loads)}:
                context.say("cause", f"{life} neither is nor loaded {value}")
        elif kind in ("ipv4", "dns") and "ingress.event.netconn" in context.published:
            attributes = inner(fields, "ioc_attr", "ioc_attrs")
            if not called(life, attributes, kind, value):
                context.say("cause", f"{life} made no connection to {value}, port "
                                     f"{attributes.get('remote_port')}")  # fmt: skip

    def _in_turn(self, name: str, fields: Fields, about: object) -> None:
        """What it follows from came before."""
        context, hits = self._context, self._told.hits
        feed, report = str(fields.get("feed_id")), str(fields.get("report_id"))
        hits.add((name, "feed", about, feed))
        hits.add((name, "report", about, feed, report))
        hits.add((name, "synchronization", feed))
        if name not in _FOLLOWS:
            return
        before, how = _FOLLOWS[name]
        if not context.published.intersection(before):
            return
        tail: tuple[object, ...] = {
            "feed": (about, feed),
            "report": (about, feed, report),
            "watchlist": (about, str(fields.get("watchlist_id"))),
            "synchronization": (feed,),
        }[how]
        if not any((first, how, *tail) in hits for first in before):
            context.say("turn", f"{name} of {about} ({', '.join(map(str, tail[1:])) or feed}) "
                                f"comes before any {' or '.join(before)}")  # fmt: skip


def _marking(name: str, fields: Fields) -> str | None:
    """The id of the watchlist that has just marked the documents of a storage hit."""
    stored = name.startswith("watchlist.storage.")
    return str(fields.get("watchlist_id")) if stored else None
