"""Which server it is that speaks: its version, its build, and what its keys carry."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from cbsim.catalog import ServerVersion, lookup
from cbsim.errors import CatalogError

__all__ = ["VersionTally"]

_BUILD = re.compile(r"\d+(?:\.\d+)+")
_KEY = re.compile(r"(feed|watchlist)\.(\d+\.)?")
_LONG = 49
"""Characters of a `unique_id` whose segment is a time, from 6.x on."""


class VersionTally:
    """Gathers what tells of a server's version."""

    def __init__(self) -> None:
        self._builds: Counter[str] = Counter()
        self._names: set[str] = set()
        self._with_id: dict[str, Counter[bool]] = {"feed": Counter(), "watchlist": Counter()}
        self._long_segments = False

    def take(self, routing_key: str, name: str, fields: Mapping[str, object]) -> None:
        """Look at a notification or an event."""
        self._names.add(name)
        if match := _KEY.match(routing_key):
            self._with_id[match[1]][match[2] is not None] += 1
        build = fields.get("cb_version")
        if isinstance(build, str) and _BUILD.fullmatch(build):
            self._builds[build] += 1
        documents = fields.get("docs")
        if isinstance(documents, list) and documents and isinstance(documents[0], dict):
            self._long_segments |= len(str(documents[0].get("unique_id", ""))) == _LONG

    @property
    def build(self) -> str | None:
        """What most messages give as `cb_version`."""
        return self._builds.most_common(1)[0][0] if self._builds else None

    @property
    def version(self) -> ServerVersion:
        """The build's generation, or the oldest that says what was said."""
        if self.build is not None:
            return _generation(self.build)
        began = [lookup(name).since for name in self._names]
        if self._with_id["feed"][True]:
            began.append(ServerVersion.V5_2)
        if self._long_segments:
            began.append(ServerVersion.V6)
        return max(began, key=lambda version: version.rank, default=ServerVersion.V5_2)

    def with_id(self, kind: str) -> bool | None:
        """Whether keys of hits of a `feed` or `watchlist` carry its id; None: there was none."""
        seen = self._with_id[kind]
        return seen[True] > seen[False] if seen else None


def _generation(build: str) -> ServerVersion:
    """The known generation nearest to a build's."""
    try:
        return ServerVersion.parse(build)
    except CatalogError:
        major = int(build.partition(".")[0])
        return {4: ServerVersion.V4_2, 5: ServerVersion.V5_2}.get(
            major, ServerVersion.V4_2 if major < 4 else ServerVersion.V7
        )
