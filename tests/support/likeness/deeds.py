"""What single events hold, and how they follow one another on a sensor."""

from __future__ import annotations

from collections import Counter, defaultdict

from cbsim.wire.clock import TICKS
from cbsim.wire.sensor_events_pb2 import CbEventMsg
from tests.support.likeness.lives import proportion
from tests.support.likeness.row import Sample

__all__ = ["Deeds"]

_UNIX = 11_644_473_600
_FULL = 0x1FFFFF


class _Runs:
    """How many times in a row the same comes on a sensor."""

    def __init__(self) -> None:
        self._last: dict[int, object] = {}
        self._runs = self._all = 0

    def take(self, sensor: int, what: object) -> None:
        self._all += 1
        if self._last.get(sensor) != what:
            self._runs += 1
            self._last[sensor] = what

    def sample(self) -> Sample:
        return Sample((self._all / self._runs,) if self._runs else (), self._all)


class Deeds:
    """Takes events as they come."""

    def __init__(self) -> None:
        self._told: dict[str, list[bool]] = defaultdict(list)
        self._processes, self._kinds = _Runs(), _Runs()
        self._latest: dict[tuple[int, str], int] = {}
        self._back: list[float] = []
        self._steps = 0
        self._masks: Counter[int] = Counter()
        self._md5s: dict[tuple[int, int, int], bytes] = {}
        self._signed: dict[tuple[str, str], str] = {}
        self._takes = {
            "childproc": self._childproc, "process": self._process, "filemod": self._filemod,
            "regmod": self._regmod, "netconn": self._netconn, "crossprocopen": self._open,
            "remotethread": self._thread, "emetmitigation": self._emet, "module": self._module,
            "moduleload": self._load,
        }  # fmt: skip

    def take(self, event: CbEventMsg, kind: str, sensor: int) -> None:
        """An event; `kind` is the end of its routing key, `process` for a start of any name."""
        header = event.header
        self._told["times that are no whole millisecond"].append(header.timestamp % 10_000 != 0)
        if header.process_create_time:
            self._processes.take(sensor, (header.process_pid, header.process_create_time))
            self._kinds.take(sensor, kind)
        before = self._latest.get((sensor, kind), 0)
        if header.timestamp < before:
            self._back.append((before - header.timestamp) / TICKS)
        if kind == "moduleload":
            self._steps += 1
            self._told["steps"].append(header.timestamp < before)
        self._latest[sensor, kind] = header.timestamp
        if (take := self._takes.get(kind)) is not None:
            take(event, sensor)

    def figures(self) -> dict[str, Sample]:
        """The figures, by the names of their rows."""
        found = {name: proportion(told) for name, told in self._told.items()}
        found["steps of a sensor's moduleloads that go back"] = found.pop("steps", Sample((), 0))
        times = Counter(product for product in self._signed)
        distinct = len({(publisher, at) for (publisher, _), at in self._signed.items()})
        return found | {
            "events in a row of a process on a sensor": self._processes.sample(),
            "events in a row of a kind on a sensor": self._kinds.sample(),
            "the furthest that a step goes back, in s": Sample((max(self._back, default=0.0),),
                                                              self._steps),
            "access masks": Sample((float(len(self._masks)),), self._masks.total()),
            "sign times for each ten products": Sample((10 * distinct / max(1, len(times)),),
                                                       len(times)),
        }  # fmt: skip

    def _say(self, name: str, told: bool) -> None:
        self._told[name].append(told)

    def _childproc(self, event: CbEventMsg, sensor: int) -> None:
        child, guid = event.childproc, event.header.process_guid
        own = child.childProcType == child.childProcOtherExec
        if child.created:
            if not own:
                self._say("created: true under its parent's guid", guid == child.parent_guid != 0)
            self._say("created: true with a whole MD5", len(child.md5hash) == 16)
        else:
            self._say("created: false under guid 0", guid == 0)
            self._cut(child.md5hash, self._md5s.get((sensor, child.pid, child.create_time)))
        self._say("created: false among childproc", not child.created)
        if child.suppressed.bIsSuppressed:
            self._say("suppressed ones with created: false", not child.created)
            self._say("suppressed ones without a state", not child.suppressed.HasField("state"))

    def _cut(self, said: bytes, whole: bytes | None) -> None:
        """An MD5 as a C string would hold it; `whole` is the MD5, where another event has it."""
        if whole is not None and b"\0" in whole:
            self._say("MD5s with a NUL byte that are cut there", said == whole.split(b"\0", 1)[0])
        if len(said) < 16 and whole is not None:
            cut = whole.split(b"\0", 1)[0] != said
            self._say("MD5s that are short and were cut at no NUL byte", cut)

    def _process(self, event: CbEventMsg, sensor: int) -> None:
        header, said = event.header, event.process
        if header.process_md5:
            key = (sensor, header.process_pid, header.process_create_time)
            self._md5s[key] = header.process_md5
        if said.HasField("parent_md5"):
            parent = (sensor, said.parent_pid, said.parent_create_time)
            self._cut(said.parent_md5, self._md5s.get(parent))

    def _load(self, event: CbEventMsg, sensor: int) -> None:
        header = event.header
        key = (sensor, header.process_pid, header.process_create_time)
        self._md5s.setdefault(key, header.process_md5)

    def _filemod(self, event: CbEventMsg, _: int) -> None:
        action = event.filemod.action
        self._say("filemods that delete", action == event.filemod.actionFileModDelete)
        self._say("filemods that are a last write", action == event.filemod.actionFileModLastWrite)

    def _regmod(self, event: CbEventMsg, _: int) -> None:
        written = event.regmod.action == event.regmod.actionRegModWriteValue
        self._say("regmods that write a value", written)

    def _netconn(self, event: CbEventMsg, _: int) -> None:
        call = event.networkv2 if event.HasField("networkv2") else event.network
        self._say("netconns over UDP", call.protocol == 17)
        self._say("netconns by a proxy", call.proxyConnection)

    def _open(self, event: CbEventMsg, sensor: int) -> None:
        if not event.crossproc.HasField("open"):
            self._thread(event, sensor)
            return
        access = event.crossproc.open.requestedAccess
        self._masks[access] += 1
        self._say("crossprocopens for full access", access == _FULL)

    def _thread(self, event: CbEventMsg, _: int) -> None:
        name = event.header.process_path.rpartition("\\")[2]
        self._say("remote threads of csrss or svchost", name in ("csrss.exe", "svchost.exe"))

    def _emet(self, event: CbEventMsg, _: int) -> None:
        self._say("EMET ids from 1032 to 1050", 1032 <= event.emet.emetId <= 1050)

    def _module(self, event: CbEventMsg, _: int) -> None:
        module = event.module
        part = module.CopiedModuleLength != module.OriginalModuleLength
        self._say("modules copied in part", part)
        if module.utf8_DigSig_SignTime:
            product = module.utf8_DigSig_Publisher, module.utf8_ProductName
            self._signed.setdefault(product, module.utf8_DigSig_SignTime)
        if len(module.ImageFileHeader) >= 8:
            built = int.from_bytes(module.ImageFileHeader[4:8], "little")
            now = event.header.timestamp / TICKS - _UNIX
            self._say("PE timestamps in the past", 631_152_000 < built < now)
