"""The arguments of strategies: checked at the call, with a hint, and handed on as strategies."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from cbsim.catalog import Dialect, Notification, RawEvent, ServerVersion, lookup
from cbsim.errors import CatalogError, StrategyError
from cbsim.strategies.cast import Given
from cbsim.strategies.form import MIXED
from cbsim.strategies.value import Draw, make_ready

__all__ = [
    "DialectName",
    "Docs",
    "IocType",
    "dialect_of",
    "drawn",
    "entry_of",
    "given",
    "labels_of",
    "matching",
    "nearest",
    "server_of",
    "whole",
]

T = TypeVar("T")
Label = TypeVar("Label", bound=StrEnum)
DialectName = Literal["documented", "observed", "mixed"]
"""Whose shapes a message has; `mixed`: each field may have those of either."""
IocType = Literal["md5", "dns", "ipv4"]
Docs = int | tuple[int, int]
"""How many documents: a number, or the least and the most."""

_ID_LIMIT = 2**31 - 1
_DOCS_LIMIT = 1000
_FREE = Given()


def server_of(server: str | None, entry: Notification | RawEvent | None = None) -> ServerVersion:
    """The version asked for, or one that sends the entry; raises StrategyError if it does not."""
    if server is None:
        usual = ServerVersion.V5_2
        return usual if entry is None or entry.in_version(usual) else entry.since
    try:
        version = ServerVersion.parse(server)
    except (CatalogError, AttributeError) as error:
        raise StrategyError(f"server={server!r}: {error}") from None
    if entry is not None and not entry.in_version(version):
        able = ", ".join(one for one in ServerVersion if entry.in_version(one))
        raise StrategyError(
            f"server={server!r}: {entry.name} is not sent by that version: expected {able}"
        )
    return version


def entry_of(name: str) -> Notification | RawEvent:
    """What the catalog says of a name; raises StrategyError."""
    try:
        return lookup(name)
    except CatalogError as error:
        raise StrategyError(f"name={name!r}: {error}") from None


def labels_of(kind: type[Label], asked: tuple[str, ...]) -> list[Label]:
    """The labels that were asked for, such as faults, or all of that kind; raises StrategyError."""
    known = [*map(str, kind)]
    for word in asked:
        if word not in known:
            raise StrategyError(
                f"{word!r} is no {kind.__name__.lower()}{nearest(str(word), known)}; "
                f"expected {', '.join(known)}"
            )
    return [kind(word) for word in asked or known]


def dialect_of(dialect: str) -> str:
    """`documented`, `observed` or `mixed`; raises StrategyError."""
    known = [*map(str, Dialect), MIXED]
    if dialect not in known:
        raise StrategyError(f"dialect={dialect!r}: expected {_or(known)}{nearest(dialect, known)}")
    return str(dialect)


def whole(name: str, value: object, low: int = 0, high: int = _ID_LIMIT) -> int:
    """A whole number within bounds; raises StrategyError."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise StrategyError(f"{name}={value!r}: expected a whole number from {low} to {high}")
    return value


def matching(
    names: tuple[str, ...], known: tuple[str, ...], version: ServerVersion
) -> tuple[str, ...]:
    """The names that were asked for, by themselves or by a pattern, or all; of those known.

    Raises StrategyError for what a server of that version does not send.
    """
    wanted: dict[str, None] = {}
    for name in names:
        if not isinstance(name, str):
            raise StrategyError(f"{name!r}: expected a name such as {known[0]!r}")
        if "*" in name:
            found = [one for one in known if fnmatchcase(one, name)]
            found = [one for one in found if lookup(one).in_version(version)]
            if not found:
                raise StrategyError(f"{name!r} matches nothing that a {version} server sends")
            wanted |= dict.fromkeys(found)
        elif name in known:
            server_of(version, lookup(name))
            wanted[name] = None
        else:
            raise StrategyError(f"{name!r} is no name known here{nearest(name, known)}")
    return tuple(wanted) or tuple(one for one in known if lookup(one).in_version(version))


