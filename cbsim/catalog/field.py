"""A field as a server writes it: its meaning joined with the JSON shapes of both dialects."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cbsim.catalog.domain import Domain, Kind, domain_of
from cbsim.catalog.server import Dialect, ServerVersion
from cbsim.catalog.tables import Row
from cbsim.errors import CatalogError

__all__ = ["Field", "Shape", "fields"]


class Shape(StrEnum):
    """The JSON a value is written as."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    OBJECT = "object"
    ARRAY = "array"
    NULL = "null"
    DIGITS = "digits"
    """A number as a string: `"44988"`."""
    TRUTH = "truth"
    """A boolean as a string: `"true"`."""
    TEXTS = "texts"
    """An object whose numbers are strings: `{"port": "22"}`."""
    JSON = "json"
    """A JSON document inside a string."""
    DISPLAY = "display"
    """A time as a person reads it: `Aug 9, 2014 5:27:56 PM`."""
    SECONDS = "seconds"
    """A time without a fraction: `2010-11-21T00:37:00Z`. As `string` it has three decimals."""
    TRIMMED = "trimmed"
    """A time to the millisecond, without the zeros at its end: `2015-10-06T15:52:07.1Z`."""
    MICROS = "micros"
    """A time with six decimals: `2015-11-12T20:00:04.240317Z`."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a notification or document, in both dialects and all server versions."""

    name: str
    """As in the JSON; `<feed>` or `<id>` stands for any, as in `alliance_score_<feed>`."""
    domain: Domain
    meaning: str
    table_type: str | None
    """The type in the specification's table: `string`, `int32`, ...; None if no table names it."""
    documented: Shape | None
    optional: bool
    """Whether the table lets the field be absent: "(Windows only)", "If digitally signed"."""
    observed: tuple[Shape, ...]
    """The shapes in examples and captured traffic, the usual one first; empty: not seen there."""
    frequency: float
    """How often observed messages carry it, 0 to 1."""
    required: bool
    """Whether every example and every captured message carries it."""
    since: ServerVersion
    source: str
    """Where the field is described."""

    def shapes(self, dialect: Dialect) -> tuple[Shape, ...]:
        """The shapes it may have in a dialect, the usual one first; empty when it has none."""
        if dialect is Dialect.DOCUMENTED:
            return () if self.documented is None else (self.documented,)
        known = self.documented
        return self.observed or (() if known is None else (known,))

    @property
    def is_family(self) -> bool:
        """Whether the name stands for many, as in `watchlist_<id>`."""
        return self.name.endswith(">")


_TABLE_TYPES = {
    "string": Shape.STRING,
    "int32": Shape.INTEGER,
    "float": Shape.NUMBER,
    "bool": Shape.BOOLEAN,
    "list": Shape.ARRAY,
    "dict": Shape.OBJECT,
    "JSON": Shape.OBJECT,
}
_NATIVE = {
    Kind.INTEGER: Shape.DIGITS,
    Kind.NUMBER: Shape.DIGITS,
    Kind.TRUTH: Shape.TRUTH,
    Kind.OBJECT: Shape.JSON,
}
_OPTIONAL = ("(windows only)", "if digitally signed", "(if present)")


def fields(
    notification: str,
    table: tuple[Row, ...],
    observed: str,
    *,
    section: str | None,
    document: str | None = None,
) -> tuple[Field, ...]:
    """Join a table of the specification with what examples and captures show.

    `observed` holds a line a field: its name, its shapes with a bar between (the usual one
    first), `always` or how often it is there (0 to 1), and from which server version on. A
    field of the table that it does not name was not seen outside the table.
    """
    seen: dict[str, tuple[tuple[Shape, ...], str, ServerVersion]] = {}
    for line in filter(None, map(str.strip, observed.splitlines())):
        name, shapes, often, *since = line.split()
        if name in seen:
            raise CatalogError(f"{notification}: field {name!r} is declared twice")
        version = ServerVersion(since[0]) if since else ServerVersion.V4_2
        seen[name] = tuple(Shape(shape) for shape in shapes.split("|")), often, version
    rows = {row.name: row for row in table}
    return tuple(
        _field(notification, name, rows.get(name), seen.get(name), section, document)
        for name in (*rows, *(name for name in seen if name not in rows))
    )


def _field(
    notification: str,
    name: str,
    row: Row | None,
    seen: tuple[tuple[Shape, ...], str, ServerVersion] | None,
    section: str | None,
    document: str | None,
) -> Field:
    domain = domain_of(notification, name, document)
    documented = None
    if row is not None:
        documented = _TABLE_TYPES[row.type]
        if documented is Shape.STRING:
            documented = _NATIVE.get(domain.kind, Shape.STRING)
    shapes, often, since = seen or ((), "0", ServerVersion.V4_2)
    return Field(
        name=name,
        domain=domain,
        meaning=row.meaning if row else domain.meaning,
        table_type=row.type if row else None,
        documented=documented,
        optional=row is not None and any(words in row.meaning.lower() for words in _OPTIONAL),
        observed=shapes,
        frequency=1.0 if often == "always" else float(often),
        required=often == "always",
        since=since,
        source=f"specification: {section}" if row else "examples and captured traffic",
    )
