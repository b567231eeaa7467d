"""A profile acts on the catalog's forms: missing fields, fields of one's own, shapes and shares."""

from __future__ import annotations

from cbsim.catalog import NOTIFICATIONS, Dialect, Form, ServerVersion, Shape
from cbsim.profile import Profile
from cbsim.profile.form import as_learned

NAME = "watchlist.hit.process"
FORM = NOTIFICATIONS[NAME].written(Dialect.OBSERVED, ServerVersion.V6)


def learned(fields: dict[str, dict[str, float]], name: str = NAME, **lengths: int) -> Form:
    profile = Profile.model_validate({
        "version": "6.x", "mix": {name: 1},
        "notifications": {name: {"fields": fields, "lengths": lengths}},
    })  # fmt: skip
    return as_learned(FORM, profile, NAME)


def test_a_notification_that_was_not_seen_stays_as_it_is() -> None:
    assert learned({}, "watchlist.hit.binary") == FORM


def test_fields_that_were_not_seen_are_missing() -> None:
    form = learned({"docs": {"array": 1}, "event_timestamp": {"integer": 0.9, "number": 0.1}})
    assert [field.name for field in form.fields] == ["event_timestamp", "docs"]
    assert form.fields[0].observed == (Shape.INTEGER, Shape.NUMBER)
    assert form.fields[0].required
    assert form.documents == FORM.documents


def test_a_field_that_always_came_may_come_by_chance() -> None:
    (field,) = learned({"server_name": {"string": 0.4}}).fields
    assert (field.frequency, field.chance, field.required) == (0.4, True, False)


def test_fields_of_ones_own_are_added() -> None:
    form = learned({"origin": {"string": 1}, "cluster_id": {"integer": 0.5}}, origin=7)
    origin, cluster = form.fields
    assert (origin.name, origin.domain.example, origin.required) == ("origin", "x" * 7, True)
    assert (cluster.name, cluster.domain.example, cluster.frequency) == ("cluster_id", 0, 0.5)
    assert cluster.chance
