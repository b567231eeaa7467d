"""Examples: one message of every type, realistic and consistent, made without a broker."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, NamedTuple

from cbsim.catalog import Dialect, ServerVersion, name_of, names
from cbsim.errors import CbsimError
from cbsim.wire.message import Message
from cbsim.wire.reading import read

__all__ = ["Example", "examples"]


class Example(NamedTuple):
    """One message, and what it says."""

    name: str
    """Of the notification or raw event."""
    message: Message
    fields: dict[str, Any]
    """The notification, or the raw event in protobuf's JSON mapping with the proto's names."""


def examples(
    *patterns: str, server: str = "5.2", dialect: str = "observed", seed: int = 1
) -> list[Example]:
    """One message of each type that such a server sends, or of those that match a pattern.

    Made for `pytest.mark.parametrize`. Raises CbsimError.

    >>> [example.name for example in examples("watchlist.hit.*")]
    ['watchlist.hit.binary', 'watchlist.hit.process']
    """
    version = ServerVersion.parse(server)
    known = _all(version, Dialect.parse(dialect), seed)
    for pattern in patterns:
        if not any(fnmatchcase(one.name, pattern) for one in known):
            raise CbsimError(f"{pattern!r} matches nothing that a {version} server sends")
    return [
        one
        for one in known
        if not patterns or any(fnmatchcase(one.name, pattern) for pattern in patterns)
    ]


@lru_cache(maxsize=8)
def _all(version: ServerVersion, dialect: Dialect, seed: int) -> tuple[Example, ...]:
    from cbsim.scenario.model import Phase, Scenario
    from cbsim.scenario.stream import FIXED_START, messages
    from cbsim.world.setting import EstateSize, Server

    wanted = names(version)
    scenario = Scenario(
        server=Server(version=version, dialect=dialect),
        estate=EstateSize(sensors=5, binaries=50),
        seed=seed,
        phases=(Phase(count=20_000, rate=100.0, cover=True),),
    )
    found: dict[str, Example] = {}
    for _, message, _, _ in messages(scenario, FIXED_START):
        name = name_of(message.routing_key)
        if name not in found:
            [reading] = read(message)
            found[name] = Example(name, message, reading.fields)
            if len(found) == len(wanted):
                break
    return tuple(found[name] for name in sorted(found))
