"""Messages that are legal and that hardly anybody expects, each labelled with what is odd of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Literal

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from cbsim.catalog import NOTIFICATIONS, Dialect, ServerVersion, lookup, names
from cbsim.errors import StrategyError
from cbsim.strategies import form, value
from cbsim.strategies.argument import drawn, entry_of, given, labels_of, server_of
from cbsim.strategies.cast import Cast
from cbsim.strategies.delivery import message_of, notification_message
from cbsim.strategies.fault import Odd, OddityName
from cbsim.strategies.form import JsonObject
from cbsim.strategies.value import Draw
from cbsim.wire.event import varint
from cbsim.wire.fault import Oddity

__all__ = ["odd"]


def odd(
    *oddities: OddityName | Oddity,
    name: str | None = None,
    server: str = "5.2",
    dialect: Dialect | Literal["documented", "observed"] = Dialect.OBSERVED,
) -> SearchStrategy[Odd]:
    """A message with one of these oddities, or with any: no documents in `docs`, a field that
    nobody knows, a routing key that nobody knows, a `null` where a field may be left out.

    With a `name`, that notification or raw event, odd in a way it can be. A consumer should
    survive all of them, and put out those with an unknown field or a `null`. Raises StrategyError.

    >>> odd("empty-docs", name="watchlist.hit.process")
    odd('empty-docs', name='watchlist.hit.process')
    """
    version = server_of(server, None if name is None else entry_of(name))
    if dialect not in [*Dialect]:
        raise StrategyError(f"dialect={dialect!r}: expected documented or observed")
    spoken = Dialect(dialect)
    wanted = labels_of(Oddity, oddities)
    able = [one for one in wanted if _sent_so(one, name, version, spoken)]
    if name is not None and len(able) < len(wanted) and (oddities or not able):
        wrong = next(one for one in wanted if one not in able)
        raise StrategyError(f"name={name!r}: it cannot have the oddity {wrong}")
    which = st.sampled_from(able)

    def draw_one(draw: Draw) -> Odd:
        oddity = draw(which)
        named = draw(_one_of(_sent_so(oddity, name, version, spoken)))
        return _MADE[oddity](Cast(draw, given(docs=(1, 1)), version), named, spoken)

    return drawn("odd", draw_one, *map(str, oddities), name=name, server=server,
                 dialect=str(dialect))  # fmt: skip


@cache
def _sent_so(
    oddity: Oddity, name: str | None, version: ServerVersion, dialect: Dialect
) -> tuple[str, ...]:
    """What can be odd in that way: of the name that was asked for, or of all that is sent."""
    asked = names(version) if name is None else (lookup(name).name,)
    if oddity is Oddity.EMPTY_DOCS:
        return tuple(one for one in asked if one in NOTIFICATIONS and NOTIFICATIONS[one].document)
    if oddity is Oddity.NULL:
        return tuple(one for one in asked if _nullable(one, version, dialect))
    return asked


@cache
def _one_of(options: tuple[str, ...]) -> SearchStrategy[str]:
    return value.choice(options)


@cache
def _nullable(name: str, version: ServerVersion, dialect: Dialect) -> tuple[tuple[bool, str], ...]:
    """The fields that a notification may leave out: whether its documents have it, and its name."""
    if name not in NOTIFICATIONS:
        return ()
    notification = NOTIFICATIONS[name]
    written = notification.written(dialect, version)
    groups = (
        (False, [field for field in written.fields if not field.required]),
        (True, [field for field in written.documents if not field.required]),
    )
    return tuple(
        (inner, field.name) for inner, fields in groups for field in fields if not field.is_family
    )


def _fields(cast: Cast, name: str, dialect: Dialect) -> JsonObject:
    plan = form.plan(name, cast.version, dialect)
    return form.notification(cast.draw, plan, cast.given, cast)


def _empty_docs(cast: Cast, name: str, dialect: Dialect) -> Odd:
    fields = _fields(cast, name, dialect) | {"docs": []}
    message = notification_message(cast, name, fields)
    return Odd(message, Oddity.EMPTY_DOCS, "docs holds nothing", "/docs")


def _unknown_field(cast: Cast, name: str, dialect: Dialect) -> Odd:
    if name not in NOTIFICATIONS:
        number = cast.draw(_NUMBERS)
        message = message_of(cast, name, dialect)
        body = message.body + varint(number << 3) + b"\x01"
        detail = f"field {number} of the event is new"
        return Odd(message._replace(body=body), Oddity.UNKNOWN_FIELD, detail)
    strange, content = cast.draw(_STRANGE)
    fields = {strange: content, **_fields(cast, name, dialect)}
    message = notification_message(cast, name, fields)
    return Odd(message, Oddity.UNKNOWN_FIELD, f"{strange!r} is new", f"/{strange}")


def _unknown_key(cast: Cast, name: str, dialect: Dialect) -> Odd:
    message = message_of(cast, name, dialect)
    head, _, last = message.routing_key.rpartition(".")
    word = cast.draw(_WORDS)
    key = f"{head}.{word}" if cast.draw(value.BOOLEAN) else f"{head}.{last}.{word}"
    changed = message._replace(routing_key=key)
    return Odd(changed, Oddity.UNKNOWN_ROUTING_KEY, f"{key}, of what is {name}")


def _null(cast: Cast, name: str, dialect: Dialect) -> Odd:
    fields = _fields(cast, name, dialect)
    inner, field = cast.draw(st.sampled_from(_nullable(name, cast.version, dialect)))
    holder = fields["docs"][0] if inner else fields
    holder[field] = None
    message = notification_message(cast, name, fields)
    at = f"/docs/0/{field}" if inner else f"/{field}"
    return Odd(message, Oddity.NULL, f"{field} is null", at)


_MADE: dict[Oddity, Callable[[Cast, str, Dialect], Odd]] = {
    Oddity.EMPTY_DOCS: _empty_docs,
    Oddity.UNKNOWN_FIELD: _unknown_field,
    Oddity.UNKNOWN_ROUTING_KEY: _unknown_key,
    Oddity.NULL: _null,
}
_STRANGE: SearchStrategy[tuple[str, Any]] = value.choice(
    (("severity", 5), ("", ""), ("__class__", {"a": []}), ("схема", None), ("docs2", [{}]))
)
_NUMBERS = value.choice((1000, 4095, 536_870_911))
"""Of fields that no version of the interface has; the last is the largest there can be."""
_WORDS = value.choice(("quarantined", "v2", "exported"))
