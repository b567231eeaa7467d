"""The simulated server: what it is, and how it says things."""

from __future__ import annotations

from random import Random

from cbsim.catalog import (
    NOTIFICATIONS,
    Dialect,
    Field,
    Kind,
    Notification,
    Shape,
    id_in_key,
    routing_key,
)
from cbsim.wire.clock import TICKS
from cbsim.wire.document import Facts, Fixed, Template, text
from cbsim.world.happening import Happening
from cbsim.world.setting import Server

__all__ = ["NOTHING", "Voice", "seconds"]

NOTHING = Fixed({})

_UNIX = 11_644_473_600


class _Speech:
    """One notification as the server says it."""

    __slots__ = ("database_id", "documents", "forms", "key", "keys", "notification")

    def __init__(self, notification: Notification, server: Server) -> None:
        constant = {
            "cb_version": text(server.version.cb_version),
            "server_name": text(server.name),
        }
        tabled = server.dialect is Dialect.DOCUMENTED and notification.section is not None
        written = notification.written(server.dialect, server.version)

        def variants(fields: tuple[Field, ...], constant: Facts | None = None) -> list[Template]:
            # Numbers are written by their value: a moment now and then as a whole one.
            shapes = [notification.shapes(it, server.dialect) for it in fields
                      if it.domain.kind is not Kind.NUMBER]  # fmt: skip
            # What may be nothing is so when it is.
            several = [ways for ways in shapes if Shape.NULL not in ways]
            count = max((len({*ways}) for ways in several), default=1)
            # The usual shapes three times in four.
            numbers = [0] * (3 * (count - 1) or 1) + [*range(1, count)]
            return [
                Template(notification, some, server.dialect, constant, number)
                for some in ([fields] if tabled else _presences(fields))
                for number in numbers
            ]

        self.notification = notification
        self.forms = {NOTHING: variants(written.fields, constant)}
        self.documents = {NOTHING: variants(written.documents)}
        self.database_id = id_in_key(
            notification, server.version, watchlist_ids=server.watchlist_ids
        )
        self.key = notification.name
        self.keys: dict[bytes, str] = {}


def _presences(fields: tuple[Field, ...]) -> list[tuple[Field, ...]]:
    """The fields without those that chance leaves out, as often as it does, in tenths."""
    if not any(field.chance for field in fields):
        return [fields]
    return [
        tuple(
            field
            for place, field in enumerate(fields)
            # 7 and 10 share no factor: each field is there in so many of ten, one unlike another.
            if not field.chance or (7 * turn + 3 * place) % 10 < 10 * field.frequency
        )
        for turn in range(10)
    ]


def _fixed(templates: list[Template], facts: Fixed) -> list[Template]:
    made = {template: template.fixed(facts) for template in templates}
    return [made[template] for template in templates]


class Voice:
    """Writes notifications as a server does."""

    def __init__(self, server: Server, rng: Random) -> None:
        self._server, self._random = server, rng.random
        self._moment, self._stamp = -1, b""
        """A moment (milliseconds since 1601), and how notifications have it."""
        self._speeches = {
            name: _Speech(notification, server) for name, notification in NOTIFICATIONS.items()
        }

    def say(
        self, name: str, now: int, facts: dict[str, bytes], fixed: Fixed = NOTHING
    ) -> Happening:
        """A notification at that moment (FILETIME), which is added to the facts."""
        speech, odds = self._speeches[name], self._random()
        forms = speech.forms.get(fixed)
        if forms is None:
            forms = speech.forms[fixed] = _fixed(speech.forms[NOTHING], fixed)
        form = forms[int(odds * len(forms))]
        moment = now // 10_000
        if moment != self._moment:
            self._moment, self._stamp = moment, b"%d.%03d" % divmod(moment - _UNIX * 1000, 1000)
        # One time in four hundred is an integer (wire: Identities).
        at = self._stamp if odds >= 0.0025 else self._stamp[:-4]
        facts["event_timestamp"] = at
        if (number := speech.database_id) is None:
            return name, speech.key, form.fill(facts), None
        identity = facts[number] if number in facts else fixed.facts[number]
        key = speech.keys.get(identity)
        if key is None:
            key = routing_key(
                speech.notification, self._server.version, int(identity),
                watchlist_ids=self._server.watchlist_ids,
            )  # fmt: skip
            speech.keys[identity] = key
        return name, key, form.fill(facts), None

    def document(self, name: str, facts: Facts, members: Facts, fixed: Fixed = NOTHING) -> bytes:
        """A document for that notification's `docs`; `members` are of families."""
        documents = self._speeches[name].documents
        templates = documents.get(fixed)
        if templates is None:
            # There are many of these: the shapes differ between them, or each would be made twice.
            ways = documents[NOTHING]
            templates = documents[fixed] = [ways[int(self._random() * len(ways))].fixed(fixed)]
        if len(templates) == 1:
            return templates[0].fill(facts, members)
        return templates[int(self._random() * len(templates))].fill(facts, members)


def seconds(ticks: int) -> bytes:
    """Whole seconds since 1970."""
    return b"%d" % (ticks // TICKS - _UNIX)
