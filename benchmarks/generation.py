"""What making messages costs: `python -m benchmarks.generation [--short]`.

Costs are CPU seconds, ours and a peer's measured in turn in the same process; ratios are what is to
be looked at, since machines differ and are busy.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from operator import truediv
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.peers import captured, perform
from cbsim.bus.sink import NullSink, Relay
from cbsim.scenario import crew
from cbsim.scenario.loader import load
from cbsim.scenario.model import Scenario
from cbsim.scenario.runner import few_collections, run
from cbsim.scenario.stream import FIXED_START, Stream
from cbsim.wire.message import Message

__all__ = [
    "compared",
    "estates",
    "held",
    "main",
    "measure",
    "memory",
    "starts",
    "unpaced",
    "workers",
]

RAW = {"ingress.event.*": 1.0}
JSON = {"feed.*": 38.0, "watchlist.*": 86.0, "binaryinfo.*": 116.0, "binarystore.*": 30.0,
        "alert.*": 59.0, "cmd.*": 4.0}  # fmt: skip
"""The notifications, as often as `*` has them."""
_WARM = 30_000
_CLI = [sys.executable, "-c", "from cbsim.cli import main; main()"]


def unpaced(
    mix: Mapping[str, float] | None = None,
    *,
    count: int = 10**9,
    sensors: int | None = None,
    binaries: int | None = None,
    **server: object,
) -> Scenario:
    """The scenario `steady-state` at `max`, with that mix and estate instead of its own."""
    scenario = load("steady-state")
    phase: dict[str, object] = {"rate": "max", "duration": None, "count": count}
    if mix is not None:
        phase["mix"] = dict(mix)
    size = {"sensors": sensors, "binaries": binaries}
    estate = {name: value for name, value in size.items() if value is not None}
    return scenario.model_copy(
        update={
            "phases": (scenario.phases[0].model_copy(update=phase),),
            "estate": scenario.estate.model_copy(update=estate),
            "server": scenario.server.model_copy(update=server),
        }
    )


class _Slices:
    """A run into the null sink, cut into slices that are measured one by one."""

    def __init__(self, scenario: Scenario, slice_of: int, warm: int = _WARM) -> None:
        self._batches = next(iter(Stream(scenario, FIXED_START).phases()))
        self._sink, self._slice = NullSink(), slice_of
        self.seconds(warm)

    def seconds(self, count: int | None = None) -> float:
        """CPU seconds a message, of a slice; the work on it is that of `run`."""
        sent, began, per_name = 0, time.process_time(), Counter[str]()
        for batch in self._batches:
            self._sink.publish_many(batch.messages)
            per_name.update(batch.names)
            sent += len(batch.messages)
            if sent >= (count or self._slice):
                break
        return (time.process_time() - began) / sent

    def messages(self, count: int) -> list[Message]:
        """The next messages, for a peer to make again."""
        flat = (message for batch in self._batches for message in batch.messages)
        return [*islice(flat, count)]


def compared(mix: Mapping[str, float] | None, rounds: int, size: int) -> dict[str, float]:
    """Microseconds a message, ours and the peer's on the same kind of messages, and their ratio."""
    ours = _Slices(unpaced(mix), size)
    work = captured(ours.messages(min(size, 5000)))
    mine, theirs = [], []
    # Both under the same collector of garbage, which does not look at what was captured.
    with few_collections():
        for _ in range(rounds):
            mine.append(ours.seconds() * 1e6)
            began = time.process_time()
            perform(work)
            theirs.append((time.process_time() - began) / len(work) * 1e6)
    return {
        "us": median(mine),
        "peer_us": median(theirs),
        "ratio": median(peer / own for own, peer in zip(mine, theirs, strict=True)),
    }


def estates(rounds: int, size: int) -> dict[str, float]:
    """Microseconds a message on a small estate and on a large one, and their ratio."""
    small = _Slices(unpaced(sensors=100, binaries=1000), size)
    large = _Slices(unpaced(sensors=100_000, binaries=1_000_000), size)
    few, many = [], []
    with few_collections():
        for _ in range(rounds):
            few.append(small.seconds() * 1e6)
            many.append(large.seconds() * 1e6)
    pairs = zip(few, many, strict=True)
    return {"us_small": median(few), "us_large": median(many),
            "ratio": median(large / small for small, large in pairs)}  # fmt: skip


def workers(rounds: int, count: int) -> dict[str, float]:
    """Messages a second by the wall of two workers, of one, and of a run that is not divided."""
    found: dict[str, list[float]] = {"two": [], "one": [], "none": []}
    for _ in range(rounds):
        scenario = unpaced(count=count)
        for name, report in (
            ("two", crew.run(scenario, NullSink, FIXED_START, 2)),
            ("one", crew.run(scenario, NullSink, FIXED_START, 1)),
            ("none", run(scenario, NullSink(), FIXED_START)),
        ):
            found[name].append(report.sent / report.seconds)

    def ratio(other: str) -> float:
        return median(map(truediv, found["two"], found[other]))

    rates = {f"{name}_a_second": median(rates) for name, rates in found.items()}
    return rates | {"ratio": ratio("one"), "ratio_to_none": ratio("none")}


def memory(counts: Sequence[int]) -> dict[str, float]:
    """MiB that runs of so many messages took at most, each in a process of its own."""
    return {
        f"{count:,}": float(_child(f"from benchmarks.generation import peak; peak({count})"))
        for count in counts
    }


def peak(count: int) -> None:
    """Run that many messages and print how many MiB this process took at most."""
    run(unpaced(count=count), NullSink(), FIXED_START)
    print(_peak_mib())


