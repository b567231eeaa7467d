"""The fields of one notification, or of its documents, as they come: which, and in what shapes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from cbsim.catalog import Field, Shape
from cbsim.profile.model import FieldUse
from cbsim.profile.shape import Form, form_of, shapes

__all__ = ["FieldTally"]

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_OFTEN = 0.1
"""The least share of the messages in which a field that is not known counts as a field: a rarer one
may be a map's key, and name something."""


class FieldTally:
    """Counts the fields of messages or documents."""

    def __init__(self, known: Iterable[Field]) -> None:
        self._known = {field.name: field for field in known}
        self._families = [
            (re.compile(_family(name)), name) for name, field in self._known.items()
            if field.is_family
        ]  # fmt: skip
        self._count = 0
        self._forms: dict[str, Counter[Form]] = {}
        self._there: Counter[str] = Counter()
        self._length: Counter[str] = Counter()

    def take(self, fields: Mapping[str, object]) -> None:
        """Count the fields of one more."""
        self._count += 1
        there = set()
        for written, value in fields.items():
            name = self._name(written)
            there.add(name)
            known = self._known.get(name)
            form = form_of(value, known.domain if known else None)
            self._forms.setdefault(name, Counter())[form] += 1
            if known is None and isinstance(value, str):
                self._length[name] += len(value)
        self._there.update(there)

    def uses(self, naming: frozenset[str]) -> dict[str, FieldUse]:
        """How each field is used; without what nobody knows and what may name something.

        `naming` are words that do, in lower case.
        """
        uses = {}
        for name in self._forms:
            count, known = self._there[name], self._known.get(name)
            if known is None and not self._plain(name, naming):
                continue
            found = shapes(self._forms[name], () if known is None else known.observed)
            whole = sum(found.values()) * self._count
            uses[name] = {shape: round(count * number / whole, 4)
                          for shape, number in found.items()}  # fmt: skip
        return uses

    def unnamed(self, naming: frozenset[str]) -> int:
        """How many fields `uses` is without."""
        return len(self._there.keys() - self.uses(naming).keys())

    @property
    def lengths(self) -> dict[str, int]:
        """Characters, on average, of the texts of fields that nobody knows."""
        return {name: round(length / self._forms[name][Shape.STRING])
                for name, length in self._length.items()}  # fmt: skip

    def _name(self, written: str) -> str:
        if written in self._known:
            return written
        for pattern, family in self._families:
            if pattern.fullmatch(written):
                return family
        return written

    def _plain(self, name: str, naming: frozenset[str]) -> bool:
        return (
            _PLAIN.fullmatch(name) is not None
            and self._there[name] >= _OFTEN * self._count
            and not any(part in naming for part in (name.lower(), *name.lower().split("_")))
        )


def _family(name: str) -> str:
    """`watchlist_<id>` as a pattern: an id is digits, a feed's name any word."""
    head, _, tail = name.partition("<")
    return head + (r"\d+" if tail == "id>" else r".+")
