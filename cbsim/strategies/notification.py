"""Strategies for notifications and their documents, whichever the caller names."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from cbsim.catalog import NOTIFICATIONS
from cbsim.errors import StrategyError
from cbsim.strategies import form
from cbsim.strategies.argument import (
    DialectName,
    Docs,
    dialect_of,
    drawn,
    given,
    matching,
    server_of,
)
from cbsim.strategies.cast import Cast
from cbsim.strategies.form import JsonObject
from cbsim.strategies.value import Draw

__all__ = ["CONSTRAINTS", "binary_document", "declared", "notification", "process_document"]

CONSTRAINTS = ("sensor_id", "hostname", "md5", "ioc_type", "watchlist_id", "feed_id", "docs")
"""The arguments that fix a part of a message, where the message has that part."""

_NAMES = tuple(NOTIFICATIONS)


def notification(
    *names: str,
    server: str = "5.2",
    dialect: DialectName = "observed",
    sensor_id: int | SearchStrategy[int] | None = None,
    docs: Docs | None = None,
) -> SearchStrategy[JsonObject]:
    """Any notification, or those of the given names or patterns such as `"feed.*"`.

    `message` gives them with their routing keys. Raises StrategyError.

    >>> notification("feed.*.hit.binary", server="6.x")
    notification('feed.*.hit.binary', server='6.x')
    """
    version, spoken = server_of(server), dialect_of(dialect)
    wanted = matching(names, _NAMES, version)
    fixed = given(sensor_id=sensor_id, docs=docs)
    plans = [form.plan(name, version, spoken) for name in wanted]

    which = st.integers(0, len(plans) - 1)

    def draw_one(draw: Draw) -> JsonObject:
        plan = plans[0] if len(plans) == 1 else plans[draw(which)]
        return form.notification(draw, plan, fixed)

    return drawn(
        "notification", draw_one, *names, server=server, dialect=dialect,
        sensor_id=sensor_id, docs=docs,
    )  # fmt: skip


def process_document(
    of: str = "watchlist.hit.process",
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    sensor_id: int | SearchStrategy[int] | None = None,
    hostname: str | SearchStrategy[str] | None = None,
    md5: str | SearchStrategy[str] | None = None,
) -> SearchStrategy[JsonObject]:
    """A process document as the `docs` of the notification `of` hold it; raises StrategyError."""
    return _document(
        "process", of, server, dialect, sensor_id=sensor_id, hostname=hostname, md5=md5
    )


def binary_document(
    of: str = "watchlist.hit.binary",
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    sensor_id: int | SearchStrategy[int] | None = None,
    hostname: str | SearchStrategy[str] | None = None,
    md5: str | SearchStrategy[str] | None = None,
) -> SearchStrategy[JsonObject]:
    """A binary document as the `docs` of the notification `of` hold it; raises StrategyError."""
    return _document("binary", of, server, dialect, sensor_id=sensor_id, hostname=hostname, md5=md5)


def declared(name: str, *, server: str, dialect: str, **fixed: Any) -> SearchStrategy[JsonObject]:
    """One notification of the catalog; `notifications.py` names each."""
    version = server_of(server, NOTIFICATIONS[name])
    plan, parts = form.plan(name, version, dialect_of(dialect)), given(**fixed)

    def draw_one(draw: Draw) -> JsonObject:
        return form.notification(draw, plan, parts)

    return drawn(name.replace(".", "_"), draw_one, server=server, dialect=dialect, **fixed)


def _document(
    kind: str, of: str, server: str, dialect: str, **fixed: Any
) -> SearchStrategy[JsonObject]:
    carriers = tuple(one.name for one in NOTIFICATIONS.values() if one.document == kind)
    if of not in carriers:
        raise StrategyError(f"of={of!r}: expected one of {', '.join(carriers)}")
    version = server_of(server, NOTIFICATIONS[of])
    plan, parts = form.plan(of, version, dialect_of(dialect)), given(**fixed)

    def draw_one(draw: Draw) -> JsonObject:
        return form.fields_of(Cast(draw, parts, version), plan.documents)

    return drawn(f"{kind}_document", draw_one, of, server=server, dialect=dialect, **fixed)
