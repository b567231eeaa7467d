"""What the world says: the value that every room to the right of it works on."""

from __future__ import annotations

from cbsim.world.estate import Sensor
from cbsim.world.raw import Pieces

__all__ = ["Happening"]

Happening = tuple[str, str, Pieces, Sensor | None]
"""A message's name, its routing key, its body in pieces, and for raw events the sensor.

A plain tuple: one is made for every message.
"""
