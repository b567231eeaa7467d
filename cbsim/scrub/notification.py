"""Notifications with stand-ins: a field at a time, as the catalog says what it means."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from cbsim.catalog import NOTIFICATIONS, Domain, Kind
from cbsim.errors import WireError
from cbsim.scrub.standin import StandIns
from cbsim.scrub.value import NOTHING, Values, in_style
from cbsim.wire.json_text import parse_json

__all__ = ["NotificationScrubber"]

Dropped = Callable[[str], None]
"""Told where something was dropped, such as `docs.owner`."""

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:-[0-9a-f]{8,12})?")


class NotificationScrubber:
    """Writes notifications anew."""

    def __init__(self, stand_ins: StandIns) -> None:
        self._stand_ins, self._values = stand_ins, Values(stand_ins)

    def scrubbed(self, name: str, fields: Mapping[str, Any], dropped: Dropped) -> dict[str, Any]:
        """The fields of a notification, with stand-ins; what is not understood is dropped."""
        entry = NOTIFICATIONS[name]
        documents = {field.name: field.domain for field in entry.documents}
        message = {field.name: field.domain for field in entry.fields}
        return _Object(self._stand_ins, self._values, documents, dropped).entries(
            message, fields, ""
        )


class _Object:
    """One message."""

    def __init__(
        self,
        stand_ins: StandIns,
        values: Values,
        documents: Mapping[str, Domain],
        dropped: Dropped,
    ) -> None:
        self._stand_ins, self._values = stand_ins, values
        self._documents, self._dropped = documents, dropped

    def entries(
        self, domains: Mapping[str, Domain], fields: Mapping[str, Any], before: str
    ) -> dict[str, Any]:
        """The entries of an object whose names are known, families among them."""
        scrubbed = {}
        for name, value in fields.items():
            known, shown, written = self._known(name, domains)
            found = self._value(known, value, before + shown) if known else NOTHING
            if found is NOTHING:
                self._dropped(before + shown)
            else:
                scrubbed[written] = found
        return scrubbed

    def _known(self, name: str, domains: Mapping[str, Domain]) -> tuple[Domain | None, str, str]:
        """What a field means, how it is called, and how it is written with stand-ins."""
        if name in domains:
            return domains[name], name, name
        for family, domain in domains.items():
            head, mark, tail = family.partition("<")
            rest = name.removeprefix(head)
            if mark and rest != name and (tail != "id>" or rest.isdigit()):
                return domain, family, head + (rest if tail == "id>" else self._feed(rest))
        return None, name, name

    def _feed(self, name: str) -> str:
        return self._stand_ins.text(name)

    def _value(self, domain: Domain, value: Any, path: str) -> Any:
        """The value with stand-ins, or NOTHING."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return self._values.number(domain, value)
        if isinstance(value, list):
            return self._list(domain, value, path)
        if isinstance(value, dict):
            return self._object(domain, value, path)
        if domain.kind is Kind.OBJECT:
            return self._written(domain, value, path)
        return self._values.text(domain, value)

    def _list(self, domain: Domain, value: list[Any], path: str) -> list[Any]:
        kept = []
        for inner in value:
            if isinstance(inner, dict) and domain.kind in _IN_LISTS:
                found = self._object(domain, inner, path)
            else:
                found = (
                    NOTHING if isinstance(inner, dict | list) else self._value(domain, inner, path)
                )
            if found is NOTHING:
                self._dropped(f"{path}, in a list")
            else:
                kept.append(found)
        return kept

    def _object(self, domain: Domain, value: Mapping[str, Any], path: str) -> Any:
        if domain.kind is Kind.DOCUMENTS:
            return self.entries(self._documents, value, f"{path}.")
        if domain.kind is Kind.HIGHLIGHTS:
            return self._highlight(value, path)
        if domain.kind in (Kind.OBJECT, Kind.RECORDS):
            return self.entries(dict(domain.entries), value, f"{path}.")
        return NOTHING

    def _written(self, domain: Domain, value: str, path: str) -> Any:
        """An object as a JSON document inside a string."""
        try:
            inner = parse_json(value)
        except WireError:
            return NOTHING
        if not isinstance(inner, dict):
            return NOTHING
        return in_style(self._object(domain, inner, path), value)

    def _highlight(self, value: Mapping[str, Any], path: str) -> dict[str, Any]:
        """A text, and the ids of the documents that it stands in."""
        scrubbed: dict[str, Any] = {}
        for name, inner in value.items():
            if name == "name" and isinstance(inner, str):
                scrubbed[name] = self._values.marked(inner)
            elif name == "ids" and isinstance(inner, list):
                scrubbed[name] = [one for one in inner if _ID.fullmatch(str(one))]
            else:
                self._dropped(f"{path}.{name}")
        return scrubbed


_IN_LISTS = (Kind.DOCUMENTS, Kind.HIGHLIGHTS, Kind.RECORDS)
"""What comes in lists of objects."""
