"""The simulated server: what it is, and how it says things."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from cbsim.catalog import NOTIFICATIONS, Dialect, Notification, ServerVersion, routing_key
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
        self.notification = notification
        self.forms = {
            NOTHING: [
                Template(notification, form.fields, server.dialect, constant) for form in known
            ]
        }
        self.documents = {NOTHING: Template(notification, known[0].documents, server.dialect)}
        self.database_id = notification.database_id
        self.key = routing_key(notification, ServerVersion.V4_2, 0)
        self.keys: dict[bytes, str] = {}
        if not server.version.database_id_in_key:
            self.database_id = None


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
            forms = speech.forms[fixed] = [it.fixed(fixed) for it in speech.forms[NOTHING]]
        form = forms[0] if odds < 0.75 or len(forms) == 1 else forms[1]
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
        template = documents.get(fixed)
        if template is None:
            template = documents[fixed] = documents[NOTHING].fixed(fixed)
        return template.fill(facts, members)


def seconds(ticks: int) -> bytes:
    """Whole seconds since 1970."""
    return b"%d" % (ticks // TICKS - _UNIX)
