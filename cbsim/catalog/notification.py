"""The JSON notifications: what each is called, when servers send it, and the fields it has."""

from __future__ import annotations

from dataclasses import dataclass

from cbsim.catalog import observed, tables
from cbsim.catalog.field import Field, Shape, fields
from cbsim.catalog.server import Dialect, ServerVersion
from cbsim.errors import CatalogError

__all__ = ["NOTIFICATIONS", "Form", "Notification"]


@dataclass(frozen=True, slots=True)
class Form:
    """One way a server writes a notification: the fields of the message and of its documents."""

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
    """The field whose value newer servers put into the routing key."""
    weight: float
    """How often it is sent, relative to the others, when a scenario does not say."""
    forms: tuple[Form, ...]
    """As observed, the usual form first. The tables' fields are in each."""

    content_type = "application/json"

    def in_version(self, version: ServerVersion) -> bool:
        """Whether servers of that version send it."""
        return version.includes(self.since)

    def forms_in(self, version: ServerVersion) -> tuple[Form, ...]:
        """The forms in which servers of that version send it."""
        later = (
            form
            for form in self.forms[1:]
            if all(version.includes(field.since) for field in form.fields if field.required)
        )
        return (self.forms[0], *later)

    def written(self, form: Form, dialect: Dialect, version: ServerVersion) -> Form:
        """The fields that a server of that version and dialect may write, in that form."""

        def speaks(field: Field) -> bool:
            if dialect is Dialect.DOCUMENTED and self.section is not None:
                return field.documented is not None
            return bool(field.observed) and version.includes(field.since)

        return Form(
            tuple(field for field in form.fields if speaks(field)),
            tuple(field for field in form.documents if speaks(field)),
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
)  # fmt: skip


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
            observed.DOCUMENTS[name],
            section=section,
            document=document,
        )
    forms = tuple(
        Form(fields(name, tables.MESSAGES.get(name, ()), form, section=section), documents)
        for form in observed.MESSAGES[name]
    )
    return Notification(
        name, meaning, section, ServerVersion(since), document, database_id, weight, forms
    )


NOTIFICATIONS: dict[str, Notification] = {row[0]: _notification(*row) for row in _DECLARED}
"""Every JSON notification by name."""

if NOTIFICATIONS.keys() != observed.MESSAGES.keys():
    raise CatalogError("notification.py and observed.py do not declare the same notifications")
