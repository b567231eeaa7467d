"""The fields of a notification as a profile's server writes them."""

from __future__ import annotations

from dataclasses import replace

from cbsim.catalog import Domain, Field, Form, Kind, Origin, ServerVersion, Shape
from cbsim.profile.model import FieldUse, Profile

__all__ = ["as_learned"]

_KINDS = {
    Shape.INTEGER: (Kind.INTEGER, 0),
    Shape.NUMBER: (Kind.NUMBER, 0.0),
    Shape.BOOLEAN: (Kind.TRUTH, True),
    Shape.OBJECT: (Kind.OBJECT, {}),
}
"""What a field that nobody knows holds, by its shape; any other is text."""


def as_learned(form: Form, profile: Profile, name: str) -> Form:
    """The form in which the profile's server writes a notification; `form` where none was seen.

    Fields that it lacks are gone, those of its own are added, and the others are there as often,
    and in the shapes, as it showed.
    """
    use = profile.notifications.get(name)
    if use is None:
        return form
    return Form(
        _fields(form.fields, use.fields, profile.version, use.lengths),
        _fields(form.documents, use.documents, profile.version, use.lengths)
        if use.documents
        else form.documents,
    )


def _fields(
    written: tuple[Field, ...],
    uses: dict[str, FieldUse],
    version: ServerVersion,
    lengths: dict[str, int],
) -> tuple[Field, ...]:
    known = {field.name: field for field in written}
    kept = [_used(field, uses[name]) for name, field in known.items() if name in uses]
    own = [_own(name, use, version, lengths.get(name, 0)) for name, use in uses.items()
           if name not in known]  # fmt: skip
    return (*kept, *own)


def _used(field: Field, use: FieldUse) -> Field:
    share = min(1.0, sum(use.values()))
    often = field.chance or field.required
    return replace(
        field,
        observed=tuple(sorted(use, key=lambda shape: -use[shape])),
        later=(),
        frequency=share,
        # What a message is about decides of the others, as it did.
        chance=often and share < 1,
        required=share == 1,
    )


def _own(name: str, use: FieldUse, version: ServerVersion, length: int) -> Field:
    usual = max(use, key=lambda shape: use[shape])
    kind, example = _KINDS.get(usual, (Kind.TEXT, "x" * length))
    share = min(1.0, sum(use.values()))
    return Field(
        name=name,
        domain=Domain("of one server", kind, "What one server sends beside.", example),
        meaning="What one server sends beside.",
        table_type=None,
        documented=None,
        optional=False,
        observed=(usual,),
        later=(),
        frequency=share,
        chance=share < 1,
        required=share == 1,
        since=version,
        origins=(Origin.CAPTURE,),
        section=None,
    )
