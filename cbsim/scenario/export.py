"""How a server puts happenings on the bus: each a message of its own, part of a bundle, or both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cbsim.scenario.corpus import BUNDLE
from cbsim.wire import bundle
from cbsim.wire.clock import from_filetime
from cbsim.wire.message import (
    EVENTS_EXCHANGE,
    JSON_TYPE,
    PROTOBUF_TYPE,
    RAW_EXCHANGE,
    ZIP_TYPE,
    Message,
    columns,
)
from cbsim.world.estate import Sensor
from cbsim.world.happening import Happenings

__all__ = ["Exporter"]


class Exporter:
    """Makes messages; `raw` is `single`, `bundles` or `both`."""

    def __init__(self, raw: str, size: int, *, zipped: bool) -> None:
        self._single, self._bundles = raw != "bundles", raw != "single"
        self._size, self._zipped = size, zipped
        self._open: dict[int, tuple[Sensor, list[bytes]]] = {}

    def export(
        self, happenings: Happenings, moments: Sequence[int]
    ) -> tuple[list[Message], list[str], Sequence[int]]:
        """The messages at these moments (FILETIME), their names, and which happening each is of.

        A raw event may wait for its bundle.
        """
        if self._bundles:
            return self._bundled(happenings, moments)
        names, keys, bodies, sensors = happenings
        types = [JSON_TYPE if sensor is None else PROTOBUF_TYPE for sensor in sensors]
        single = columns(keys, types, bodies, moments)
        return single, names, range(len(single))

    def _bundled(
        self, happenings: Happenings, moments: Sequence[int]
    ) -> tuple[list[Message], list[str], Sequence[int]]:
        messages, names, positions = [], [], []
        for at, (name, key, body, sensor) in enumerate(zip(*happenings, strict=True)):
            if sensor is None or self._single:
                kind = JSON_TYPE if sensor is None else PROTOBUF_TYPE
                messages.append(Message(EVENTS_EXCHANGE, key, kind, body, moment=moments[at]))
                names.append(name)
                positions.append(at)
            if sensor is not None:
                opened = self._open.get(sensor.id)
                if opened is None:
                    opened = self._open[sensor.id] = sensor, []
                events = opened[1]
                events.append(body.replace(sensor.env, b"", 1))
                if len(events) >= self._size:
                    messages.append(self._bundle(sensor.id, moments[at]))
                    names.append(BUNDLE)
                    positions.append(at)
        return messages, names, positions

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
        return Message(RAW_EXCHANGE, "", content_type, body, headers, moment)
