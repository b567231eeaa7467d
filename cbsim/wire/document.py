"""JSON notifications: facts in Python's own types become the shapes of a server and dialect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import orjson

from cbsim.catalog import Dialect, Field, Form, Kind, Notification, ServerVersion, Shape
from cbsim.wire.clock import display_time, parse_iso_time

__all__ = ["Facts", "Renderer"]

Facts = Mapping[str, object]
"""Field names and their values as plain int, float, bool, str, list and dict; a family such as
`watchlist_<id>` stands under its pattern with a dict of the real names."""

_Writer = Callable[[object], object]


class Renderer:
    """Writes one notification as servers of one version and dialect do.

    A field is written when its facts are there and that server, dialect and form know it.
    """

    def __init__(
        self, notification: Notification, dialect: Dialect, version: ServerVersion, form: int = 0
    ) -> None:
        known = notification.written(notification.forms[form], dialect, version)
        self._message = _plan(notification, known.fields, dialect)
        self._document = _plan(notification, known.documents, dialect)
        self.form: Form = known

    def message(self, facts: Facts, documents: Iterable[Mapping[str, object]] = ()) -> bytes:
        """The body: compact JSON in UTF-8. `documents` come from `document`."""
        fields = _write(self._message, facts)
        if self._document:
            fields["docs"] = list(documents)
        return orjson.dumps(fields)

    def document(self, facts: Facts) -> dict[str, object]:
        """One document for `docs`."""
        return _write(self._document, facts)


_Plan = tuple[tuple[str, _Writer | None, bool], ...]


def _plan(notification: Notification, fields: tuple[Field, ...], dialect: Dialect) -> _Plan:
    return tuple(
        (field.name, _writer(field, notification.shapes(field, dialect)[0]), field.is_family)
        for field in fields
        if field.domain.kind is not Kind.DOCUMENTS
    )


def _write(plan: _Plan, facts: Facts) -> dict[str, object]:
    fields: dict[str, object] = {}
    for name, write, family in plan:
        if name in facts:
            value = facts[name]
            if family:
                for member, one in value.items():  # type: ignore[attr-defined]
                    fields[member] = one if write is None else write(one)
            else:
                fields[name] = value if write is None else write(value)
    return fields


def _writer(field: Field, shape: Shape) -> _Writer | None:
    kind = field.domain.kind
    if shape is Shape.DIGITS:
        return _digits
    if shape is Shape.INTEGER and field.domain.maximum == 2**32 - 1:
        return _int32
    if shape is Shape.ARRAY and kind is Kind.TEXT:
        return _list
    if shape is Shape.STRING and kind is Kind.TEXT:
        return _first
    return _WRITERS.get(shape)


def _digits(value: object) -> object:
    return value if value is None else str(value)


def _int32(value: object) -> object:
    # 0x800B0100 does not fit the table's int32: as signed it does.
    assert isinstance(value, int)
    return value - 2**32 if value > 2**31 - 1 else value


def _list(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _first(value: object) -> object:
    return (value[0] if value else "") if isinstance(value, list) else value


def _texts(value: object) -> object:
    assert isinstance(value, dict)
    return {
        key: one if isinstance(one, str | list) else str(one).lower() for key, one in value.items()
    }


_WRITERS: dict[Shape, _Writer] = {
    Shape.TRUTH: lambda value: "true" if value else "false",
    Shape.TEXTS: _texts,
    Shape.JSON: lambda value: orjson.dumps(value).decode(),
    Shape.DISPLAY: lambda value: display_time(parse_iso_time(str(value))),
}
