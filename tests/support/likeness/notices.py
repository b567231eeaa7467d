"""What notifications are like: distances in time, and values."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from cbsim.wire.clock import TICKS
from tests.support.consistency.values import documents, inner, moment_of, ticks, whole
from tests.support.likeness.lives import proportion
from tests.support.likeness.row import Sample, quantiles

__all__ = ["Notices"]

_SOON = 70_000
"""Ticks: 7 ms."""
_SEVERITIES = {1.0: 0.54, 3.0: 0.675}
"""Of a report's score, by the sensor's criticality, with the usual rating and confidence."""
_MD5 = re.compile(r"[0-9A-Fa-f]{32}")


class Notices:
    """Takes notifications as they come."""

    def __init__(self) -> None:
        self._told: dict[str, list[bool]] = defaultdict(list)
        self._numbers: dict[str, list[float]] = defaultdict(list)
        self._observed: dict[str, int] = {}
        self._first_group: set[str] = set()

    def take(self, name: str, fields: Mapping[str, Any]) -> None:
        """A notification of that name."""
        at = moment_of(fields)
        # Now and then a time is cut to the second.
        if at is None or at[1] > 1_000_000:
            return
        if name.startswith("binaryinfo."):
            self._binaryinfo(name, fields, at[0])
        elif name == "binarystore.file.added":
            stored, size = whole(fields.get("compressed_size")), whole(fields.get("size"))
            if stored is not None and size:
                self._numbers["compressed_size / size"].append(stored / size)
        elif name.startswith("alert."):
            self._alert(name, fields, at[0])
        for document in documents(fields):
            self._document(name, fields, document, at[0])

    def figures(self) -> dict[str, Sample]:
        """The figures, by the names of their rows."""
        numbers, found = self._numbers, {name: proportion(told)
                                         for name, told in self._told.items()}  # fmt: skip
        for name, values in numbers.items():
            all_of_it = quantiles(values)
            if name == "highlights of an alert, at most":
                found[name] = Sample((max(values),), len(values))
            elif name == "compressed_size / size":
                found[name] = all_of_it
            else:
                found[name] = Sample((all_of_it.values[2],), len(values))
        return found

    def _binaryinfo(self, name: str, fields: Mapping[str, Any], at: int) -> None:
        md5 = str(fields["md5"])
        if name == "binaryinfo.observed":
            self._observed[md5] = at
            return
        if name == "binaryinfo.host.observed":
            watchlists = bool(fields.get("watchlists"))
            self._told["watchlists in binaryinfo.host.observed"].append(watchlists)
        # Those that come to further endpoints come later.
        if md5 in self._observed and (name, md5) not in self._first_group:
            self._first_group.add((name, md5))
            soon = 0 <= at - self._observed[md5] <= _SOON
            self._told["host and group within 7 ms of observed"].append(soon)

    def _alert(self, name: str, fields: Mapping[str, Any], at: int) -> None:
        created, criticality = ticks(fields.get("created_time")), fields.get("sensor_criticality")
        if created is not None:
            before = (at - created) / TICKS
            self._numbers["created_time before an alert, median s"].append(before)
        factor = _SEVERITIES.get(float(criticality)) if criticality is not None else None
        score, severity = whole(fields.get("report_score")), fields.get("alert_severity")
        if factor is not None and score is not None and severity is not None:
            right = abs(float(severity) - score * factor) < 0.002
            self._told["severities as captured for their criticality"].append(right)
        if name == "alert.watchlist.hit.query.process":
            lower = str(fields.get("os_type")).islower()
            self._told["query alerts on processes with a lower-case os_type"].append(lower)
        if highlights := inner(fields, "ioc_attr").get("highlights"):
            self._numbers["highlights of an alert, at most"].append(len(highlights))

    def _document(
        self, name: str, fields: Mapping[str, Any], document: Mapping[str, Any], at: int
    ) -> None:
        binary = name.endswith(".binary")
        if name.startswith("watchlist.storage."):
            marked = ticks(document.get(f"watchlist_{fields.get('watchlist_id')}"))
            if marked is not None:
                kind = "binary" if binary else "process"
                row = f"watchlist_<id> before its storage hit, {kind}, median s"
                self._numbers[row].append((at - marked) / TICKS)
        if binary:
            copied, size = (whole(document.get(key)) for key in ("copied_mod_len", "orig_mod_len"))
            self._told["documents of binaries copied in part"].append(copied != size)
            added, seen = (ticks(document.get(key)) for key in ("server_added_timestamp",
                                                                "last_seen"))  # fmt: skip
            if added is not None and seen is not None:
                self._told["last_seen after server_added_timestamp"].append(seen > added)
        own = str(document.get("md5") or document.get("process_md5") or fields.get("md5")).lower()
        for key, value in document.items():
            if key.startswith("alliance_updated_") and (updated := ticks(value)) is not None:
                days = (at - updated) / TICKS / 86_400
                self._numbers["alliance_updated_<feed> before its hit, median days"].append(days)
            elif key.startswith("alliance_data_"):
                for named in _MD5.findall(str(value)):
                    self._told["alliance_data_<feed> that names an MD5 names the document's"] \
                        .append(named.lower() == own)  # fmt: skip
