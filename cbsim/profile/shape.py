"""Which of its shapes a value has: the choices of a dialect, read off JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping

from cbsim.catalog import Domain, Kind, Shape

__all__ = ["Form", "form_of", "shapes"]

Form = Shape | int
"""A shape, or of a time the decimals that it has: which shape that is, all of them tell."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d+))?Z")
_DISPLAYED = re.compile(r"[A-Z][a-z]{2} \d+, \d{4} \d+:\d\d:\d\d [AP]M")
_KEY = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DIGITS = re.compile(r"-?\d+(?:\.\d+)?")
_PADDED = -3
"""Three decimals, of which the last is 0: no time without zeros at its end."""


def form_of(value: object, domain: Domain | None) -> Form:
    """The form of a JSON value of a field; `domain` is None for a field that is not known."""
    kind = None if domain is None else domain.kind
    if value is None:
        return Shape.NULL
    if isinstance(value, bool):
        return Shape.BOOLEAN
    if isinstance(value, int):
        timed = domain is not None and domain.format == "date-time"
        return Shape.MILLIS if timed else Shape.INTEGER
    if isinstance(value, float):
        return Shape.NUMBER
    if isinstance(value, list):
        return Shape.ARRAY
    if isinstance(value, dict):
        texts = kind is Kind.OBJECT and domain is not None and _in_texts(value, domain)
        return Shape.TEXTS if texts else Shape.OBJECT
    return _of_text(str(value), domain)


def _of_text(value: str, domain: Domain | None) -> Form:
    if domain is None:
        return Shape.STRING
    if domain.kind in (Kind.INTEGER, Kind.NUMBER):
        if _KEY.fullmatch(value):
            return Shape.KEY
        return Shape.DIGITS if _DIGITS.fullmatch(value) else Shape.STRING
    if domain.kind is Kind.TRUTH:
        return Shape.TRUTH
    if domain.kind is Kind.OBJECT or value[:1] in ("{", "["):
        return Shape.JSON
    if domain.format == "date-time":
        if _DISPLAYED.fullmatch(value):
            return Shape.DISPLAY
        if match := _TIME.fullmatch(value):
            decimals = match[1] or ""
            return _PADDED if len(decimals) == 3 and decimals[-1] == "0" else len(decimals)
    return Shape.STRING


def _in_texts(value: Mapping[str, object], domain: Domain) -> bool:
    numbers = {name for name, inner in domain.entries if inner.kind is Kind.INTEGER}
    return any(isinstance(value.get(name), str) for name in numbers)


def shapes(forms: Mapping[Form, int], usual: Collection[Shape] = ()) -> dict[Shape, int]:
    """How often each shape came, the most frequent first.

    Three decimals may be all that a time has, or what is left of it without zeros: `usual` are the
    shapes that other servers write the field in.
    """
    found: Counter[Shape] = Counter()
    decimals: Counter[int] = Counter()
    for form, count in forms.items():
        if form is Shape.JSON and Shape.STRING in usual and Shape.JSON not in usual:
            # A query is text, however it begins.
            found[Shape.STRING] += count
        elif isinstance(form, Shape):
            found[form] += count
        else:
            decimals[form] += count
    trimmed = decimals[1] + decimals[2] > 0 or (Shape.TRIMMED in usual and not decimals[_PADDED])
    for number, count in decimals.items():
        if number > 3:
            shape = Shape.MICROS
        elif number == _PADDED or not trimmed:
            shape = Shape.STRING if number else Shape.SECONDS
        else:
            shape = Shape.TRIMMED
        found[shape] += count
    return dict(found.most_common())
