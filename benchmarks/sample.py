"""Samples: how many in what time, at what cost in CPU, taken in turn, and their medians."""

from __future__ import annotations

import gc
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

__all__ = ["Meter", "Sample", "in_turn", "middle", "process_of"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one peer."""

    count: int
    seconds: float
    """By the clock on the wall."""
    cpu: float
    """Seconds of CPU time that the client used."""
    broker_cpu: float | None = None
    """Seconds of CPU time that the broker used; None where that cannot be seen."""

    @property
    def rate(self) -> float:
        """How many a second."""
        return self.count / self.seconds


class Meter:
    """Takes samples; `broker` is the process whose CPU time is taken beside ours."""

    def __init__(self, broker: int | None = None) -> None:
        self._broker = broker
        self._before = self._cpu()
        self._began = time.perf_counter()

    def begin(self) -> None:
        """What counts begins now."""
        gc.collect()
        self._before = self._cpu()
        self._began = time.perf_counter()

    def end(self, count: int) -> Sample:
        """What counts has ended."""
        seconds = time.perf_counter() - self._began
        ours, brokers = (now - then for now, then in zip(self._cpu(), self._before, strict=True))
        return Sample(count, seconds, ours, brokers if self._broker else None)

    def _cpu(self) -> tuple[float, float]:
        ours = sum(
            used.ru_utime + used.ru_stime
            for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        )
        return ours, _cpu_of(self._broker) if self._broker else 0.0


def in_turn(peers: Mapping[str, Callable[[], Sample]], rounds: int) -> dict[str, list[Sample]]:
    """Samples of each peer, taken A B C, A B C: what disturbs one round disturbs all in it."""
    samples: dict[str, list[Sample]] = {peer: [] for peer in peers}
    with _still():
        for _ in range(rounds):
            for peer, take in peers.items():
                samples[peer].append(take())
    return samples


def middle(samples: list[Sample]) -> Sample:
    """The median of each figure."""
    cpus = [one.broker_cpu for one in samples if one.broker_cpu is not None]
    return Sample(
        samples[0].count,
        median(one.seconds * samples[0].count / one.count for one in samples),
        median(one.cpu * samples[0].count / one.count for one in samples),
        median(cpus) if cpus else None,
    )


def process_of(url: str) -> int | None:
    """The process of this machine that listens at a URL's port; None where /proc cannot tell."""
    parts = urlsplit(url)
    try:
        if not socket.gethostbyname(parts.hostname or "").startswith("127."):
            return None
        end = f":{parts.port or 5672:04X}"
        sockets = {
            f"socket:[{row[9]}]"
            for table in ("/proc/net/tcp", "/proc/net/tcp6")
            for row in map(str.split, Path(table).read_text().splitlines()[1:])
            if row[1].endswith(end) and row[3] == "0A"
        }
    except OSError:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(one.readlink()) in sockets for one in (process / "fd").iterdir()):
                return int(process.name)
        except OSError:
            continue
    return None


def _cpu_of(process: int) -> float:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _still() -> Iterator[None]:
    """What the harness holds is not to be searched for garbage while others are measured."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
