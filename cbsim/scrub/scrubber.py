"""Messages with stand-ins, whatever they carry: a notification, an event, or a bundle."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Mapping

import orjson

from cbsim.catalog import NOTIFICATIONS, name_of, name_of_event
from cbsim.errors import UnknownKeyError, WireError
from cbsim.scrub.event import EventScrubber
from cbsim.scrub.notification import NotificationScrubber
from cbsim.scrub.standin import StandIns
from cbsim.wire import bundle
from cbsim.wire.event import as_dict, decode
from cbsim.wire.json_text import parse_json
from cbsim.wire.message import (
    EVENTS_EXCHANGE,
    JSON_TYPE,
    PROTOBUF_TYPE,
    RAW_EXCHANGE,
    ZIP_TYPE,
    Message,
)
from cbsim.wire.reading import forwarded

__all__ = ["Scrubber"]

_NUMBERS = ("sensorId", "hostId", "nodeId")
_NAME = "sensorHostName"


class Scrubber:
    """Puts stand-ins in the place of what names somebody or something.

    The same secret gives the same stand-ins; without it nobody can tell what they stand for.
    """

    def __init__(self, secret: bytes) -> None:
        self._stand_ins = StandIns(secret)
        self._notifications = NotificationScrubber(self._stand_ins)
        self._events = EventScrubber(self._stand_ins)
        self.dropped: Counter[str] = Counter()
        """What was not understood and is not there any more, and how often."""

    def scrubbed(self, message: Message) -> Message | None:
        """The message with stand-ins; None for one that is not understood."""
        try:
            body = self._body(message)
        except UnknownKeyError:
            self.dropped["messages of no kind that is known"] += 1
        except WireError:
            self.dropped["messages that cannot be read"] += 1
        else:
            return message._replace(
                body=body,
                exchange=self._exchange(message.exchange),
                headers=self._headers(message.headers),
            )
        return None

    def _body(self, message: Message) -> bytes:
        if message.content_type == JSON_TYPE:
            return self._notification(message)
        if message.content_type not in (PROTOBUF_TYPE, ZIP_TYPE):
            raise WireError("neither JSON nor protobuf")
        if message.routing_key:
            return self._event(name_of(message.routing_key), message.body)
        if message.body.startswith(b"PK"):
            return self._zip(message.body)
        return self._run(message.body)

    def _notification(self, message: Message) -> bytes:
        name = name_of(message.routing_key)
        fields = parse_json(message.body)
        if name not in NOTIFICATIONS or not isinstance(fields, dict) or forwarded(fields):
            raise WireError("no notification")
        return orjson.dumps(self._notifications.scrubbed(
            name, fields, lambda path: self._drop(name, path)))  # fmt: skip

    def _event(self, name: str, body: bytes) -> bytes:
        event = decode(body)
        self._events.scrub(event, lambda path: self._drop(name, path))
        return event.SerializeToString(deterministic=True)

    def _run(self, run: bytes) -> bytes:
        """A run of events; those that are not understood are dropped."""
        events = []
        for body in bundle.split(run):
            try:
                events.append(self._event(name_of_event(as_dict(decode(body))), body))
            except UnknownKeyError:
                self.dropped["events of bundles, of no kind that is known"] += 1
        return bundle.join(events)

    def _zip(self, body: bytes) -> bytes:
        written = io.BytesIO()
        runs = [*bundle.members(body)]
        with zipfile.ZipFile(io.BytesIO(body)) as archive, zipfile.ZipFile(written, "w") as made:
            for info, run in zip(archive.infolist(), runs, strict=True):
                name = zipfile.ZipInfo(self._stand_ins.text(info.filename), info.date_time)
                made.writestr(name, self._run(run), info.compress_type)
        return written.getvalue()

    def _headers(self, headers: Mapping[str, int | str]) -> dict[str, int | str]:
        kept: dict[str, int | str] = {}
        for name, value in headers.items():
            if name in _NUMBERS and isinstance(value, int):
                kept[name] = value
            elif name == _NAME and isinstance(value, str):
                kept[name] = self._stand_ins.text(value)
            else:
                self.dropped["headers that nobody knows"] += 1
        return kept

    def _exchange(self, name: str) -> str:
        return name if name in (EVENTS_EXCHANGE, RAW_EXCHANGE) else self._stand_ins.text(name)

    def _drop(self, name: str, path: str) -> None:
        self.dropped[f"{name}: {path}"] += 1
