"""The JSON notifications: what each is called, when servers send it, and the fields it has."""

from __future__ import annotations

from dataclasses import dataclass

from cbsim.catalog import observed, stored, tables
from cbsim.catalog.field import Field, Shape, fields
from cbsim.catalog.server import Dialect, ServerVersion
from cbsim.errors import CatalogError

__all__ = ["GUESS", "NOTIFICATIONS", "Form", "Notification"]


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a message and of each of its documents, as some server writes them."""

    fields: tuple[Field, ...]
    documents: tuple[Field, ...]
    """The fields of each document in `docs`; empty when there are none."""


@dataclass(frozen=True, slots=True)
class Notification:
    """A JSON notification on `api.events`."""

    name: str
    meaning: str
    section: str | None
    """The heading in the specification; None for what later servers added."""
    since: ServerVersion
    document: str | None
    """`process` or `binary` when it carries `docs` of that kind."""
    database_id: str | None
    """The field with the id of the watchlist or feed that matched (see `routing.id_in_key`)."""
    weight: float
    """How often it is sent, relative to the others, when a scenario does not say."""
    fields: tuple[Field, ...]
    documents: tuple[Field, ...]
    """The fields of each document in `docs`; empty when there are none."""
    guessed: bool
    """Whether nobody published a body of it: the fields are a guess, and any object is valid."""
    note: str | None
    """What a reader must know of it beyond its fields."""

    content_type = "application/json"

    def in_version(self, version: ServerVersion) -> bool:
        """Whether servers of that version send it."""
        return version.includes(self.since)

    def written(self, dialect: Dialect, version: ServerVersion) -> Form:
        """The fields that a server of that version and dialect may write."""

        def speaks(field: Field) -> bool:
            if dialect is Dialect.DOCUMENTED and self.section is not None:
                return field.documented is not None
            return bool(field.observed) and version.includes(field.since)

        return Form(
            tuple(field.in_version(version) for field in self.fields if speaks(field)),
            tuple(field.in_version(version) for field in self.documents if speaks(field)),
        )

    def shapes(self, field: Field, dialect: Dialect) -> tuple[Shape, ...]:
        """The shapes of a field in a dialect: what later servers added, no table documents."""
        return field.shapes(Dialect.OBSERVED if self.section is None else dialect)


_DECLARED = (
    # name, heading in the specification or None, since, documents, database id, weight, meaning
    ("watchlist.hit.process", "Process Watchlist Hit", "4.2", "process", "watchlist_id", 6,
     "A process matched a watchlist."),
    ("watchlist.hit.binary", "Binary Watchlist Hit", "4.2", "binary", "watchlist_id", 9,
     "A binary matched a watchlist."),
    ("watchlist.storage.hit.process", None, "5.2", "process", "watchlist_id", 11,
     "A process was marked as matching a watchlist, in the data store."),
    ("watchlist.storage.hit.binary", None, "5.2", "binary", "watchlist_id", 60,
     "A binary was marked as matching a watchlist, in the data store."),
    ("feed.ingress.hit.process", "Process Ingress Feed Hit", "4.2", None, "feed_id", 10,
     "A process did what a feed's report names, told as the data arrives."),
    ("feed.ingress.hit.binary", "Binary Ingress Feed Hit", "4.2", None, "feed_id", 6,
     "A binary is one that a feed's report names, told as the data arrives."),
    ("feed.ingress.hit.host", None, "5.2", None, "feed_id", 2,
     "An endpoint did what a feed's report names, and no process is known."),
    ("feed.storage.hit.process", "Process Storage Feed Hit", "4.2", "process", "feed_id", 10,
     "A process that a feed's report names can be searched for."),
    ("feed.storage.hit.binary", "Binary Storage Feed Hit", "4.2", "binary", "feed_id", 6,
     "A binary that a feed's report names can be searched for."),
    ("feed.query.hit.process", "Process Query Feed Hit", "4.2", "process", "feed_id", 5,
     "A process matched a feed's query."),
    ("feed.query.hit.binary", "Binary Query Feed Hit", "4.2", "binary", "feed_id", 3,
     "A binary matched a feed's query."),
    ("feed.synchronized", None, "5.2", None, None, 1,
     "A feed's reports were fetched anew."),
    ("cmd.feed.synchronize", None, "5.2", None, None, 4,
     "The server was told to fetch a feed's reports."),
    ("binaryinfo.observed", "Scenario 1: Observed for the first time on any endpoint", "4.2", None,
     None, 37, "A binary was seen for the first time on any endpoint."),
    ("binaryinfo.host.observed",
     "Scenario 2: Observed on an individual endpoint for the first time",
     "4.2", None, None, 41, "A binary was seen for the first time on this endpoint."),
    ("binaryinfo.group.observed", "Scenario 3: Observed within a sensor group for the first time",
     "4.2", None, None, 38, "A binary was seen for the first time in this sensor group."),
    ("binarystore.file.added", "New Binary File Arrival", "4.2", None, None, 30,
     "The server has a copy of a binary."),
    ("alert.watchlist.hit.query.process", None, "5.2", None, None, 10,
     "An alert: a process matched a watchlist's query."),
    ("alert.watchlist.hit.query.binary", None, "5.2", None, None, 39,
     "An alert: a binary matched a watchlist's query."),
    ("alert.watchlist.hit.ingress.process", None, "5.2", None, None, 4,
     "An alert: a process did what a feed's report names."),
    ("alert.watchlist.hit.ingress.binary", None, "5.2", None, None, 4,
     "An alert: a binary is one that a feed's report names."),
    ("alert.watchlist.hit.ingress.host", None, "5.2", None, None, 2,
     "An alert: an endpoint did what a feed's report names."),
    ("alert.watchlist.hit.feedsearch.bin", None, "6.x", None, None, 1,
     "An alert: a search for what a feed's report names found a binary."),
    ("alert.watchlist.hit.feedsearch.binary", None, "6.x", None, None, 0.2,
     "An alert: a search for what a feed's report names found a binary."),
    ("alert.status.updated", None, "6.x", None, None, 2,
     "Somebody resolved alerts."),
    ("watchlist.hit.ingress.binary", None, "6.x", None, "watchlist_id", 0.2,
     "A binary matched as the data arrives."),
    ("task.error.logged", None, "7.x", None, None, 0.1,
     "A task of the server failed."),
    *(
        (f"events.partition.{state}", None, "6.x", None, None, 0.1,
         f"A partition of the server's event store {what}.")
        for state, what in (
            ("creating", "is being made"), ("created", "was made"),
            ("mounted", "can be searched"), ("unmounted", "can no longer be searched"),
            ("purged", "was emptied"), ("deleted", "is gone"),
        )
    ),
)  # fmt: skip

_GUESSED = frozenset(
    name
    for name, *_ in _DECLARED
    if name.startswith("events.partition.")
    or name
    in (
        "alert.watchlist.hit.feedsearch.binary",
        "watchlist.hit.ingress.binary",
        "task.error.logged",
    )
)
"""Known by their keys alone: no body was published."""
GUESS = "Its key is known, its body is not: the fields are a guess, and any object is valid."

_NOTES = dict.fromkeys(_GUESSED, GUESS) | {
    "feed.query.hit.process": "The specification contradicts itself: its table has `sensor_id` "
    'twice, as int32 "Sensor Id of the endpoint on which the event matching the feed occurred" and '
    'as string "Always 0 for event. See process document for matching values." Both are valid: the '
    "endpoint's id, and 0.",
}


def _notification(
    name: str,
    section: str | None,
    since: str,
    document: str | None,
    database_id: str | None,
    weight: float,
    meaning: str,
) -> Notification:
    documents: tuple[Field, ...] = ()
    if document is not None:
        documents = fields(
            name,
            tables.DOCUMENTS.get(name, ()),
            stored.DOCUMENTS[name],
            section=section,
            document=document,
        )
    guessed = name in _GUESSED
    return Notification(
        name=name,
        meaning=meaning,
        section=section,
        since=ServerVersion(since),
        document=document,
        database_id=database_id,
        weight=weight,
        fields=fields(
            name,
            tables.MESSAGES.get(name, ()),
            observed.MESSAGES[name],
            section=section,
            guessed=guessed,
        ),
        documents=documents,
        guessed=guessed,
        note=_NOTES.get(name),
    )


NOTIFICATIONS: dict[str, Notification] = {row[0]: _notification(*row) for row in _DECLARED}
"""Every JSON notification by name."""

if NOTIFICATIONS.keys() != observed.MESSAGES.keys():
    raise CatalogError("notification.py and observed.py do not declare the same notifications")
