"""Stories of processes, endpoints and feeds: what is found, and when the server says so."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from random import Random

from cbsim.catalog import Dialect
from cbsim.wire.clock import TICKS, seconds_bytes
from cbsim.wire.event import varint
from cbsim.world import facts
from cbsim.world.agenda import Step, Story
from cbsim.world.endpoint import Endpoints
from cbsim.world.estate import Estate, Feed, Report, Sensor, Watchlist
from cbsim.world.facts import Known
from cbsim.world.found import Document, Found
from cbsim.world.happening import Happening
from cbsim.world.process import Process
from cbsim.world.raw import Connection
from cbsim.world.server import Voice, seconds
from cbsim.world.setting import Latency, Server

__all__ = ["HostHit", "ProcessHit", "Search", "Synchronization", "Teller"]

_HIGHLIGHTED = 0.33
"""The share of a watchlist's hits that say where its query matched (captured: 1 in 3)."""


@dataclass(frozen=True, slots=True, eq=False)
class Teller:
    """What every story needs to be told."""

    estate: Estate
    server: Server
    voice: Voice
    endpoints: Endpoints
    rng: Random
    found: Found

    def feed(self, ioc_type: str) -> Feed:
        """Some feed whose reports look for that."""
        return self.rng.choice(self.estate.feeds_of[ioc_type])

    def scores(self, score: int, feed: Feed) -> bytes:
        """A binary's scores: in a feed that knows it, and now and then in others."""
        known = {feed.name: score}
        if self.rng.random() < 0.4:
            known |= {it.name: 0 for it in self.estate.feeds_of["md5"] if it is not feed}
        return b"{%b}" % b",".join([
            b'"alliance_score_%b":%d' % (name.encode(), it) for name, it in known.items()
        ])  # fmt: skip


def ticks(delay: float) -> int:
    """Seconds as FILETIME ticks, none below 0."""
    return int(max(0.0, delay) * TICKS)


_NO_CALL = frozenset({"ingress.event.netconn"})


class ProcessHit(Story):
    """A process calls an address that a feed's report names, or is a program that it names."""

    __slots__ = ("_attributes", "_call", "_feed", "_local_port", "_process", "_report", "_teller",
                 "skips")  # fmt: skip

    def __init__(
        self,
        teller: Teller,
        process: Process,
        feed: Feed,
        report: Report,
        call: Connection,
        local_port: int,
    ) -> None:
        self._teller, self._process, self._feed, self._report = teller, process, feed, report
        self._call, self._local_port = call, local_port
        if report.ioc_type == "md5" and report.ioc_value == process.image.md5:
            self.skips, self._attributes = _NO_CALL, facts.NO_ATTRIBUTES
        else:
            self.skips = Story.skips
            self._attributes = facts.of_call(
                call.host, call.address, call.port, process.sensor.ip, local_port
            )

    @staticmethod
    def steps(latency: Latency) -> Step:
        """The connection, the hit as the data arrives, its alert, and the hit in the data store."""
        alarm = Step("alert.watchlist.hit.ingress.process", ticks(0.2), ProcessHit._alarm)
        storage = Step("feed.storage.hit.process", ticks(latency.storage), ProcessHit._storage)
        ingress = Step("feed.ingress.hit.process", 0, ProcessHit._ingress, (storage, alarm))
        return Step("ingress.event.netconn", 0, ProcessHit._connect, (ingress,))

    def _connect(self, now: int) -> Happening:
        return self._teller.endpoints.netconn(
            self._process, self._call, self._local_port, now, varint(now)
        )

    def _said(self) -> Known:
        key = self._process.key.encode()
        said = facts.feed_hit(self._feed, self._report, self._process.sensor, self._attributes)
        said["process_id"] = key
        return said

    def _ingress(self, now: int) -> Happening:
        return self._teller.voice.say("feed.ingress.hit.process", now, self._said())

    def _storage(self, now: int) -> Happening:
        name, teller, said = "feed.storage.hit.process", self._teller, self._said()
        known = facts.process_document(self._process, teller.server.version, teller.rng)
        members = facts.scores(self._feed, self._report, now)
        said["segment_id"] = b"%d" % facts.segment_of(self._process, teller.server.version)
        said["docs"] = teller.voice.document(name, known, members)
        return teller.voice.say(name, now, said)

    def _alarm(self, now: int) -> Happening:
        name, teller, process = "alert.watchlist.hit.ingress.process", self._teller, self._process
        said = {
            **facts.process_document(process, teller.server.version, teller.rng),
            **self._attributes,
            **facts.alert(process.sensor, now, teller.rng),
            **facts.by_feed(self._feed, self._report),
        }
        return teller.voice.say(name, now, said, facts.alerts(name, self._report.score))