def _peak_mib() -> float:
    """Of this process alone: what `getrusage` says begins with its parent's on Linux."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    scale = 1024 * 1024 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def starts(rounds: int) -> dict[str, float]:
    """CPU seconds of `cbsim --help`, and until the first message of a 1,000-sensor estate."""
    first = (
        "import sys\n"
        "from benchmarks.generation import unpaced\n"
        "from cbsim.scenario.stream import FIXED_START, messages\n"
        "next(messages(unpaced(sensors=1000), FIXED_START))\n"
    )
    return {
        "help": median(_cpu([*_CLI, "--help"]) for _ in range(rounds)),
        "first_message": median(_cpu([sys.executable, "-c", first]) for _ in range(rounds)),
    }


def held(rate: float, seconds: int, sink: Callable[[], Any] = NullSink) -> dict[str, float]:
    """How a rate is held into a sink: the worst second's error, and lags in milliseconds."""
    handed: list[tuple[float, int]] = []

    class Watched(Relay):
        def publish_many(self, messages: Sequence[Message]) -> None:
            super().publish_many(messages)
            handed.append((time.monotonic(), len(messages)))

    watched = Watched(sink())
    phase = (
        load("steady-state").phases[0].model_copy(update={"rate": rate, "duration": float(seconds)})
    )
    scenario = load("steady-state").model_copy(update={"phases": (phase,)})
    report = run(scenario, watched, FIXED_START)
    watched.close()
    began, counts = handed[0][0], [0] * seconds
    for moment, count in handed:
        counts[min(int(moment - began), seconds - 1)] += count
    return {
        "rate": rate,
        "worst_second_percent": max(abs(count / rate - 1) for count in counts) * 100,
        "lag_p50_ms": report.lags.percentile(0.5) * 1000,
        "lag_p99_ms": report.lags.percentile(0.99) * 1000,
        "lag_worst_ms": report.lag * 1000,
        "sleep_p99_ms": _overslept(),
    }


def _overslept(times: int = 2000) -> float:
    """Milliseconds by which a sleep of one comes back late, p99: what no schedule can better."""
    late = []
    for _ in range(times):
        began = time.monotonic()
        time.sleep(0.001)
        late.append(time.monotonic() - began - 0.001)
    return quantiles(late, n=100)[-1] * 1000


def measure(short: bool) -> dict[str, object]:
    """Every figure; `short` takes half a minute, else a few minutes."""
    rounds, size = (5, 20_000) if short else (9, 60_000)
    return {
        "mix": compared(None, rounds, size),
        "raw": compared(RAW, rounds, size),
        "json": compared(JSON, rounds, size // 4),
        "estates": estates(rounds, size),
        "workers": workers(3, 200_000 if short else 1_000_000),
        "memory_mib": memory((100_000, 1_000_000) if short else (100_000, 10_000_000)),
        "start_cpu_seconds": starts(5),
        "held": held(10_000, 5 if short else 20),
    }


def main() -> None:
    """Print the table, or all figures as JSON with `--json`."""
    figures: dict[str, Any] = measure("--short" in sys.argv)
    if "--json" in sys.argv:
        print(json.dumps(figures, indent=2))
        return
    rows = [
        (f"{what}, {against}", f"{figures[key]['us']:.2f} µs", f"{figures[key]['peer_us']:.2f} µs",
         f"{figures[key]['ratio']:.2f}", target)
        for key, what, against, target in (
            ("mix", "steady-state into the null sink", "protobuf API and json.dumps", ">= 2.0"),
            ("raw", "raw events only", "protobuf API", ">= 2.0"),
            ("json", "notifications only", "dicts and json.dumps", ">= 3.0"),
        )
    ]  # fmt: skip
    it = figures["estates"]
    rows.append(("100,000 sensors, 1,000,000 binaries; 100 and 1,000", f"{it['us_large']:.2f} µs",
                 f"{it['us_small']:.2f} µs", f"{it['ratio']:.2f}", "<= 1.2"))  # fmt: skip
    it = figures["workers"]
    rows += [
        (f"two workers into the null sink, {other} a second", f"{it['two_a_second']:,.0f}",
         f"{it[rate]:,.0f}", f"{it[key]:.2f}", "")
        for other, rate, key in (("and one;", "one_a_second", "ratio"),
                                 ("and none;", "none_a_second", "ratio_to_none"))
    ]  # fmt: skip
    (few, low), (many, high) = figures["memory_mib"].items()
    rows.append((f"memory of {many} messages, of {few}", f"{high:.1f} MiB", f"{low:.1f} MiB",
                 f"+{high - low:.1f} MiB", "< 20 MB"))  # fmt: skip
    it = figures["start_cpu_seconds"]
    rows.append(("cbsim --help", f"{it['help']:.2f} s", "", "", "< 0.25 s"))
    rows.append(("first message, 1,000 sensors", f"{it['first_message']:.2f} s", "", "", "< 1.5 s"))
    it = figures["held"]
    rows.append((f"worst second at {it['rate']:,.0f}/s", f"{it['worst_second_percent']:.2f} %", "",
                 "", "<= 0.5 %"))  # fmt: skip
    rows.append(("lag behind schedule, and of a sleep of 1 ms, p99", f"{it['lag_p99_ms']:.2f} ms",
                 f"{it['sleep_p99_ms']:.2f} ms", "", "< 5 ms"))  # fmt: skip
    for row in (("what, against what", "ours", "peer", "ratio", "target"), *rows):
        print(f"{row[0]:<60} {row[1]:>11} {row[2]:>11} {row[3]:>11}   {row[4]}")


def _child(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=600
    )
    return done.stdout


def _cpu(command: Sequence[str]) -> float:
    """CPU seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
