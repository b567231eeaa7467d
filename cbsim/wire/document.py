"""JSON notifications: text with holes, so that only what varies is written each time.

A fact is the text that stands in the JSON: digits for a number, `true` or `false`, and for a string
what stands between its quotes. The shape a server and dialect give a field is around the hole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from operator import itemgetter
from types import MappingProxyType

import orjson

from cbsim.catalog import Dialect, Field, Kind, Notification, Shape

__all__ = ["Facts", "Fixed", "Template", "structure", "text"]

Facts = Mapping[str, bytes]
"""Texts by field name. Objects come in the three shapes that `structure` gives, times with three
decimals; another shape of a time stands under the name and the shape: `last_seen trimmed`. A
family stands under its pattern and a shape, `watchlist_<id> micros`, as whole members, each behind
a comma.
"""


def text(value: str) -> bytes:
    """A string as it stands between quotes."""
    return orjson.dumps(value)[1:-1]


def structure(name: str, value: Mapping[str, object]) -> dict[str, bytes]:
    """The facts of a field that holds an object."""
    plain = orjson.dumps(value)
    texts = {
        key: one if isinstance(one, str | list) else str(one).lower() for key, one in value.items()
    }
    return {
        name: plain,
        f"{name} {Shape.TEXTS}": orjson.dumps(texts),
        f"{name} {Shape.JSON}": text(plain.decode()),
    }


class Fixed:
    """Facts that come together again and again: they are worth a template of their own."""

    __slots__ = ("facts",)

    def __init__(self, facts: Facts) -> None:
        self.facts = facts


class Template:
    """A notification or a document, as a server of one dialect writes it.

    A field is written when its facts are there the first time that the template is filled; families
    come last.
    """

    def __init__(
        self, notification: Notification, fields: Iterable[Field], dialect: Dialect,
        constant: Facts | None = None, variant: int = 0,
    ) -> None:  # fmt: skip
        """`variant` 0 is the usual one; in others, fields that have more shapes are in those."""
        self._notification, self._fields, self._dialect = notification, tuple(fields), dialect
        self._constant: Facts = constant or {}
        self._variant = variant
        self._families = [
            f"{field.name} {self._shape(field)}" for field in self._fields if field.is_family
        ]
        self._pieces: list[bytes] = []
        """The text: every second piece is a hole, the last is for families and the end."""
        self._holes: Callable[[Facts], Iterable[bytes]] | None = None

    def fixed(self, more: Fixed) -> Template:
        """The same, not filled yet, in which these facts are fixed as well."""
        constant = {**self._constant, **more.facts}
        made = Template(
            self._notification, self._fields, self._dialect, constant, self._variant
        )  # fmt: skip
        made._members = self._members
        return made

    def _shape(self, field: Field) -> Shape:
        shapes = self._notification.shapes(field, self._dialect)
        return shapes[min(self._variant, len(shapes) - 1)]

    @cached_property
    def _members(self) -> list[tuple[str, bytes, bytes]]:
        """For each field that is no family: its fact, and what stands before and behind it."""
        members = []
        for field in self._fields:
            if not field.is_family:
                shape = self._shape(field)
                before, behind = _around(field, shape)
                before = b'"%b":' % field.name.encode() + before
                members.append((_fact(field, shape), before, behind))
        return members

    def fill(self, facts: Facts, members: Facts = MappingProxyType({})) -> bytes:
        """The JSON object; `members` are of families."""
        if self._holes is None:
            self._compile(facts)
            assert self._holes is not None
        pieces = self._pieces
        pieces[1:-1:2] = self._holes(facts)
        pieces[-1] = b"}"
        if members:
            pieces[-1] = b"".join([members[it] for it in self._families if it in members]) + b"}"
        return b"".join(pieces)

    def _compile(self, facts: Facts) -> None:
        holes: list[str] = []
        pieces, comma = [b"{"], b""
        for name, before, behind in self._members:
            if name not in self._constant and name not in facts:
                continue
            pieces[-1] += comma + before
            if name in self._constant:
                pieces[-1] += self._constant[name] + behind
            else:
                holes.append(name)
                pieces += [b"", behind]
            comma = b","
        self._pieces = [*pieces, b""]
        # Of a single name, itemgetter gives no tuple.
        self._holes = (
            itemgetter(*holes) if len(holes) > 1 else lambda it: [it[one] for one in holes]
        )


def _fact(field: Field, shape: Shape) -> str:
    """Under which name the facts have a field in that shape."""
    if shape in (Shape.TEXTS, Shape.JSON, Shape.NULL, Shape.MILLIS, Shape.KEY, *_TIMES):
        return f"{field.name} {shape}"
    if shape is Shape.INTEGER and field.domain.maximum == 2**32 - 1:
        # 0x800B0100 does not fit the table's int32: as signed it does.
        return f"{field.name} int32"
    return field.name


def _around(field: Field, shape: Shape) -> tuple[bytes, bytes]:
    """What stands before and behind a fact in that shape."""
    if shape in (Shape.STRING, Shape.DIGITS, Shape.TRUTH, Shape.JSON, Shape.KEY, *_TIMES):
        return b'"', b'"'
    if shape is Shape.ARRAY and field.domain.kind is Kind.TEXT and field.name not in _LISTS:
        return b'["', b'"]'
    return (b"[", b"]") if shape is Shape.ARRAY else (b"", b"")


_TIMES = (Shape.DISPLAY, Shape.SECONDS, Shape.TRIMMED, Shape.MICROS)
_LISTS = frozenset(("watchlists", "highlights", "other_hostnames", "docs"))
"""Fields whose facts are the whole inside of a list."""
