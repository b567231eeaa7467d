"""Raw events that are surely as they should be, told at a tenth of what it costs to say what is
wrong with one.

A raw event that was decoded has values of the right types. What may still be wrong with it is
which parts it has, how long its digests are, and what the rules say: that is looked at here, on the
message itself. Whatever looks odd is not sound; whether it is wrong is for the schemas and the
rules to say.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, NamedTuple

from google.protobuf.descriptor import Descriptor

from cbsim.catalog import RawEvent, bytes_lengths
from cbsim.checks.rules import EARLIEST, LATENESS
from cbsim.wire.clock import TICKS
from cbsim.wire.sensor_events_pb2 import DESCRIPTOR, CbChildProcessMsg, CbEventMsg

__all__ = ["SoundEvent", "carried_by"]

_MESSAGES = DESCRIPTOR.message_types_by_name
_EPOCH = 11_644_473_600
_SHAPES = 4096
"""How many shapes of events are remembered; there are a dozen of a kind, unless somebody invents
them."""
_AROUND = frozenset({"header", "strings", "env", "internalUse"})


class _Digest(NamedTuple):
    """A field of type bytes whose length is known."""

    parent: Callable[[Any], Any]
    name: str
    lengths: frozenset[int]

    def fits(self, message: Any) -> bool:
        """Whether it is absent from a message, or as long as it should be."""
        parent = self.parent(message)
        length = len(getattr(parent, self.name))
        return length in self.lengths or (not length and not parent.HasField(self.name))


class SoundEvent:
    """Tells whether events are surely sound under one routing key."""

    def __init__(self, event: RawEvent) -> None:
        self._event = event
        self._header = [digest.fits for digest in _digests(_MESSAGES["CbHeaderMsg"])]
        self._carried = {
            carried: [digest.fits for digest in _digests(message)]
            for carried in event.carries
            if (message := _FIELDS[carried].message_type) is not None
        }
        self._shapes: dict[tuple[int, ...], str] = {}
        self._rule = _RULES.get(event.name)
        self._whole = _wholeness(event)
        self._latest = 0

    def __call__(self, event: CbEventMsg) -> bool:
        """Whether nothing is wrong with an event that was decoded; False where that is not sure."""
        shape = tuple([field.number for field, _ in event.ListFields()])
        carried = self._shapes.get(shape)
        if carried is None:
            carried = self._learnt(shape, event)
        if not carried:
            return False
        message, header = getattr(event, carried), event.header
        for fits in self._header:
            if not fits(header):
                return False
        for fits in self._carried[carried]:
            if not fits(message):
                return False
        if self._whole is not None and not self._whole(message):
            return False
        return self._timely(header) and _named(event) and (
            self._rule is None or self._rule(event))  # fmt: skip

    def _learnt(self, shape: tuple[int, ...], event: CbEventMsg) -> str:
        """What events of a new shape carry; empty where it is not what it should be."""
        there = [field.name for field, _ in event.ListFields() if field.name not in _AROUND]
        carried = there[0] if len(there) == 1 and there[0] in self._event.carries else ""
        if len(self._shapes) < _SHAPES:
            self._shapes[shape] = carried
        return carried

    def _timely(self, header: Any) -> bool:
        """Whether its time is plausible, and not before the process's start."""
        ticks: int = header.timestamp
        if ticks > self._latest:
            self._latest = int((time.time() + LATENESS + _EPOCH) * TICKS)
        return _EARLIEST <= ticks <= self._latest and ticks >= header.process_create_time


def carried_by(event: CbEventMsg) -> str:
    """What an event carries, by the proto's field; empty for nothing."""
    return next((field.name for field, _ in event.ListFields() if field.name not in _AROUND), "")


_FIELDS = _MESSAGES["CbEventMsg"].fields_by_name
_EARLIEST = int((EARLIEST + _EPOCH) * TICKS)


def _digests(message: Descriptor, above: str = "") -> Iterator[_Digest]:
    """The digests of a message and of the messages in it."""
    for field in message.fields:
        if field.message_type is not None:
            yield from _digests(field.message_type, f"{above}{field.name}.")
        elif field.type == field.TYPE_BYTES:
            parent = attrgetter(above[:-1]) if above else _itself
            if lengths := bytes_lengths(message.name, field.name):
                yield _Digest(parent, field.name, frozenset(lengths))


def _itself(message: Any) -> Any:
    return message


def _wholeness(event: RawEvent) -> Callable[[Any], bool] | None:
    """What a key asks of what is carried under it: a process that started, say."""
    created = event.created
    if created is not None:
        return lambda process: process.HasField("created") and process.created == created
    inner = [path.partition(".")[2] for path in (*event.inner, *event.instead)]
    if not event.inner:
        return None
    return lambda message: any(map(message.HasField, inner))


def _named(event: CbEventMsg) -> bool:
    """Whether the guid of its path is that of one of its strings, where it has any."""
    guid = event.header.filepath_string_guid
    if not guid:
        # Zero may be there, and be none of them.
        return not event.header.HasField("filepath_string_guid")
    strings = event.strings
    return not strings or guid in [string.guid for string in strings]


def _of_its_parent(event: CbEventMsg) -> bool:
    child, header = event.childproc, event.header
    if child.childProcType == CbChildProcessMsg.childProcOtherExec:
        return True
    if child.parent_guid == header.process_guid or not child.HasField("parent_guid"):
        return True
    ended = child.HasField("created") and not child.created
    return ended and not header.process_guid


def _signed(event: CbEventMsg) -> bool:
    module = event.module
    zero = _ZERO(module.utf8_DigSig_ResultCode) is not None
    return zero == (module.utf8_DigSig_Result == "Signed") or not module.HasField(
        "utf8_DigSig_ResultCode"
    )


_ZERO = re.compile("0x0+").fullmatch


_RULES: dict[str, Callable[[CbEventMsg], bool]] = {
    "ingress.event.childproc": _of_its_parent,
    "ingress.event.module": _signed,
}
