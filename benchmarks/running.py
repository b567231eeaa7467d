"""A run as a user has it: CPU at a rate, how well a rate is held, how soon it starts.

`python -m benchmarks.running` prints the figures.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

from benchmarks.ground import Ground, broker, ground
from benchmarks.publishing import START, events, prebuilt
from cbsim.bus.connection import connect
from cbsim.bus.publisher import Publisher
from cbsim.scenario.loader import parse
from cbsim.scenario.runner import run
from cbsim.wire.message import Message

_RATE = 10_000
_TICK = 0.005
_COMMAND = [sys.executable, "-c", "from cbsim.cli import main; main()"]


def measure(short: bool, seconds: int = 0, rounds: int = 0) -> dict[str, object]:
    """CPU at 10,000 messages a second, rate held and lag at half of the broker's limit, starts.

    `seconds` and `rounds` are for those who want fewer than the benchmark takes.
    """
    seconds = seconds or (2 if short else 5)
    rounds = rounds or (3 if short else 5)
    with broker() as url, ground(url) as where:
        stream = events(5000)
        limit = median(prebuilt(where, stream, seconds * 10_000).rate for _ in range(rounds))
        return {
            "CPU at 10,000 a second, % of a core": {
                "publisher alone": median(_paced(where, stream, seconds) for _ in range(rounds)),
                "cbsim run": median(_run_cpu(where, seconds) for _ in range(rounds)),
            },
            "at half of the broker's limit": _held(where, limit / 2, seconds, rounds),
            "start, seconds": {
                "cbsim --help": median(_help() for _ in range(rounds)),
                "first message": median(_first_message(where) for _ in range(rounds)),
            },
        }


def _paced(where: Ground, stream: list[Message], seconds: int) -> float:
    """Messages that are there already, every 5 ms what is due."""
    where.clear()
    publisher = Publisher(where.url, where.topology)
    publisher.publish_many(stream[:100])
    publisher.flush()
    sent, total = 0, seconds * _RATE
    where.meter.begin()
    began = time.monotonic()
    while sent < total:
        due = min(total, int((time.monotonic() - began) * _RATE) + 1)
        while sent < due:
            at = sent % len(stream)
            batch = stream[at : at + due - sent]
            publisher.publish_many(batch)
            sent += len(batch)
        time.sleep(_TICK)
    publisher.flush()
    sample = where.meter.end(total)
    publisher.close()
    return _percent(sample.cpu, total)


def _run_cpu(where: Ground, seconds: int) -> float:
    """The whole command; the difference of a long and a short run leaves its start out."""
    where.clear()
    short, long = (_cpu_of_run(where, length) for length in (1, 1 + seconds))
    return _percent(long - short, seconds * _RATE)


def _cpu_of_run(where: Ground, seconds: int) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with _scenario(where, f"{_RATE}/s", seconds) as path:
        subprocess.run([*_COMMAND, "run", path, "--broker", where.url], check=True,
                       capture_output=True)  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _percent(cpu: float, count: int) -> float:
    """Of one core, at the rate: per message, so that a run which was held up says the same."""
    return round(100 * cpu / count * _RATE, 1)


class _Clocked:
    """A publisher's sink that notes when messages were handed to it."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.taken: list[tuple[float, int]] = []
        self.flush, self.close = publisher.flush, publisher.close

    @property
    def confirmed(self) -> int:
        return self._publisher.confirmed

    def publish(self, message: Message) -> None:
        self.publish_many((message,))

    def publish_many(self, messages: Sequence[Message]) -> None:
        self.taken.append((time.monotonic(), len(messages)))
        self._publisher.publish_many(messages)


def _held(where: Ground, rate: float, seconds: int, rounds: int) -> dict[str, float]:
    rate = float(round(rate))
    found = [_deviation_and_lag(where, rate, seconds) for _ in range(rounds)]
    return {
        "asked a second": rate,
        "most off in a second, %": round(median(off for off, _ in found), 2),
        "lag p99, ms": round(median(lag for _, lag in found), 2),
    }


def _deviation_and_lag(where: Ground, rate: float, seconds: int) -> tuple[float, float]:
    """How far the worst whole second was off, in %; the 99th percentile of lag, in ms."""
    where.clear()
    scenario = parse(
        f"phases: [{{duration: {seconds}s, rate: {rate:.0f}/s, mix: {{'ingress.event.*': 1}}}}]"
    )
    sink = _Clocked(Publisher(where.url, where.topology))
    run(scenario, sink, START)
    sink.close()
    began = sink.taken[0][0]
    per_second: Counter[int] = Counter()
    lags: list[float] = []
    sent = 0
    for at, count in sink.taken:
        lags += [at - began - (sent + each) / rate for each in range(count)]
        per_second[int(at - began)] += count
        sent += count
    first = min(lags)
    worst = max(abs(per_second[second] - rate) for second in range(seconds))
    return 100 * worst / rate, 1000 * (quantiles(lags, n=100)[98] - first)


def _help() -> float:
    began = time.perf_counter()
    subprocess.run([*_COMMAND, "--help"], check=True, capture_output=True)
    return round(time.perf_counter() - began, 3)


def _first_message(where: Ground) -> float:
    """From the start of the command to a message in a consumer's hands, with 1,000 sensors."""
    connection = connect(where.url)
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, where.topology.events, "#")
    arriving = channel.consume(queue, auto_ack=True, inactivity_timeout=30)
    with _scenario(where, "100/s", 30, sensors=1000) as path:
        began = time.perf_counter()
        command = [*_COMMAND, "run", path, "--broker", where.url]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:  # fmt: skip
            next(arriving)
            seconds = time.perf_counter() - began
            process.terminate()
    connection.close()
    return round(seconds, 3)


@contextmanager
def _scenario(where: Ground, rate: str, seconds: int, *, sensors: int = 200) -> Iterator[str]:
    """The path of a scenario of raw events at a rate, while it is needed."""
    names = where.topology
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "scenario.yaml")
        path.write_text(
            f"bus: {{events: {names.events}, raw: {names.raw}, durable: false}}\n"
            f"estate: {{sensors: {sensors}}}\n"
            f"phases: [{{duration: {seconds}s, rate: {rate}, mix: {{'ingress.event.*': 1}}}}]\n"
        )
        yield str(path)


def main() -> None:
    """Print the figures."""
    print(json.dumps(measure(short=False), indent=2))


if __name__ == "__main__":
    main()
