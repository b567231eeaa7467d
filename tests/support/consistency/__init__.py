"""What a consumer must be able to trust, checked from the messages alone.

Nothing here knows how the world makes them: events are decoded with protobuf and notifications as
JSON, and each is held against all that came before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import orjson

from cbsim.catalog import name_of
from cbsim.errors import CatalogError
from cbsim.wire import bundle
from cbsim.wire.message import JSON_TYPE, Message
from cbsim.wire.sensor_events_pb2 import CbEventMsg
from tests.support.consistency.binaries import Binaries
from tests.support.consistency.context import Context
from tests.support.consistency.events import Events
from tests.support.consistency.hits import Hits
from tests.support.consistency.terms import CAUSES, Finding, Terms

__all__ = ["CAUSES", "Finding", "Terms", "findings"]


def findings(messages: Iterable[Message], terms: Terms | None = None) -> list[Finding]:
    """What cannot be true of one estate, in the order in which it shows."""
    terms, stream = terms or Terms(), list(messages)
    published = terms.published
    if published is None:
        published = frozenset(chain.from_iterable(map(_names, stream)))
    check = _Check(Context(terms, published))
    for index, message in enumerate(stream):
        check.take(index, message)
    return check.finish()


def _names(message: Message) -> Sequence[str]:
    if message.routing_key:
        try:
            return (name_of(message.routing_key),)
        except CatalogError:
            return (message.routing_key,)
    return _BUNDLED


_BUNDLED = tuple(
    f"ingress.event.{name}" for name in ("procstart", "procend", "childproc", "moduleload",
                                         "filemod", "regmod", "netconn")
)  # fmt: skip


class _Check:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._events, self._hits = Events(context), Hits(context)
        self._binaries = Binaries(context)
        self._singles: set[bytes] = set()
        """Events that came by themselves, where each comes in a bundle too."""

    def take(self, index: int, message: Message) -> None:
        context = self._context
        if not index:
            context.began = message.moment
        if message.moment < context.moment:
            context.say("moments", "its moment is before the last one's")
        context.index, context.moment = index, message.moment
        if message.content_type == JSON_TYPE:
            self._notification(message)
        elif message.routing_key:
            self._single(message)
        else:
            self._bundle(message)

    def finish(self) -> list[Finding]:
        self._events.finish()
        self._binaries.finish()
        return sorted(self._context.findings)

    def _notification(self, message: Message) -> None:
        name, fields = _names(message)[0], orjson.loads(message.body)
        if name in self._binaries.names:
            self._binaries.take(name, fields)
            if name.endswith("host.observed"):
                self._context.fact(int(fields["sensor_id"]), "hostname", fields["hostname"])
        else:
            self._hits.take(name, fields)

    def _single(self, message: Message) -> None:
        event = CbEventMsg.FromString(message.body)
        endpoint = event.env.endpoint
        self._context.fact(endpoint.SensorId, "hostname", endpoint.SensorHostName)
        self._events.take(event, message.routing_key.rpartition(".")[2], endpoint.SensorId)
        if self._context.terms.both:
            event.ClearField("env")
            self._singles.add(event.SerializeToString())

    def _bundle(self, message: Message) -> None:
        context, sensor = self._context, int(message.headers["sensorId"])
        context.fact(sensor, "hostname", str(message.headers["sensorHostName"]))
        for run in bundle.members(message.body):
            for body in bundle.split(run):
                event = CbEventMsg.FromString(body)
                if event.HasField("env"):
                    context.say("bundle", f"an event in a bundle of sensor {sensor} has an env")
                if not context.terms.both:
                    self._events.take(event, "", sensor)
                elif event.SerializeToString() not in self._singles:
                    context.say("bundle", f"an event in a bundle of sensor {sensor} came not by "
                                          "itself")  # fmt: skip
                life = context.told.guids.get(event.header.process_guid)
                if life is not None and life.sensor != sensor:
                    context.say("bundle", f"sensor {sensor} sends an event of {life}")
