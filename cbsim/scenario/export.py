"""How a server puts happenings on the bus: each a message of its own, part of a bundle, or both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cbsim.scenario.corpus import BUNDLE
from cbsim.wire import bundle
from cbsim.wire.clock import epoch_seconds, from_filetime
from cbsim.wire.message import (
    JSON_TYPE,
    PROTOBUF_TYPE,
    RAW_EXCHANGE,
    ZIP_TYPE,
    Message,
    columns,
)
from cbsim.world.estate import Sensor
from cbsim.world.happening import Happening

__all__ = ["Exporter"]

_UNIX = 11_644_473_600_000
"""Milliseconds from 1601 to 1970."""


class Exporter:
    """Makes messages; `raw` is `single`, `bundles` or `both`."""

    def __init__(self, raw: str, size: int, *, zipped: bool) -> None:
        self._single, self._bundles = raw != "bundles", raw != "single"
        self._size, self._zipped = size, zipped
        self._open: dict[int, tuple[Sensor, list[bytes]]] = {}

    def export(
        self, happenings: Sequence[Happening], moments: Sequence[int]
    ) -> tuple[list[Message], list[str], Sequence[int]]:
        """The messages at these moments (FILETIME), their names, and which happening each is of.

        A raw event may wait for its bundle.
        """
        names, keys, pieces, sensors = zip(*happenings, strict=True)
        single = columns(
            keys,
            [JSON_TYPE if sensor is None else PROTOBUF_TYPE for sensor in sensors],
            map(b"".join, pieces),
            [(at // 10_000 - _UNIX) / 1000 for at in moments],
        )
        if not self._bundles:
            return single, [*names], range(len(single))
        messages, named, positions = [], [], []
        for at, (message, sensor) in enumerate(zip(single, sensors, strict=True)):
            if sensor is None or self._single:
                messages.append(message)
                named.append(names[at])
                positions.append(at)
            if sensor is not None:
                _, events = self._open.setdefault(sensor.id, (sensor, []))
                env = sensor.env
                events.append(b"".join([piece for piece in pieces[at] if piece is not env]))
                if len(events) >= self._size:
                    messages.append(self._bundle(sensor.id, moments[at]))
                    named.append(BUNDLE)
                    positions.append(at)
        return messages, named, positions

    def rest(self, moment: int) -> Iterator[Message]:
        """The bundles that are not full yet."""
        for sensor_id in sorted(self._open):
            yield self._bundle(sensor_id, moment)

    def _bundle(self, sensor_id: int, moment: int) -> Message:
        sensor, events = self._open.pop(sensor_id)
        body, content_type = bundle.join(events), PROTOBUF_TYPE
        if self._zipped:
            at = from_filetime(moment)
            name = f"EventLog_{moment & 0xFFFFFFFF:08x}.{sensor_id}--{at:%Y-%m-%d-%H-%M-%S}.log"
            body, content_type = bundle.zipped(name, body, at), ZIP_TYPE
        headers: dict[str, int | str] = {
            "sensorId": sensor.id,
            "hostId": 0,
            "nodeId": 0,
            "sensorHostName": sensor.hostname,
        }
        return Message(RAW_EXCHANGE, "", content_type, body, headers, epoch_seconds(moment))
