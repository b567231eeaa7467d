"""How a server puts a happening on the bus: a message of its own, part of a bundle, or both."""

from __future__ import annotations

from collections.abc import Iterator

from cbsim.wire import bundle
from cbsim.wire.clock import epoch_seconds, from_filetime
from cbsim.wire.message import (
    EVENTS_EXCHANGE,
    JSON_TYPE,
    PROTOBUF_TYPE,
    RAW_EXCHANGE,
    ZIP_TYPE,
    Message,
)
from cbsim.world.effect import Happening
from cbsim.world.estate import Sensor
from cbsim.world.raw import environment

__all__ = ["Exporter"]


class Exporter:
    """Makes messages; `raw` is `single`, `bundles` or `both`."""

    def __init__(self, raw: str, size: int, *, zipped: bool) -> None:
        self._single, self._bundles = raw != "bundles", raw != "single"
        self._size, self._zipped = size, zipped
        self._open: dict[int, tuple[Sensor, list[bytes]]] = {}
        self._environments: dict[int, bytes] = {}

    def export(self, happening: Happening, moment: int) -> Iterator[Message]:
        """The messages at that moment (FILETIME); a raw event may wait for its bundle."""
        parts, sensor = happening.parts, happening.sensor
        at = epoch_seconds(moment)
        if parts is None or sensor is None:
            yield Message(
                EVENTS_EXCHANGE, happening.routing_key, JSON_TYPE, happening.body, timestamp=at
            )
            return
        if self._single:
            env = self._environments.get(sensor.id)
            if env is None:
                env = self._environments[sensor.id] = environment(sensor)
            body = parts.before + env + parts.after
            yield Message(EVENTS_EXCHANGE, happening.routing_key, PROTOBUF_TYPE, body, timestamp=at)
        if self._bundles:
            _, events = self._open.setdefault(sensor.id, (sensor, []))
            events.append(parts.before + parts.after)
            if len(events) >= self._size:
                yield self._bundle(sensor.id, moment)

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
