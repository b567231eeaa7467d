"""Single values of notifications with stand-ins, as their domains say what they mean."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import orjson

from cbsim.catalog import NOTIFICATIONS, Domain, Kind
from cbsim.errors import WireError
from cbsim.scrub.standin import StandIns
from cbsim.wire.address import ipv4_from_signed, ipv4_to_signed
from cbsim.wire.identity import store_path
from cbsim.wire.json_text import parse_json

__all__ = ["NOTHING", "Values", "in_style"]

NOTHING: Final = object()
"""What is left of a value that is not understood."""

_KEY = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_HEX = re.compile(r"[0-9a-f-]+|[0-9A-F-]+")
_DIGITS = re.compile(r"-?\d{1,20}(?:\.\d{1,9})?")
_NUMBERS = re.compile(rf"{_DIGITS.pattern}|{_KEY}|")
_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?Z"
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{1,2}, \d{4} \d{1,2}:\d\d:\d\d [AP]M|"
)
_FIELDS = {field.name for entry in NOTIFICATIONS.values() for field in entry.documents}
_KEPT_IN_QUERIES = re.compile(
    r"%[0-9A-Fa-f]{2}|(?<![\w.])(?:cb\.urlver|q|index_type|search_query|"
    + "|".join(sorted(_FIELDS, reverse=True))
    + r")(?=[=:\"]|%3[Aa])"
)
"""Escapes, and the names of fields that a query asks for."""
_STORED = re.compile(r"/var/cb/data/modulestore/[0-9A-F]{3}/[0-9A-F]{3}/([0-9A-F]{32})\.zip")
_MARK = re.compile("PREPREPRE|POSTPOSTPOST")
_AS_THEY_ARE = {
    "process key": re.compile(_KEY),
    "unique id": re.compile(rf"{_KEY}-(?:[0-9a-f]{{8}}|[0-9a-f]{{12}})"),
    "version": re.compile(r"\d+(?:\.\d+)+"),
    "time": _TIME,
    "time of resolution": _TIME,
}
"""Texts that name nobody, by what they are."""
_IN_HEX = ("MD5, upper case", "MD5, lower case", "MD5 of a parent", "SHA-256, upper case",
           "SHA-256, lower case", "UUID")  # fmt: skip
_QUERIES = ("query", "IOC", "URL")
_LEVELS = ("events", "modules")
"""What a query searches."""


class Values:
    """Gives single values their stand-ins."""

    def __init__(self, stand_ins: StandIns) -> None:
        self._stand_ins = stand_ins

    def number(self, domain: Domain, value: float) -> Any:
        """A number, or NOTHING where none belongs; an address's has a stand-in."""
        if domain.name == "IPv4 as int32":
            if value not in range(-(2**31), 2**31):
                return NOTHING
            address = bytes(map(int, ipv4_from_signed(int(value)).split(".")))
            return ipv4_to_signed(".".join(map(str, self._stand_ins.ipv4(address))))
        numeric = domain.kind in (Kind.INTEGER, Kind.NUMBER) or domain.format == "date-time"
        return value if numeric else NOTHING

    def text(self, domain: Domain, value: str) -> str | object:
        """A text with stand-ins, or NOTHING."""
        if domain.kind in (Kind.INTEGER, Kind.NUMBER):
            return self._numeric(domain, value)
        if domain.kind is Kind.TRUTH:
            return value if value in ("true", "false") else NOTHING
        if domain.kind is Kind.HIGHLIGHTS:
            return self.marked(value)
        if domain.kind is not Kind.TEXT:
            return NOTHING
        kept = _AS_THEY_ARE.get(domain.name)
        if value in domain.choices or (kept and kept.fullmatch(value)) or _is_name(value):
            return value
        if domain.name in _IN_HEX and _HEX.fullmatch(value):
            return self._stand_ins.hex_digits(value)
        if match := _STORED.fullmatch(value):
            return store_path(self._stand_ins.hex_digits(match[1]))
        if domain.name == "endpoint" and re.search(r"\|\d+$", value):
            name, _, sensor = value.rpartition("|")
            return f"{self._stand_ins.text(name)}|{sensor}"
        if domain.name in _QUERIES:
            return self._query(value)
        return self._stand_ins.text(value)

    def marked(self, value: str) -> str:
        """A text in which what a query matched stands between marks: they stay where they are."""
        bare = self._stand_ins.text(_MARK.sub("", value))
        pieces, at = [], 0
        for piece in re.split(f"({_MARK.pattern})", value):
            if _MARK.fullmatch(piece):
                pieces.append(piece)
            else:
                pieces.append(bare[at : at + len(piece)])
                at += len(piece)
        return "".join(pieces)

    def _numeric(self, domain: Domain, value: str) -> str | object:
        if domain.name == "IPv4 as int32" and _DIGITS.fullmatch(value):
            found = self.number(domain, float(value))
            return found if found is NOTHING else str(found)
        return value if _NUMBERS.fullmatch(value) else NOTHING

    def _query(self, value: str) -> str | object:
        if not value.startswith("{"):
            return self._stand_ins.around(_KEPT_IN_QUERIES, value)
        try:
            asked = parse_json(value)
        except WireError:
            return NOTHING
        kept = {}
        for name, inner in asked.items():
            if name == "index_type" and inner in _LEVELS:
                kept[name] = inner
            elif name == "search_query" and isinstance(inner, str):
                kept[name] = self._stand_ins.around(_KEPT_IN_QUERIES, inner)
        return in_style(kept, value)


def in_style(value: object, written: str) -> str:
    """A value as JSON, with spaces where a text of the server's has them."""
    if '": ' in written:
        return json.dumps(value, ensure_ascii=False)
    return orjson.dumps(value).decode()


def _is_name(value: str) -> bool:
    """Whether it is what a notification or an alert is called."""
    return value in NOTIFICATIONS or f"alert.{value}" in NOTIFICATIONS
