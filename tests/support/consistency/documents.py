"""Documents of processes and binaries: what the data store holds must be what was told."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from cbsim.catalog import ServerVersion
from cbsim.wire.clock import from_epoch_seconds
from cbsim.wire.identity import UNKNOWN_PARENT_MD5, process_key
from tests.support.consistency.context import Context
from tests.support.consistency.told import COUNTERS, Life
from tests.support.consistency.values import MS, Fields, listed, ticks, whole

__all__ = ["Documents"]

_EVENTS = {
    "crossproc": ("ingress.event.crossprocopen", "ingress.event.remotethread"),
    "modload": ("ingress.event.moduleload",),
    "emet": ("ingress.event.emetmitigation",),
}
_MD5 = re.compile(r"[0-9A-Fa-f]{32}")
_DAY = 86_400 * 10_000_000
_UNIQUE = {8: re.compile(r"-[0-9a-f]{8}"), 12: re.compile(r"-[0-9a-f]{12}")}


class Documents:
    """Checks a hit's documents against what events said."""

    def __init__(self, context: Context) -> None:
        self._context, self._told = context, context.told
        version = context.terms.version
        self._digits = 12 if version in (ServerVersion.V6, ServerVersion.V7) else 8
        self._counted = {
            name: all(
                event in context.published
                for event in _EVENTS.get(name, (f"ingress.event.{name}",))
            )
            for name in COUNTERS
        }

    def process(self, document: Fields, life: Life, at: int, *, alert: bool = False) -> None:
        """Of a process, in a hit of the moment `at` (FILETIME), or an alert's own fields."""
        self._who(document, life)
        self._counts(document, life)
        self._times(document, life, at)
        if not alert:
            self._unique(document, life, at)
            self._descent(document, life)

    def binary(self, document: Fields, md5: str, at: int) -> None:
        """Of the binary of that MD5 (upper-case hex)."""
        context = self._context
        said = str(document.get("md5", md5)).upper()
        if said != md5:
            context.say("document-md5", f"the document of {md5} has MD5 {said}")
        added, seen = (ticks(document.get(name)) for name in ("server_added_timestamp",
                                                              "last_seen"))  # fmt: skip
        for name, moment in (("server_added_timestamp", added), ("last_seen", seen)):
            if moment is not None and moment > at + MS:
                context.say("hindsight", f"{name} of {md5} is {(moment - at) / 1e7:.3f} s after "
                                         "the hit")  # fmt: skip
        if added is not None and seen is not None and seen < added - 10_000_000:
            context.say("hindsight", f"last_seen of {md5} is before server_added_timestamp")
        self._hosts(document, md5)
        for endpoint in listed(document.get("endpoint")):
            hostname, bar, sensor = endpoint.rpartition("|")
            if bar and sensor.isdigit():
                context.fact(int(sensor), "hostname", hostname)

    def _hosts(self, document: Fields, md5: str) -> None:
        """`host_count`, where the binary came to the estate in the run."""
        binary, count = self._told.binaries.get(md5), whole(document.get("host_count"))
        if binary is None or binary.observed is None or count is None or not binary.hosts:
            return
        behind = self._context.moment - self._context.terms.behind
        fewest = sum(moment <= behind for moment, _ in binary.hosts.values())
        if not fewest <= count <= len(binary.hosts):
            self._context.say("counts", f"host_count of {md5} is {count}, it is on "
                                        f"{len(binary.hosts)}")  # fmt: skip

    def members(self, document: Fields, md5: str, at: int, watchlist: str | None = None) -> None:
        """The open families of members; `watchlist`: the id of that whose storage hit this is."""
        context, (low, high) = self._context, self._context.terms.marked
        for name, value in document.items():
            if name.startswith("alliance_data_"):
                self._alliance(name.removeprefix("alliance_data_"), value, md5)
            elif name.startswith("alliance_updated_"):
                updated = ticks(value)
                if updated is not None and not _DAY <= at - updated <= 2000 * _DAY:
                    context.say("alliance", f"{name} is {(at - updated) / _DAY:.2f} days before "
                                            "the hit, expected days to months")  # fmt: skip
            elif name.startswith("watchlist_") and name[10:].isdigit():
                found = ticks(value)
                age = None if found is None else at - found
                own = name[10:] == watchlist
                if age is not None and (age < -MS or (own and not low <= age <= high)):
                    context.say("watchlist-age", f"{name} is {age / 1e7:.3f} s before its hit, "
                                f"expected {low / 1e7:.0f} to {high / 1e7:.0f}")  # fmt: skip

    def _alliance(self, feed: str, value: object, md5: str) -> None:
        reports = self._told.reports.get(feed, ())
        for text in listed(value):
            named = _MD5.findall(text)
            if (named and md5.upper() not in (name.upper() for name in named)) or (
                not named and text not in reports
            ):
                self._context.say("alliance", f"alliance_data_{feed} is {text!r}, the document's "
                                              f"MD5 is {md5}")  # fmt: skip

    def _who(self, document: Fields, life: Life) -> None:
        said = {
            "process_pid": life.pid, "process_md5": life.md5.hex(), "path": life.path,
            "process_path": life.path, "sensor_id": life.sensor,
        }  # fmt: skip
        if life.told:
            said |= {"username": life.account} if life.account else {}
            said |= {"cmdline": life.command} if life.commands_known else {}
        for name, expected in said.items():
            value = document.get(name)
            if value is None or not expected:
                continue
            if (whole(value) if isinstance(expected, int) else value) != expected:
                self._context.say("document", f"{name} of {life} is {value!r}, not {expected!r}")
        name = document.get("process_name")
        if name and life.path and re.split(r"[\\/]", life.path)[-1] != name:
            self._context.say("document", f"process_name of {life} is {name!r}")

    def _counts(self, document: Fields, life: Life) -> None:
        """As many as came by the hit, and no fewer than had come `behind` before it."""
        context, updated = self._context, ticks(document.get("last_update"))
        moment, stored = context.moment, None if updated is None else _as_of(life, updated)
        if stored is not None and not stored and life.observed and all(self._counted.values()):
            context.say("last-update", f"last_update of {life}, {document.get('last_update')}, is "
                                       "the time of none of its events")  # fmt: skip
        for name in COUNTERS:
            count = whole(document.get(f"{name}_count"))
            if count is None or not self._counted[name]:
                continue
            most = life.counted(name, moment)
            fewest = life.counted(name, moment - context.terms.behind)
            if stored:
                low, high = stored.get(name, (0, 0))
                fewest, most = max(fewest, low), min(most, high)
            if life.observed:
                if not fewest <= count <= most:
                    context.say("counts", f"{name}_count of {life} is {count}, expected "
                                f"{fewest} to {most}")  # fmt: skip
                continue
            low, high = life.base.get(name, (0, 1 << 60))
            low, high = max(low, count - most), min(high, count - fewest)
            if low > high:
                context.say("counts", f"{name}_count of {life} is {count}: since an earlier "
                            f"document, it should have gone up by {fewest} to {most}")  # fmt: skip
            life.base[name] = max(low, 0), max(high, 0)

    def _times(self, document: Fields, life: Life, at: int) -> None:
        context = self._context
        updated, start = (ticks(document.get(name)) for name in ("last_update", "start"))
        if start is not None and start // MS != life.create_time // MS:
            context.say("document", f"start of {life} is {document.get('start')}")
        if updated is None:
            return
        if updated > at + MS:
            context.say("hindsight", f"last_update of {life} is {(updated - at) / 1e7:.3f} s after "
                                     "the hit")  # fmt: skip
        if updated < life.create_time - MS:
            context.say("document", f"last_update of {life} is before its start")

    def _unique(self, document: Fields, life: Life, at: int) -> None:
        """The forms of segments (wire: Identities)."""
        context, unique = self._context, document.get("unique_id")
        segment, modern = whole(document.get("segment_id")), self._digits == 12
        if isinstance(unique, str):
            if unique[:36] != life.key or not _UNIQUE[self._digits].fullmatch(unique[36:]):
                context.say("segment", f"unique_id of {life} is {unique!r}, expected "
                                       f"{self._digits} hex digits of segment")  # fmt: skip
                return
            number = int(unique[37:], 16)
            if segment is not None and segment != number:
                context.say("segment", f"segment_id of {life} is {segment}, unique_id has {number}")
            segment = number
        if segment is None:
            return
        if modern:
            moment = from_epoch_seconds(segment / 1000)
            if not life.create_time - MS <= moment <= at + MS:
                context.say("segment", f"segment {segment} of {life} is no time of its life")
        elif not 1 <= segment < 10_000:
            context.say("segment", f"segment {segment} of {life}, expected 1, 2, ...")

    def _descent(self, document: Fields, life: Life) -> None:
        context, unique = self._context, document.get("parent_unique_id")
        pid, name = whole(document.get("parent_pid")), document.get("parent_name")
        known = life.parent
        if known is not None and pid is not None and pid != known[0]:
            context.say("document", f"parent_pid of {life} is {pid}, not {known[0]}")
        if isinstance(unique, str):
            if not _UNIQUE[self._digits].fullmatch(unique[36:]) or (
                self._digits == 12 and unique[36:] != "-000000000001"
            ):
                context.say("segment", f"parent_unique_id of {life} is {unique!r}")
            if known is not None and known[0] >= 0:
                key = process_key(life.sensor, *known)
                if unique[:36] != key:
                    context.say("document", f"parent_unique_id of {life} is {unique}, not {key}")
        parent = None if known is None else self._told.lives.get((life.sensor, *known))
        if parent is None or not parent.told:
            return
        if name and parent.path and name != re.split(r"[\\/]", parent.path)[-1]:
            context.say("document", f"parent_name of {life} is {name!r}")
        identity: Any = document.get("parent_id")
        if identity is not None and str(identity) not in (str(parent.guid), parent.key):
            context.say("document", f"parent_id of {life} is {identity}, not {parent.guid}")
        md5 = document.get("parent_md5")
        if md5 and parent.md5 and md5 not in (parent.md5.hex(), UNKNOWN_PARENT_MD5):
            context.say("document", f"parent_md5 of {life} is {md5}")


def _as_of(life: Life, updated: int) -> dict[str, tuple[int, int]]:
    """How many events of each kind the store had when its latest was of that time: at least, at
    most. Empty when no event was of that time.

    What was counted came no later than the latest of them, and is of no later time.
    """
    until, came = updated // MS, None
    started = life.create_time // MS == until
    low: dict[str, int] = defaultdict(int)
    high: dict[str, int] = defaultdict(int)
    for stamp, moment, kind in life.times:
        if stamp // MS > until:
            continue
        if stamp // MS == until and came is None:
            came = moment
        high[kind] += 1
        low[kind] += came is None
    if came is None and not started:
        return {}
    return {"": (0, 0)} | {kind: (low[kind], high[kind]) for kind in high}