def given(
    *,
    sensor_id: int | SearchStrategy[int] | None = None,
    hostname: str | SearchStrategy[str] | None = None,
    md5: str | SearchStrategy[str] | None = None,
    ioc_type: str | SearchStrategy[str] | None = None,
    watchlist_id: int | SearchStrategy[int] | None = None,
    feed_id: int | SearchStrategy[int] | None = None,
    docs: Docs | None = None,
) -> Given:
    """What the caller fixed; raises StrategyError now for values, when drawn for strategies."""
    least, most = _docs(docs)
    fixed = {
        "sensor_id": _checked("sensor_id", sensor_id, whole),
        "hostname": _checked("hostname", hostname, _hostname),
        "md5": _checked("md5", md5, _md5),
        "ioc_type": _checked("ioc_type", ioc_type, _ioc_type),
        "watchlist_id": _checked("watchlist_id", watchlist_id, whole),
        "feed_id": _checked("feed_id", feed_id, whole),
    }
    known: dict[str, Any] = {name: one for name, one in fixed.items() if one is not None}
    return Given(**known, least_docs=least, most_docs=most, docs_given=docs is not None)


def drawn(
    name: str, function: Callable[[Draw], T], /, *words: object, **arguments: object
) -> SearchStrategy[T]:
    """A strategy that draws by a function and shows itself as the call that made it.

    Arguments that are as when nobody gives them are not shown.
    """
    make_ready()

    def composite(draw: DrawFn, /, *_: object, **__: object) -> T:
        return function(draw)

    composite.__name__ = composite.__qualname__ = name
    usual: dict[str, object] = {"server": "5.2", "dialect": "observed"}
    said = {
        key: one
        for key, one in arguments.items()
        if one is not None and (isinstance(one, SearchStrategy) or one != usual.get(key))
    }
    return st.composite(composite)(*words, **said)


def _checked(
    name: str, value: T | SearchStrategy[T] | None, check: Callable[[str, object], T]
) -> SearchStrategy[T] | None:
    if value is None:
        return None
    if isinstance(value, SearchStrategy):
        return value.map(lambda one: check(name, one))
    return st.just(check(name, value))


def _hostname(name: str, value: object) -> str:
    if not isinstance(value, str) or "|" in value:
        raise StrategyError(f"{name}={value!r}: expected a text without a bar")
    return value


def _md5(name: str, value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch("[0-9A-Fa-f]{32}", value):
        raise StrategyError(f"{name}={value!r}: expected 32 hex digits")
    return value


def _ioc_type(name: str, value: object) -> str:
    known = ["md5", "dns", "ipv4"]
    if not isinstance(value, str) or value not in known:
        hint = nearest(value, known) if isinstance(value, str) else ""
        raise StrategyError(f"{name}={value!r}: expected {_or(known)}{hint}")
    return value


def _docs(docs: object) -> tuple[int, int]:
    if docs is None:
        return _FREE.least_docs, _FREE.most_docs
    if isinstance(docs, tuple) and len(docs) == 2:
        least = whole("docs", docs[0], 0, _DOCS_LIMIT)
        most = whole("docs", docs[1], 0, _DOCS_LIMIT)
        if least <= most:
            return least, most
    elif isinstance(docs, int):
        number = whole("docs", docs, 0, _DOCS_LIMIT)
        return number, number
    raise StrategyError(
        f"docs={docs!r}: expected how many, or (least, most), up to {_DOCS_LIMIT}, such as (1, 5)"
    )


def _or(known: list[str]) -> str:
    return f"{', '.join(known[:-1])} or {known[-1]}"


def nearest(word: str, known: list[str] | tuple[str, ...]) -> str:
    """A hint at the known name that was meant, or nothing."""
    near = get_close_matches(str(word), known, n=1, cutoff=0.6)
    near = near or [one for one in known if word and one.endswith(f".{word}")][:1]
    return f": did you mean {near[0]!r}?" if near else ""
