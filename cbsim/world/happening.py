"""What the world says: the value that every room to the right of it works on."""

from __future__ import annotations

from typing import NamedTuple

from cbsim.world.estate import Sensor

__all__ = ["Happening", "Happenings"]

Happening = tuple[str, str, bytes, Sensor | None]
"""A message's name, its routing key, its body, and for raw events the sensor.

A plain tuple: one is made for every message.
"""


class Happenings(NamedTuple):
    """Many of them in order, a column a field."""

    names: list[str]
    keys: list[str]
    bodies: list[bytes]
    sensors: list[Sensor | None]

    def extend(self, more: Happenings) -> None:
        """Let others follow."""
        self.names.extend(more.names)
        self.keys.extend(more.keys)
        self.bodies.extend(more.bodies)
        self.sensors.extend(more.sensors)