class Search(Story):
    """A watchlist's and a feed's query find a process."""

    __slots__ = ("_feed", "_process", "_teller", "_watchlist")

    def __init__(self, teller: Teller, process: Process, feed: Feed, watchlist: Watchlist) -> None:
        self._teller, self._process, self._feed, self._watchlist = teller, process, feed, watchlist

    @staticmethod
    def steps(latency: Latency) -> tuple[Step, Step]:
        """The watchlist's hits and alert, and the feed's hit."""
        later = ticks(latency.watchlist - latency.storage)
        hit = Step("watchlist.hit.process", later, Search._hit)
        alarm = Step("alert.watchlist.hit.query.process", later, Search._alarm)
        storage = Step("watchlist.storage.hit.process", ticks(latency.storage), Search._storage,
                       (hit, alarm))  # fmt: skip
        return storage, Step("feed.query.hit.process", ticks(latency.query), Search._queried)

    def _known(self) -> Known:
        teller = self._teller
        return facts.process_document(self._process, teller.server.version, teller.rng)

    def _document(self, name: str, now: int, known: Known) -> bytes:
        teller, members = self._teller, {}
        if teller.rng.random() < 0.75:
            feed = teller.estate.feeds_of["md5"][0]
            members = facts.scores(feed, feed.reports[0], now)
        members["watchlist_<id> micros"] = facts.watchlist_member(self._watchlist, now)
        return teller.voice.document(name, known, members)

    def _storage(self, now: int) -> Happening:
        name = "watchlist.storage.hit.process"
        docs = self._document(name, now, self._known())
        said = {"process_id": self._process.key.encode(), "docs": docs}
        return self._teller.voice.say(name, now, said, facts.by_watchlist(self._watchlist))

    def _hit(self, now: int) -> Happening:
        name, teller, known = "watchlist.hit.process", self._teller, self._known()
        document = Document(known["unique_id"], self._document(name, now, known), known["path"])
        docs = teller.found.search(self._watchlist.id, document)
        said = {"docs": b",".join([it.written for it in docs])}
        said["highlights"] = facts.highlights(docs) if teller.rng.random() < _HIGHLIGHTED else b""
        return teller.voice.say(name, now, said, facts.by_search(self._watchlist))

    def _queried(self, now: int) -> Happening:
        name, process = "feed.query.hit.process", self._process
        report = _query_for(process.image.name)
        said = facts.feed_hit(self._feed, report, process.sensor, facts.marked(process.image.name))
        said["ioc_value json"] = facts.asked("events", report.ioc_value)
        teller = self._teller
        if teller.server.dialect is Dialect.DOCUMENTED and teller.rng.random() < 0.25:
            # The table has it twice; one row says "Always 0 for event".
            said["sensor_id"] = b"0"
        said["process_id"] = process.key.encode()
        said["segment_id"] = b"%d" % facts.segment_of(process, teller.server.version)
        said["docs"] = self._document(name, now, self._known())
        return teller.voice.say(name, now, said)

    def _alarm(self, now: int) -> Happening:
        name, teller, process = "alert.watchlist.hit.query.process", self._teller, self._process
        said = {
            **facts.process_document(process, teller.server.version, teller.rng),
            **facts.marked(process.image.name),
            **facts.alert(process.sensor, now, teller.rng),
        }
        return teller.voice.say(name, now, said, facts.alerts(name, 75, self._watchlist))


@lru_cache(maxsize=256)
def _query_for(name: str) -> Report:
    # A query feed's report is known by what it looks for, so it reads the same every time.
    return Report(f"{name}_proc", "query", f"cb.urlver=1&q=process_name%3A{name}", 75)


class HostHit(Story):
    """An endpoint asks for a name that a feed's report knows, and no process is known."""

    __slots__ = ("_attributes", "_feed", "_report", "_sensor", "_teller")

    def __init__(self, teller: Teller, sensor: Sensor, feed: Feed, report: Report) -> None:
        self._teller, self._sensor, self._feed, self._report = teller, sensor, feed, report
        self._attributes = facts.of_question(report.ioc_value)

    @staticmethod
    def steps() -> Step:
        """The hit and its alert."""
        alarm = Step("alert.watchlist.hit.ingress.host", ticks(0.2), HostHit._alarm)
        return Step("feed.ingress.hit.host", 0, HostHit._hit, (alarm,))

    def _hit(self, now: int) -> Happening:
        said = facts.feed_hit(self._feed, self._report, self._sensor, self._attributes)
        return self._teller.voice.say("feed.ingress.hit.host", now, said)

    def _alarm(self, now: int) -> Happening:
        name, teller = "alert.watchlist.hit.ingress.host", self._teller
        said = {
            **facts.alert(self._sensor, now, teller.rng),
            **facts.by_feed(self._feed, self._report),
            **self._attributes,
        }
        return teller.voice.say(name, now, said, facts.alerts(name, self._report.score))


class Synchronization(Story):
    """The server is told to fetch a feed, and has."""

    __slots__ = ("_feed", "_teller")

    def __init__(self, teller: Teller, feed: Feed) -> None:
        self._teller, self._feed = teller, feed

    @staticmethod
    def steps() -> Step:
        """The command, and what came of it."""
        done = Step("feed.synchronized", ticks(0.5), Synchronization._done)
        return Step("cmd.feed.synchronize", 0, Synchronization._told, (done,))

    def _told(self, now: int) -> Happening:
        said = {"feed_id": b"%d" % self._feed.id, "full_sync": b"false"}
        return self._teller.voice.say("cmd.feed.synchronize", now, said)

    def _done(self, now: int) -> Happening:
        teller = self._teller
        said = {
            "feed_id": b"%d" % self._feed.id,
            "feed_name": self._feed.name.encode(),
            "scan_start_time": b"null" if teller.rng.random() < 0.25 else seconds(now),
            "feed_update_time seconds": seconds_bytes(now),
        }
        return teller.voice.say("feed.synchronized", now, said)
