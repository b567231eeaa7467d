"""What was said: how often each notification and raw event, and with which fields."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from cbsim.catalog import NOTIFICATIONS, RAW_EVENTS
from cbsim.profile.field import FieldTally
from cbsim.profile.model import NotificationUse

__all__ = ["NotificationTally", "RawTally"]


class NotificationTally:
    """Counts one notification's fields, and its documents'."""

    def __init__(self, name: str) -> None:
        entry = NOTIFICATIONS[name]
        self.count = 0
        self._fields, self._documents = FieldTally(entry.fields), FieldTally(entry.documents)
        self._docs: Counter[int] = Counter()

    def take(self, fields: Mapping[str, object]) -> None:
        """Count one more."""
        self.count += 1
        self._fields.take(fields)
        documents = fields.get("docs")
        if isinstance(documents, list):
            self._docs[len(documents)] += 1
            for document in documents:
                if isinstance(document, dict):
                    self._documents.take(document)

    def use(self, naming: frozenset[str]) -> NotificationUse:
        """How the notification is written; `naming` are words that name something."""
        fields, documents = self._fields.uses(naming), self._documents.uses(naming)
        lengths = self._fields.lengths | self._documents.lengths
        return NotificationUse(
            fields=fields,
            documents=documents,
            docs={number: _share(count, self.count) for number, count in
                  sorted(self._docs.items())},
            lengths={name: length for name, length in lengths.items()
                     if name in fields or name in documents},
        )  # fmt: skip

    def unnamed(self, naming: frozenset[str]) -> int:
        """How many fields `use` is without."""
        return self._fields.unnamed(naming) + self._documents.unnamed(naming)


class RawTally:
    """Counts raw events by name, and the fields that each sets."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._set: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def take(self, name: str, fields: Mapping[str, Any]) -> None:
        """Count one more."""
        self.counts[name] += 1
        self._set[name].update(set(_paths(fields)))

    @property
    def shares(self) -> dict[str, dict[str, float]]:
        """Of each event the share that sets each field."""
        return {
            name: {path: _share(count, self.counts[name])
                   for path, count in sorted(self._set[name].items())}
            for name in RAW_EVENTS if self.counts[name]
        }  # fmt: skip


def _paths(fields: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for name, value in fields.items():
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                yield from _paths(inner, f"{before}{name}.")
            else:
                yield before + name


def _share(count: int, whole: int) -> float:
    return round(count / whole, 4)
