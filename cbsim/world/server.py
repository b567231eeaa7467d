"""The simulated server: what it is, and how it says things."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from cbsim.catalog import (
    NOTIFICATIONS,
    Dialect,
    Field,
    Kind,
    Notification,
    ServerVersion,
    Shape,
    routing_key,
)
from cbsim.wire.clock import TICKS
from cbsim.wire.document import Facts, Fixed, Template, text
from cbsim.world.happening import Happening

__all__ = ["NOTHING", "Latency", "Server", "Voice", "seconds"]

NOTHING = Fixed({})

_UNIX = 11_644_473_600


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds between what an endpoint does and what the server says of it.

    A real server takes minutes; these are shortened so that a run of seconds sees them all.
    """

    store: float = 0.5
    storage: float = 1.0
    watchlist: float = 2.0
    query: float = 3.0


@dataclass(frozen=True, slots=True)
class Server:
    """The simulated server's version, dialect, name and pace."""

    version: ServerVersion = ServerVersion.V5_2
    dialect: Dialect = Dialect.OBSERVED
    name: str = "cbserver.example.com"
    latency: Latency = Latency()


class _Speech:
    """One notification as the server says it."""

    __slots__ = ("database_id", "documents", "forms", "key", "keys", "notification")

    def __init__(self, notification: Notification, server: Server) -> None:
        constant = {
            "cb_version": text(server.version.cb_version),
            "server_name": text(server.name),
            "cb_server": b"None",
        }
        known = [
            notification.written(form, server.dialect, server.version)
            for form in notification.forms_in(server.version)
        ]

        def variants(fields: tuple[Field, ...], constant: Facts | None = None) -> list[Template]:
            # Numbers are written by their value: a moment now and then as a whole one.
            shapes = [notification.shapes(it, server.dialect) for it in fields
                      if it.domain.kind is not Kind.NUMBER]  # fmt: skip
            count = max((len({*ways} - {Shape.NULL}) for ways in shapes), default=1)
            return _mostly(
                [Template(notification, fields, server.dialect, constant, number)]
                for number in range(count)
            )

        self.notification = notification
        self.forms = {NOTHING: _mostly(variants(form.fields, constant) for form in known)}
        self.documents = {NOTHING: variants(known[0].documents)}
        self.database_id = notification.database_id
        self.key = routing_key(notification, ServerVersion.V4_2, 0)
        self.keys: dict[bytes, str] = {}
        if not server.version.database_id_in_key:
            self.database_id = None


def _mostly(ways: Iterable[list[Template]]) -> list[Template]:
    """Templates of which one is picked: of the first ways three times in four."""
    usual, *others = ways
    rest = [template for other in others for template in other]
    return usual * (3 * -(-len(rest) // len(usual)) or 1) + rest


def _fixed(templates: list[Template], facts: Fixed) -> list[Template]:
    made = {template: template.fixed(facts) for template in templates}
    return [made[template] for template in templates]


class Voice:
    """Writes notifications as a server does."""

    def __init__(self, server: Server, rng: Random) -> None:
        self._version, self._random = server.version, rng.random
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
        facts["event_timestamp"] = facts["timestamp"] = at
        if (number := speech.database_id) is None:
            return name, speech.key, form.fill(facts), None
        identity = facts[number] if number in facts else fixed.facts[number]
        key = speech.keys.get(identity)
        if key is None:
            key = routing_key(speech.notification, self._version, int(identity))
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
