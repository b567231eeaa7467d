"""Whether items came in the order of the run, for each sensor by itself."""

from __future__ import annotations

import numpy as np
import orjson
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from cbsim.checks.ledger import Ledger
from cbsim.checks.matching import Matching
from cbsim.wire.message import JSON_TYPE, Message
from cbsim.wire.sensor_events_pb2 import CbEventMsg

__all__ = ["disordered"]


def disordered(ledger: Ledger, matching: Matching) -> dict[int, int]:
    """For a sensor, how many items came after a later message of that sensor.

    Only messages that overtook others, or were overtaken, are read for it: most often none.
    """
    matched = matching.match[matching.match >= 0]
    sequences = matching.entries.sequences[matched].astype(np.int64)
    if len(sequences) < 2:
        return {}
    overtaken = sequences < np.maximum.accumulate(sequences)
    if not overtaken.any():
        return {}
    overtook = sequences > np.minimum.accumulate(sequences[::-1])[::-1]
    sequences = sequences[overtaken | overtook]
    sensors = _sensors(ledger, sequences)
    sequences, sensors = sequences[sensors > 0], sensors[sensors > 0]
    order = np.argsort(sensors, kind="stable")
    sequences, sensors = sequences[order], sensors[order]
    known, ranks = np.unique(sensors, return_inverse=True)
    latest = np.maximum.accumulate((ranks.astype(np.int64) << 33) | sequences)
    late = latest > ((ranks.astype(np.int64) << 33) | sequences)
    counts = np.bincount(ranks[late], minlength=len(known))
    return {int(sensor): int(count) for sensor, count in zip(known, counts, strict=True) if count}


def _sensors(ledger: Ledger, sequences: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sensor of each message; 0 for none."""
    unique = np.unique(sequences)
    found = np.zeros(len(unique), np.int64)
    at = 0
    for batch in ledger.batches(int(unique[0]), int(unique[-1])):
        while at < len(unique) and unique[at] < batch.first + len(batch.messages):
            found[at] = _sensor(batch.messages[int(unique[at]) - batch.first])
            at += 1
    sensors: NDArray[np.int64] = found[np.searchsorted(unique, sequences)]
    return sensors


def _sensor(message: Message) -> int:
    try:
        if message.content_type == JSON_TYPE:
            fields = orjson.loads(message.body)
            return int(fields.get("sensor_id") or 0)
        if message.routing_key:
            return CbEventMsg.FromString(message.body).env.endpoint.SensorId
        return int(message.headers.get("sensorId", 0))
    except (DecodeError, ValueError, TypeError, AttributeError):
        return 0
