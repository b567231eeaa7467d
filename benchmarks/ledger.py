"""What a ledger costs: a run into nothing, with and without one, in turn.

`python -m benchmarks.ledger` prints microseconds of CPU time a message, and bytes a message.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from statistics import median

from cbsim.bus.sink import NullSink, Sink
from cbsim.checks import Ledger, LedgerSink
from cbsim.scenario.loader import load
from cbsim.scenario.stream import FIXED_START, messages

_BATCH = 200


def measure(short: bool) -> dict[str, object]:
    """Microseconds of CPU time that writing down costs a message of the realistic mix."""
    count = 20_000 if short else 100_000
    scenario = load("steady-state")
    endless = scenario.phases[0].model_copy(update={"duration": None, "count": count})
    scenario = scenario.model_copy(update={"phases": (endless,)})
    stream = [message for _, message, _, _ in messages(scenario, FIXED_START, count)]
    costs, sizes = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(3 if short else 5):
            path = Path(folder, str(number))
            bare = _seconds(NullSink(), stream)
            ledger = LedgerSink(NullSink(), Ledger(path), counted=True)
            costs.append((_seconds(ledger, stream) - bare) / len(stream) * 1e6)
            sizes.append(path.stat().st_size / len(stream))
    return {"microseconds a message": round(median(costs), 2),
            "bytes a message": round(median(sizes))}  # fmt: skip


def _seconds(sink: Sink, stream: list) -> float:  # type: ignore[type-arg]
    began = time.process_time()
    for start in range(0, len(stream), _BATCH):
        sink.publish_many(stream[start : start + _BATCH])
    sink.close()
    return time.process_time() - began


def main() -> None:
    """Print the figures."""
    print(json.dumps(measure(short=False), indent=2))


if __name__ == "__main__":
    main()
