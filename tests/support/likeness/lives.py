"""What processes are like: how long they live, what they do, and what comes first."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from statistics import mean

from cbsim.wire.sensor_events_pb2 import CbEventMsg
from tests.support.likeness.row import Sample, quantiles

__all__ = ["Lives", "proportion"]

SECOND = 10_000_000
_SYSTEM = 4


def proportion(told: list[bool]) -> Sample:
    """The share of those that are so."""
    return Sample((mean(told),) if told else (), len(told))


def _median(values: list[float]) -> Sample:
    return _at(values, 0.5)


def _at(values: list[float], place: float) -> Sample:
    ranked = sorted(values)
    return Sample((ranked[round(place * (len(ranked) - 1))],) if ranked else (), len(ranked))


class _Life:
    __slots__ = ("children", "created", "ended", "images", "kinds", "order", "started", "times")

    def __init__(self, created: int) -> None:
        self.created = created
        self.started: int | None = None
        self.ended: int | None = None
        self.times: list[int] = []
        self.kinds: Counter[str] = Counter()
        self.order: list[str] = []
        self.images: list[tuple[int, bool]] = []
        self.children = 0


class Lives:
    """Takes events as they come, of one kind of endpoint, and tells the figures of lives."""

    def __init__(self) -> None:
        self._lives: dict[tuple[int, int, int], _Life] = {}
        self._ages: dict[str, list[float]] = defaultdict(list)
        self._births: dict[tuple[int, int, int], int] = {}
        self._deaths: dict[tuple[int, int, int], int] = {}
        self._mix: Counter[str] = Counter()
        self._announced: list[tuple[float, bool]] = []
        self._starts = 0
        self._regmods: list[bool] = []
        self._parents: dict[tuple[int, int, int], int] = {}

    def take(self, event: CbEventMsg, kind: str, sensor: int) -> None:
        """An event; `kind` is the end of its routing key, `process` for a start of any name."""
        header = event.header
        self._mix[kind] += 1
        key = (sensor, header.process_pid, header.process_create_time)
        if kind == "childproc":
            self._childproc(event, sensor)
            if not event.childproc.created:
                return
        if not header.process_create_time:
            return
        life = self._lives.get(key)
        if life is None:
            life = self._lives[key] = _Life(header.process_create_time)
        stamp = header.timestamp
        if kind == "process":
            self._starts += 1
            if event.process.creationobserved:
                life.started = stamp
            else:
                alone = event.process.parent_pid == -1
                self._announced.append(((stamp - life.created) / SECOND, alone))
        elif kind == "procend":
            life.ended = stamp
        else:
            self._ages[kind].append((stamp - life.created) / SECOND)
        life.times.append(stamp)
        life.kinds[kind] += 1
        if len(life.order) < 4:
            life.order.append(kind)
        if kind == "moduleload":
            path = event.strings[0].utf8string.decode() if event.strings else ""
            life.images.append((stamp, path == header.process_path))
        elif kind == "regmod":
            self._regmods.append(header.process_pid == _SYSTEM)

    def _childproc(self, event: CbEventMsg, sensor: int) -> None:
        child, header = event.childproc, event.header
        key = (sensor, child.pid, child.create_time)
        if child.suppressed.bIsSuppressed or child.childProcType == child.childProcFork:
            return
        if child.created:
            self._births[key] = header.timestamp
            parent = (sensor, header.process_pid, header.process_create_time)
            self._parents[parent] = self._parents.get(parent, 0) + 1
        else:
            self._deaths[key] = header.timestamp

    def figures(self) -> dict[str, Sample]:
        """The figures, by the names of their rows."""
        lives = self._lives
        started = [life for life in lives.values() if life.started is not None]
        whole = [life for life in started if life.ended is not None]
        return {
            **self._of_starts(started),
            **self._of_ages(),
            **self._of_gaps(),
            "events of a process with start and end": quantiles([len(life.times)
                                                                for life in whole]),
            "kinds of event of a started process": quantiles([len(life.kinds) for life in started]),
            "share of the commonest kind, of 10 events or more": quantiles([
                max(life.kinds.values()) / len(life.times)
                for life in lives.values() if len(life.times) >= 10]),
            "children of a parent that has any": quantiles([*self._parents.values()]),
            "events after the process's end": proportion([
                stamp > life.ended for life in lives.values() if life.ended is not None
                for stamp in life.times]),
            "regmods of System": proportion(self._regmods),
            **self._of_the_mix(),
        }  # fmt: skip

    def _of_starts(self, started: list[_Life]) -> dict[str, Sample]:
        lives = self._lives
        # A process that has only just started has not loaded its libraries yet.
        latest = max((life.times[-1] for life in lives.values()), default=0)
        grown = [life for life in started if life.created < latest - 5 * SECOND]
        loads = [life.kinds["moduleload"] for life in grown]
        first = [min(life.images) for life in started if life.images]
        began = [min(life.images)[0] - life.started for life in started
                 if life.images and life.started is not None]  # fmt: skip
        return {
            "childproc and start share one time": proportion([
                lives[key].started == stamp for key, stamp in self._births.items()
                if key in lives and lives[key].started is not None]),
            "childproc and end share one time": proportion([
                lives[key].ended == stamp for key, stamp in self._deaths.items()
                if key in lives and lives[key].ended is not None]),
            "the first moduleload is the own image": proportion([own for _, own in first]),
            "the first moduleload after the start, median": _median([gap / SECOND
                                                                     for gap in began]),
            "moduleloads of a started process": quantiles(loads),
            "started without any moduleload": proportion([not count for count in loads]),
            "starts that begin process, moduleload, moduleload, moduleload": proportion([
                life.order == ["process", *["moduleload"] * 3] for life in grown]),
        }  # fmt: skip

    def _of_ages(self) -> dict[str, Sample]:
        ages = self._ages
        lifetimes = [(life.ended - life.created) / SECOND for life in self._lives.values()
                     if life.ended is not None]  # fmt: skip
        share = proportion([True] * len(self._announced)
                           + [False] * (self._starts - len(self._announced)))  # fmt: skip
        return {
            "age at a moduleload": quantiles(ages["moduleload"]),
            "age at a filemod, median": _median(ages["filemod"]),
            "age at a filemod, 95 %": _at(ages["filemod"], 0.95),
            "age at a regmod, 25 %": _at(ages["regmod"], 0.25),
            "age at a regmod, median": _median(ages["regmod"]),
            "age at a netconn, median": _median(ages["netconn"]),
            "age of the parent at a childproc, median": _median(ages["childproc"]),
            "age of the parent at a childproc, 5 %": _at(ages["childproc"], 0.05),
            "lifetime of those that ended, 5 %": _at(lifetimes, 0.05),
            "lifetime of those that ended, median": _median(lifetimes),
            "lifetime of those that ended, 95 %": _at(lifetimes, 0.95),
            "announced with creationobserved: false": share,
            "age of who is announced, median": _median([age for age, _ in self._announced]),
            "announced without a parent": proportion([alone for _, alone in self._announced]),
        }

    def _of_gaps(self) -> dict[str, Sample]:
        gaps = [
            after - before
            for life in self._lives.values()
            for before, after in pairwise(sorted(life.times))
        ]
        created = [life.created for life in self._lives.values()]
        return {
            "gaps within a process below 1 ms": proportion([gap < 10_000 for gap in gaps]),
            "gaps within a process above 10 s": proportion([gap > 10 * SECOND for gap in gaps]),
            "create times that are no whole millisecond": proportion([
                time % 10_000 != 0 for time in created]),
        }  # fmt: skip

    def _of_the_mix(self) -> dict[str, Sample]:
        mix = self._mix - Counter(module=self._mix["module"])
        total = mix.total()
        return {
            f"share of {kind}": Sample((mix[kind] / total,), total)
            for kind in ("filemod", "moduleload", "regmod", "crossprocopen", "childproc", "process",
                         "netconn", "procend", "remotethread")
            if total
        }  # fmt: skip
