"""How like real traffic a generated run is: each figure of SEQUENCES, from the messages alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import orjson

from cbsim.catalog import name_of
from cbsim.wire import bundle
from cbsim.wire.message import JSON_TYPE, Message
from cbsim.wire.sensor_events_pb2 import CbEventMsg
from tests.support.likeness.deeds import Deeds
from tests.support.likeness.lives import Lives
from tests.support.likeness.notices import Notices
from tests.support.likeness.presence import differences, presence
from tests.support.likeness.row import Row, Sample
from tests.support.likeness.rows import ROWS

__all__ = ["ROWS", "Row", "Sample", "differences", "measure", "presence", "unlike"]

_FIELDS = {
    "modload": "moduleload", "filemod": "filemod", "regmod": "regmod", "childproc": "childproc",
    "network": "netconn", "networkv2": "netconn", "module": "module", "tamperAlert": "tamper",
    "blocked": "processblock", "emet": "emetmitigation", "scriptexe": "filelessscriptload",
    "fbscriptexe": "filelessscriptload",
}  # fmt: skip


class _Event(NamedTuple):
    event: CbEventMsg
    kind: str
    sensor: int


def measure(messages: Iterable[Message]) -> dict[str, Sample]:
    """The figures, by the names of their rows; those of events are of Windows endpoints, as the
    captures are.
    """
    lives, deeds, notices = Lives(), Deeds(), Notices()
    events, windows = [], set()
    for message in messages:
        if message.content_type == JSON_TYPE:
            notices.take(name_of(message.routing_key), orjson.loads(message.body))
            continue
        for event, kind, sensor in _events(message):
            events.append(_Event(event, kind, sensor))
            if "\\" in event.header.process_path:
                windows.add(sensor)
    for event, kind, sensor in events:
        if sensor in windows:
            lives.take(event, kind, sensor)
            deeds.take(event, kind, sensor)
    return lives.figures() | deeds.figures() | notices.figures()


def unlike(
    samples: dict[str, Sample], rows: Iterable[Row] = ROWS, *, anywhere: bool = False
) -> list[str]:
    """Where a run is unlike what was captured, a sentence each.

    `anywhere`: only what holds whatever a scenario asks for, and only where it can be told.
    """
    said = []
    for row in rows:
        sample = samples.get(row.name)
        if anywhere and (not row.anywhere or sample is None or sample.count < row.least):
            continue
        if sentence := row.judge(sample):
            said.append(sentence)
    return said


def _events(message: Message) -> Iterator[tuple[CbEventMsg, str, int]]:
    if message.routing_key:
        event = CbEventMsg.FromString(message.body)
        yield event, _kind(event), event.env.endpoint.SensorId
        return
    for run in bundle.members(message.body):
        for body in bundle.split(run):
            event = CbEventMsg.FromString(body)
            yield event, _kind(event), int(message.headers["sensorId"])


def _kind(event: CbEventMsg) -> str:
    """The end of its routing key; `process` for any start."""
    if event.HasField("process"):
        return "process" if event.process.created else "procend"
    if event.HasField("crossproc"):
        return "crossprocopen" if event.crossproc.HasField("open") else "remotethread"
    return next((kind for field, kind in _FIELDS.items()
                 if event.HasField(field)), "")  # type: ignore[arg-type]  # fmt: skip
