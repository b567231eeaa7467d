"""binaryinfo and binarystore: once, in order, and within moments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cbsim.wire.identity import store_path
from tests.support.consistency.context import Context
from tests.support.consistency.told import Binary
from tests.support.consistency.values import moment_of, whole

__all__ = ["WITHIN", "Binaries"]

WITHIN = 100_000
"""Ticks: host and group follow so soon (captured: within 7 ms)."""

_OBSERVED, _HOST = "binaryinfo.observed", "binaryinfo.host.observed"
_GROUP, _STORED = "binaryinfo.group.observed", "binarystore.file.added"


class Binaries:
    """Checks what the server says of binaries that are new to it."""

    def __init__(self, context: Context) -> None:
        self._context, self._told = context, context.told
        self._takes = {_OBSERVED: self._observed, _HOST: self._host, _GROUP: self._group,
                       _STORED: self._stored}  # fmt: skip
        self._late: set[str] = set()
        """MD5s that were met before this run first said that one was observed."""
        self._speaks = False
        self.names = frozenset(self._takes)

    def take(self, name: str, fields: Mapping[str, Any]) -> None:
        """One of these notifications."""
        md5 = str(fields.get("md5", "")).upper()
        if name == _OBSERVED and not self._speaks:
            self._speaks, self._late = True, set(self._told.met)
        at = moment_of(fields)
        moment = at[0] if at and at[1] < 1_000_000 else self._context.moment
        binary = self._told.binary(md5)
        if binary.seen is None:
            binary.seen = self._context.index
        self._takes[name](md5, binary, moment, fields)
        self._told.met.add(md5)

    def finish(self) -> None:
        """What should have followed, and did not."""
        context, published = self._context, self._context.published
        until = context.moment - WITHIN
        for md5, binary in self._told.binaries.items():
            if binary.observed is not None and not binary.hosts and _HOST in published \
                    and binary.observed[0] < until:  # fmt: skip
                context.say("binaryinfo", f"{md5} is observed, on no host", binary.observed[1])
            if _GROUP not in published:
                continue
            for sensor, (moment, index) in binary.hosts.items():
                group = self._told.facts.get((sensor, "group"))
                if group is not None and group not in binary.groups and moment < until:
                    context.say("binaryinfo", f"{md5} is on sensor {sensor}, and never in its "
                                              f"group {group!r}", index)  # fmt: skip

    def _observed(self, md5: str, binary: Binary, moment: int, _: Mapping[str, Any]) -> None:
        context = self._context
        if binary.observed is not None:
            context.say("binaryinfo", f"{md5} is observed a second time, first by message "
                                      f"{binary.observed[1]}")  # fmt: skip
        elif binary.seen != context.index:
            context.say("binaryinfo", f"{md5} is observed after message {binary.seen} on it")
        if "ingress.event.module" in context.published and md5 not in self._told.modules:
            context.say("binaryinfo", f"{md5} is observed, and no sensor's module event named it")
        if binary.observed is None:
            binary.observed = moment, context.index

    def _host(self, md5: str, binary: Binary, moment: int, fields: Mapping[str, Any]) -> None:
        context, sensor = self._context, whole(fields.get("sensor_id")) or 0
        self._follows(md5, binary)
        if sensor in binary.hosts:
            context.say("binaryinfo", f"{md5} comes to sensor {sensor} a second time, first by "
                                      f"message {binary.hosts[sensor][1]}")  # fmt: skip
        if not binary.hosts and binary.observed is not None:
            self._soon(f"{md5} on its first host", binary.observed[0], moment)
        modules = self._told.modules.get(md5, ())
        if "ingress.event.module" in context.published and sensor not in modules:
            context.say("binaryinfo", f"{md5} comes to sensor {sensor}, whose module event never "
                                      "named it")  # fmt: skip
        binary.hosts.setdefault(sensor, (moment, context.index))

    def _group(self, md5: str, binary: Binary, moment: int, fields: Mapping[str, Any]) -> None:
        context, group = self._context, str(fields.get("group"))
        self._follows(md5, binary)
        if group in binary.groups:
            context.say("binaryinfo", f"{md5} comes to group {group!r} a second time, first by "
                                      f"message {binary.groups[group][1]}")  # fmt: skip
        if _HOST in context.published:
            if not binary.hosts:
                context.say("binaryinfo", f"{md5} comes to group {group!r} before any host")
            else:
                sensor, (before, _) = next(reversed(binary.hosts.items()))
                self._soon(f"{md5} in group {group!r}", before, moment)
                known = self._told.facts.get((sensor, "group"))
                if known is not None and known != group:
                    context.say("binaryinfo", f"{md5} comes to group {group!r} by sensor {sensor}, "
                                              f"which is in {known!r}")  # fmt: skip
        binary.groups.setdefault(group, (moment, context.index))

    def _stored(self, md5: str, binary: Binary, _: int, fields: Mapping[str, Any]) -> None:
        context = self._context
        self._follows(md5, binary)
        if binary.stored is not None:
            context.say("binarystore", f"{md5} is stored a second time")
        if fields.get("file_path") != store_path(md5):
            context.say("binarystore", f"{md5} is stored as {fields.get('file_path')}")
        binary.stored = context.index

    def _follows(self, md5: str, binary: Binary) -> None:
        """It comes after `binaryinfo.observed`, where that is said."""
        unsaid = binary.observed is None and _OBSERVED in self._context.published
        if unsaid and md5 not in self._late:
            self._context.say("binaryinfo", f"nothing said before that {md5} was observed")

    def _soon(self, what: str, before: int, moment: int) -> None:
        if not 0 <= moment - before <= WITHIN:
            self._context.say("binaryinfo", f"{what}: {(moment - before) / 1e7:.4f} s after what "
                                            "comes before, expected 0 to 0.010")  # fmt: skip
