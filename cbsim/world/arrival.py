"""The story of a binary that comes to one more endpoint, and everything that is said of it."""

from __future__ import annotations

from functools import lru_cache

from cbsim.wire.document import Fixed, text
from cbsim.wire.event import varint
from cbsim.world import facts
from cbsim.world.agenda import Step, Story
from cbsim.world.arrivals import Arrival
from cbsim.world.estate import Feed, Report, Watchlist
from cbsim.world.facts import Known
from cbsim.world.found import Document
from cbsim.world.happening import Happening
from cbsim.world.hits import Teller, ticks
from cbsim.world.setting import Latency
from cbsim.world.software import Product

__all__ = ["BinaryArrival"]

_SKIPS = {
    (first, first_in_group): frozenset(
        (() if first else ("binaryinfo.observed", "binarystore.file.added"))
        + (() if first_in_group else ("binaryinfo.group.observed",))
    )
    for first in (True, False)
    for first_in_group in (True, False)
}


_QUERIES = {
    executable: Report(title, "query", f"cb.urlver=1&q=is_executable_image%3A{wanted}", 50)
    for executable, title, wanted in (
        (True, "Newly Executed Applications", "true"),
        (False, "Newly Loaded Modules", "false"),
    )
}


class BinaryArrival(Story):
    """Told from the sensor's own event to the alerts."""

    __slots__ = (
        "_arrived",
        "_chosen",
        "_document",
        "_facts",
        "_report",
        "_started",
        "_teller",
        "skips",
    )

    def __init__(self, teller: Teller, arrived: Arrival, now: int) -> None:
        self._teller, self._arrived, self._started = teller, arrived, now
        self.skips = _SKIPS[arrived.first, arrived.first_in_group]
        # Many go no further than the sensor's event: the rest is made when it is asked for.
        self._chosen: Feed | None = None
        self._facts: Known | None = None
        self._document: Known | None = None
        self._report: Report | None = None

    @staticmethod
    def steps(latency: Latency) -> Step:
        """The sensor's event; who has it now; the file; hits of watchlists and feeds; alerts."""
        it, later = BinaryArrival, ticks(latency.watchlist - latency.storage)
        storage = Step(
            "watchlist.storage.hit.binary", ticks(latency.storage), it._storage,
            (Step("watchlist.hit.binary", later, it._hit),
             Step("alert.watchlist.hit.query.binary", later, it._query_alarm,
                  (Step("alert.status.updated", later, it._resolved),))),
        )  # fmt: skip
        ingress = Step(
            "feed.ingress.hit.binary", 0, it._ingress,
            (Step("alert.watchlist.hit.ingress.binary", ticks(0.2), it._ingress_alarm),
             Step("watchlist.hit.ingress.binary", ticks(0.2), it._ingress_hit),
             Step("alert.watchlist.hit.feedsearch.bin", ticks(latency.query), it._searched),
             Step("alert.watchlist.hit.feedsearch.binary", ticks(latency.query), it._searched_too),
             Step("feed.storage.hit.binary", ticks(latency.storage), it._feed_storage)),
        )  # fmt: skip
        host = Step(
            "binaryinfo.host.observed", 0, it._host,
            (Step("binaryinfo.group.observed", 0, it._group), storage,
             Step("feed.query.hit.binary", ticks(latency.query), it._queried), ingress),
        )  # fmt: skip
        return BinaryArrival._first(latency, host)

    @staticmethod
    def announcement(latency: Latency) -> Step:
        """The same without hits: the sensor's event, who has it now, and the file."""
        group = Step("binaryinfo.group.observed", 0, BinaryArrival._group)
        host = Step("binaryinfo.host.observed", 0, BinaryArrival._host, (group,))
        return BinaryArrival._first(latency, host)

    @staticmethod
    def _first(latency: Latency, host: Step) -> Step:
        it = BinaryArrival
        store = Step("binarystore.file.added", ticks(latency.store), it._stored)
        first = Step("binaryinfo.observed", 0, it._observed, (host, store), it._spread)
        return Step("ingress.event.module", 0, it._module, (first,))

    @property
    def _feed(self) -> Feed:
        if self._chosen is None:
            self._chosen = self._teller.feed("md5")
        return self._chosen

    @property
    def _watchlist(self) -> Watchlist:
        return self._teller.estate.watchlist(_looked_for(self._arrived.binary.product))

    @property
    def _known(self) -> Known:
        """What messages about the arrival say, made when the first of them is."""
        if self._facts is None:
            arrived = self._arrived
            self._facts = facts.of_arrival(arrived.binary, arrived.sensor)
            if arrived.scored:
                self._facts["scores"] = self._teller.scores(self._by_md5().score, self._feed)
            if arrived.hosts > 1 and arrived.past and (found := arrived.past.found):
                self._facts["watchlists"] = facts.matched_before(self._watchlist, found)
        return self._facts

    def _spread(self) -> None:
        self._arrived.told()

    def _module(self, now: int) -> Happening:
        name, arrived = "ingress.event.module", self._arrived
        body = self._teller.endpoints.raw.module(arrived.sensor, arrived.binary, varint(now))
        return name, name, body, arrived.sensor

    def _observed(self, now: int) -> Happening:
        return self._teller.voice.say("binaryinfo.observed", now, self._known)

    def _host(self, now: int) -> Happening:
        return self._teller.voice.say("binaryinfo.host.observed", now, self._known)

    def _group(self, now: int) -> Happening:
        return self._teller.voice.say("binaryinfo.group.observed", now, self._known)

    def _stored(self, now: int) -> Happening:
        said = facts.of_copy(self._arrived.binary)
        return self._teller.voice.say("binarystore.file.added", now, said)

    def _storage(self, now: int) -> Happening:
        name, past = "watchlist.storage.hit.binary", self._arrived.past
        if past and not past.found:
            past.found = now
        said = {"md5": self._known["md5"], "docs": self._documented(name, now)}
        return self._teller.voice.say(name, now, said, facts.by_watchlist(self._watchlist))

    def _hit(self, now: int) -> Happening:
        name, teller, watchlist = "watchlist.hit.binary", self._teller, self._watchlist
        document = Document(self._known["md5"], self._documented(name, now), b"")
        docs = teller.found.search(watchlist.id, document)
        said = {"docs": b",".join([it.written for it in docs])}
        return teller.voice.say(name, now, said, facts.by_watchlist(watchlist))

    def _ingress(self, now: int) -> Happening:
        said = self._matched(self._feed, self._by_md5())
        return self._teller.voice.say("feed.ingress.hit.binary", now, said)

    def _feed_storage(self, now: int) -> Happening:
        self._documented_facts().update(facts.displayed(self._started))
        return self._fed("feed.storage.hit.binary", now, self._feed, self._by_md5())

    def _queried(self, now: int) -> Happening:
        report = _QUERIES[self._arrived.binary.product.executable]
        return self._fed("feed.query.hit.binary", now, self._teller.feed("query"), report)

    def _fed(self, name: str, now: int, feed: Feed, report: Report) -> Happening:
        said = self._matched(feed, report)
        if report.ioc_type == "query":
            said["ioc_value json"] = facts.asked("modules", report.ioc_value)
        said["docs"] = self._documented(name, now, facts.scores(feed, report, now))
        return self._teller.voice.say(name, now, said)

    def _matched(self, feed: Feed, report: Report) -> Known:
        said = facts.feed_hit(feed, report, self._arrived.sensor, facts.NO_ATTRIBUTES)
        said["md5"] = self._known["md5"]
        return said

    def _query_alarm(self, now: int) -> Happening:
        name = "alert.watchlist.hit.query.binary"
        return self._alarm(name, now, {}, facts.alerts(name, 75, self._watchlist))

    def _ingress_alarm(self, now: int) -> Happening:
        name, report = "alert.watchlist.hit.ingress.binary", self._by_md5()
        cause = facts.by_feed(self._feed, report)
        return self._alarm(name, now, cause, facts.alerts(name, report.score))

    def _ingress_hit(self, now: int) -> Happening:
        said = self._matched(self._feed, self._by_md5())
        return self._teller.voice.say(
            "watchlist.hit.ingress.binary", now, said, facts.by_watchlist(self._watchlist)
        )

    def _searched(self, now: int) -> Happening:
        return self._found_by_search("alert.watchlist.hit.feedsearch.bin", now)

    def _searched_too(self, now: int) -> Happening:
        return self._found_by_search("alert.watchlist.hit.feedsearch.binary", now)

    def _found_by_search(self, name: str, now: int) -> Happening:
        report = self._by_md5()
        cause = facts.by_feed(self._feed, report) | {
            "watchlist_id": text(report.id), "segment_id": b"1", "assigned_to": b"",
            "resolved_time": b"",
        }  # fmt: skip
        return self._alarm(name, now, cause, facts.alerts(name, report.score))

    def _resolved(self, now: int) -> Happening:
        cause = facts.alerts("alert.watchlist.hit.query.binary", 75, self._watchlist).facts
        said = {
            **{name: cause[name] for name in ("feed_name", "ioc_type")},
            "ioc_value": cause["ioc_value json"],
            "report_id": text(self._watchlist.name),
            "alert_resolution": b"false_positive",
        }
        return self._teller.voice.say("alert.status.updated", now, said)

    def _alarm(self, name: str, now: int, cause: Known, fixed: Fixed) -> Happening:
        arrived, teller = self._arrived, self._teller
        said = {
            **facts.alert(arrived.sensor, now, teller.rng),
            **cause,
            **self._documented_facts(),
            **facts.of_alerted(arrived.binary.product),
        }
        if arrived.past and arrived.hosts > 1:
            said["other_hostnames"] = facts.others(arrived.past.hostnames[: arrived.hosts - 1])
        return teller.voice.say(name, now, said, fixed)

    def _documented(self, name: str, now: int, matched: Known | None = None) -> bytes:
        """The binary's document, with what a feed's report says of it."""
        arrived, teller = self._arrived, self._teller
        if matched is None and arrived.scored:
            matched = facts.scores(self._feed, self._by_md5(), now)
        members, facts_of = matched or {}, self._documented_facts()
        if name.startswith("watchlist"):
            facts_of["watchlists"] = facts.found_by(self._watchlist, now)
        members["watchlist_<id> micros"] = facts.watchlist_member(self._watchlist, now)
        product = facts.of_product(arrived.binary.product, teller.server.version)
        return teller.voice.document(name, facts_of, members, product)

    def _documented_facts(self) -> Known:
        if self._document is None:
            arrived = self._arrived
            self._document = facts.binary_document(
                arrived.binary, arrived.sensor, self._started, arrived.hosts
            )
        return self._document

    def _by_md5(self) -> Report:
        if self._report is None:
            md5 = self._arrived.binary.md5.hex()
            self._report = self._feed.about(md5)
        return self._report


@lru_cache(maxsize=1024)
def _looked_for(product: Product) -> str:
    """The name of the watchlist that finds a product's binaries."""
    if product.digsig == "Unsigned":
        return "Unsigned binaries"
    return "Newly Executed Applications" if product.executable else "Newly Loaded Modules"
