"""Learns a server's profile from what it said."""

from __future__ import annotations

import re
from collections import Counter
from statistics import quantiles
from typing import NamedTuple

from cbsim.catalog import NOTIFICATIONS, RAW_EVENTS, name_of, name_of_event
from cbsim.errors import InputError, UnknownKeyError, WireError
from cbsim.profile.estate import EstateTally
from cbsim.profile.model import Bundles, Exchanges, NotificationUse, Profile
from cbsim.profile.pace import PaceTally
from cbsim.profile.said import NotificationTally, RawTally
from cbsim.profile.version import VersionTally
from cbsim.wire.message import EVENTS_EXCHANGE, RAW_EXCHANGE, Message
from cbsim.wire.reading import Reading, forwarded, read

__all__ = ["Learned", "Learner"]

_PLAIN = re.compile(r"[a-z][a-z.]*")


class Learned(NamedTuple):
    """A profile, and what did not come into it."""

    profile: Profile
    left_out: tuple[str, ...]
    """A sentence each, in which nothing is named."""


class Learner:
    """Takes messages one by one, and tells what it learned of the server that sent them."""

    def __init__(self) -> None:
        self._notifications: dict[str, NotificationTally] = {}
        # What is published both singly and in bundles counts once.
        self._single, self._bundled = RawTally(), RawTally()
        self._pace, self._pace_of_bundles = PaceTally(), PaceTally()
        self._sizes: list[int] = []
        self._zipped = 0
        self._estate, self._version = EstateTally(), VersionTally()
        self._exchanges: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}
        self._left_out: Counter[str] = Counter()

    def take(self, message: Message, received: float = 0.0) -> None:
        """Learn from one message; `received` is when a consumer got it, seconds since 1970."""
        if message.broken is not None:
            self._left_out["messages were broken on purpose"] += 1
            return
        try:
            readings = [*read(message)]
        except WireError:
            self._left_out["messages cannot be read"] += 1
            return
        bundled = not message.routing_key
        self._exchanges[bundled][message.exchange] += 1
        if bundled:
            self._sizes.append(len(readings))
            self._zipped += message.body.startswith(b"PK")
        learned = sum([self._learn(reading, bundled=bundled) for reading in readings])
        pace = self._pace_of_bundles if bundled else self._pace
        pace.take(received or message.timestamp, learned)

    def learned(self) -> Learned:
        """What was learned; raises InputError when nothing can be."""
        raw = self._single if self._single.counts else self._bundled
        counts = {name: tally.count for name, tally in self._notifications.items()} | raw.counts
        if not counts:
            raise InputError("there is no message in it that a profile can be learned from")
        if raw is self._bundled:
            self._pace.add(self._pace_of_bundles)
        whole = sum(counts.values())
        mix = {name: round(counts[name] / whole, 6) for name in (*NOTIFICATIONS, *RAW_EVENTS)
               if name in counts}  # fmt: skip
        profile = Profile(
            version=self._version.version,
            cb_version=self._version.build,
            feed_ids=self._version.with_id("feed"),
            watchlist_ids=self._version.with_id("watchlist"),
            exchanges=self._published(),
            raw="single" if not self._sizes else "both" if self._single.counts else "bundles",
            bundles=self._bundles(),
            mix=mix,
            seconds=self._pace.seconds,
            minutes=self._pace.minutes,
            estate=self._estate.endpoints(),
            notifications=self._uses(),
            events=raw.shares,
        )
        return Learned(profile, tuple(f"{count:,} {what}" for what, count in
                                      self._left_out.items()))  # fmt: skip

    def _learn(self, reading: Reading, *, bundled: bool) -> bool:
        """Whether there was something to learn."""
        fields = reading.fields
        try:
            name = name_of(reading.routing_key) if reading.routing_key else name_of_event(fields)
        except UnknownKeyError:
            self._left_out["messages are of no kind that is known"] += 1
            return False
        if forwarded(fields):
            self._left_out["messages are a forwarder's lines"] += 1
            return False
        if name in RAW_EVENTS:
            (self._bundled if bundled else self._single).take(name, fields)
            self._estate.event(fields)
        else:
            self._notifications.setdefault(name, NotificationTally(name)).take(fields)
            self._estate.notification(name, fields)
        self._version.take(reading.routing_key, name, fields)
        return True

    def _uses(self) -> dict[str, NotificationUse]:
        naming = frozenset(self._estate.naming)
        tallies = {name: self._notifications[name] for name in NOTIFICATIONS
                   if name in self._notifications}  # fmt: skip
        if unnamed := sum(tally.unnamed(naming) for tally in tallies.values()):
            self._left_out["fields that nobody knows may name something"] += unnamed
        return {name: tally.use(naming) for name, tally in tallies.items()}

    def _bundles(self) -> Bundles | None:
        if not self._sizes:
            return None
        sizes = sorted(self._sizes)
        between = quantiles(sizes, n=10) if len(sizes) > 1 else sizes * 9
        return Bundles(
            events=(sizes[0], *map(round, between), sizes[-1]),
            zipped=round(self._zipped / len(sizes), 4),
        )

    def _published(self) -> Exchanges:
        found = {}
        for bundled, usual in ((False, EVENTS_EXCHANGE), (True, RAW_EXCHANGE)):
            seen = self._exchanges[bundled].most_common(1)
            name = seen[0][0] if seen else usual
            if not _PLAIN.fullmatch(name) or {*name.split(".")} & self._estate.naming:
                self._left_out["exchange has a name that may name something"] += 1
                name = usual
            found[bundled] = name
        return Exchanges(events=found[False], raw=found[True])
