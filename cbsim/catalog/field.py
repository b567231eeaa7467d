"""A field as a server writes it: its meaning joined with the JSON shapes of both dialects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from cbsim.catalog.domain import Domain, Kind, domain_of
from cbsim.catalog.origin import Origin, origins
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
    MILLIS = "millis"
    """A time as whole milliseconds since 1970: `1624617831000`."""
    KEY = "key"
    """A process key where others write a number: `000010e2-0000-0a94-01d7-5d6cca2adbb2`."""


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
    later: tuple[tuple[Shape, ServerVersion], ...]
    """Those of the observed shapes that began with a version of their own, and which that was."""
    frequency: float
    """How often observed messages carry it, 0 to 1."""
    chance: bool
    """Whether it comes and goes from message to message, whatever the message is about."""
    required: bool
    """Whether every example and every captured message carries it."""
    since: ServerVersion
    origins: tuple[Origin, ...]
    """Where the field is known from, the best first."""
    section: str | None
    """The heading in the specification whose table names it."""

    @property
    def source(self) -> str:
        """Where the field is known from, in words."""
        said = ", ".join(self.origins)
        return f"specification: {self.section} ({said})" if self.section else said

    def in_version(self, version: ServerVersion) -> Field:
        """The same with the shapes that a server of that version writes."""
        if not self.later:
            return self
        later = dict(self.later)
        known = (it for it in self.observed if version.includes(later.get(it, self.since)))
        return replace(self, observed=tuple(known), later=())

    def shapes(self, dialect: Dialect) -> tuple[Shape, ...]:
        """The shapes it may have in a dialect, the usual one first; empty when it has none."""
        if dialect is Dialect.DOCUMENTED:
            return () if self.documented is None else (self.documented,)
        return self.observed or (() if self.documented is None else (self.documented,))

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
    guessed: bool = False,
) -> tuple[Field, ...]:
    """Join a table of the specification with what examples, captures and samples show.

    `observed` holds a line a field: its name, its shapes with a bar between (the usual one first;
    `key@6.x`: from that version on), `always` or how often it is there (0 to 1; with a `~` before
    it where that is chance, and not a matter of what the message is about), and from which server
    version on. A field of the table that it does not name was not seen outside the table.
    """
    rows, seen = {row.name: row for row in table}, _seen(notification, observed)
    return tuple(
        _field(
            domain_of(notification, name, document),
            rows.get(name),
            seen.get(name) or _Line(name),
            section,
            origins(notification, name, document, table=name in rows, guessed=guessed),
        )
        for name in (*rows, *(name for name in seen if name not in rows))
    )


@dataclass(frozen=True, slots=True)
class _Line:
    """What one line says of a field."""

    name: str
    shapes: tuple[Shape, ...] = ()
    later: tuple[tuple[Shape, ServerVersion], ...] = ()
    often: str = "0"
    since: ServerVersion = ServerVersion.V4_2


def _seen(notification: str, observed: str) -> dict[str, _Line]:
    seen: dict[str, _Line] = {}
    for line in filter(None, map(str.strip, observed.splitlines())):
        name, written, often, *since = line.split()
        if name in seen:
            raise CatalogError(f"{notification}: field {name!r} is declared twice")
        parts = [part.partition("@") for part in written.split("|")]
        later = tuple((Shape(shape), ServerVersion(began)) for shape, _, began in parts if began)
        shapes = tuple(Shape(shape) for shape, _, _ in parts)
        version = ServerVersion(since[0]) if since else ServerVersion.V4_2
        seen[name] = _Line(name, shapes, later, often, version)
    return seen


def _field(
    domain: Domain, row: Row | None, line: _Line, section: str | None, origins: tuple[Origin, ...]
) -> Field:
    documented = None
    if row is not None:
        documented = _TABLE_TYPES[row.type]
        if documented is Shape.STRING:
            documented = _NATIVE.get(domain.kind, Shape.STRING)
    always = line.often == "always"
    return Field(
        name=line.name,
        domain=domain,
        meaning=row.meaning if row else domain.meaning,
        table_type=row.type if row else None,
        documented=documented,
        optional=row is not None and any(words in row.meaning.lower() for words in _OPTIONAL),
        observed=line.shapes,
        later=line.later,
        frequency=1.0 if always else float(line.often.removeprefix("~")),
        chance=line.often.startswith("~"),
        required=always,
        since=line.since,
        origins=origins,
        section=section if row else None,
    )
