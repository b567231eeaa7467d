"""Raw events: who did it, when, and whether that process could."""

from __future__ import annotations

from collections.abc import Callable

from cbsim.wire.address import ipv4_from_wire, ipv6_from_wire, swap_port
from cbsim.wire.sensor_events_pb2 import CbEventMsg
from tests.support.consistency.context import Context
from tests.support.consistency.lives import ended, parented, started
from tests.support.consistency.told import Call, Life

__all__ = ["FIELDS", "Events"]

FIELDS = {
    "process": "process", "procstart": "process", "procend": "process", "childproc": "childproc",
    "moduleload": "modload", "module": "module", "filemod": "filemod", "regmod": "regmod",
    "netconn": "network", "crossprocopen": "crossproc", "remotethread": "crossproc",
    "tamper": "tamperAlert", "processblock": "blocked", "emetmitigation": "emet",
    "filelessscriptload": "scriptexe",
}  # fmt: skip
"""What an event carries, by the end of its routing key."""

_ALIASES = {"networkv2": "network", "fbscriptexe": "scriptexe", "netconnBlocked": "network",
            "netconnBlockedv2": "network"}  # fmt: skip
_CARRIED = ("modload", "filemod", "regmod", "crossproc", "childproc", "process", "networkv2",
            "network", "module", "blocked", "emet", "tamperAlert", "scriptexe", "fbscriptexe",
            "netconnBlocked", "netconnBlockedv2")  # fmt: skip
_COUNTERS = {"network": "netconn", "networkv2": "netconn", "blocked": "processblock"} | {
    name: name for name in ("modload", "filemod", "regmod", "crossproc", "emet")
}


class Events:
    """Checks raw events, one after another."""

    def __init__(self, context: Context) -> None:
        self._context, self._told = context, context.told
        self._details: dict[str, Callable[[Life, CbEventMsg], None]] = {
            "modload": self._load, "filemod": _file, "regmod": _key, "network": _call,
            "networkv2": _call_v2, "crossproc": self._across,
        }  # fmt: skip

    def take(self, event: CbEventMsg, name: str, sensor: int) -> None:
        """An event of a sensor; `name` is the end of its routing key, or empty in a bundle."""
        context, header = self._context, event.header
        carried = next((field for field in _CARRIED if event.HasField(field)), "")  # type: ignore[arg-type]
        if name and _ALIASES.get(carried, carried) != FIELDS.get(name, carried):
            context.say("carries", f"{name} carries {carried or 'nothing'}")
        stamp = header.timestamp
        self._in_time(sensor, stamp)
        if carried == "module":
            md5 = event.module.md5.decode("ascii", "replace")
            self._told.modules[md5].add(sensor)
            self._meet(md5)
        elif carried == "childproc":
            self._childproc(event, sensor)
        elif header.process_create_time or header.process_guid:
            life = self._doer(event, sensor, carried)
            counter = _COUNTERS.get(carried, "")
            if carried == "process":
                if event.process.created:
                    started(context, life, event)
                else:
                    ended(context, life, event)
            elif (detail := self._details.get(carried)) is not None:
                detail(life, event)
            life.times.append((stamp, context.moment, counter))
            if counter:
                life.arrivals[counter].append(context.moment)

    def finish(self) -> None:
        """What only the end of the stream shows."""
        if "ingress.event.moduleload" not in self._context.published:
            return
        for life in self._told.lives.values():
            if life.own and life.observed and not life.own[1]:
                sentence = f"the first moduleload of {life} is of {life.own[3]}"
                self._context.say("own-image-first", sentence, life.own[2])

    def _in_time(self, sensor: int, stamp: int) -> None:
        context, latest = self._context, self._told.latest.get(sensor)
        if stamp > context.moment:
            context.say("future", f"its time is {(stamp - context.moment) / 1e7:.3f} s after its "
                                  "message's moment")  # fmt: skip
        if latest is not None and stamp < latest[0]:
            if context.terms.ordered:
                context.say("order", f"sensor {sensor}: {(latest[0] - stamp) / 1e7:.4f} s before "
                                     f"message {latest[1]}")  # fmt: skip
        else:
            self._told.latest[sensor] = stamp, context.index

    def _doer(self, event: CbEventMsg, sensor: int, carried: str) -> Life:
        """The process in whose context an event stands, which the header must name rightly."""
        context, told, header = self._context, self._told, event.header
        stamp, guid = header.timestamp, header.process_guid
        pid, create_time = header.process_pid, header.process_create_time
        if not create_time and guid in told.guids:
            life = told.guids[guid]
        else:
            life = told.life(sensor, pid, create_time)
        if guid and guid != life.guid:
            known = told.guids.setdefault(guid, life)
            if known is not life:
                context.say("guid", f"process_guid {guid} is of {life}, it was of {known}")
            elif life.guid:
                context.say("guid", f"{life} has process_guid {guid}, it was {life.guid}")
            else:
                life.guid = guid
        if header.process_md5:
            self._known_image(life, event)
        if stamp < create_time:
            context.say("before-start", f"{life}: {(create_time - stamp) / 1e7:.4f} s before its "
                                        "create time")  # fmt: skip
        if carried == "process" and event.process.created:
            return life
        if not life.told and context.starts and not life.blamed:
            life.blamed = True
            context.say("untold", f"{carried} of {life}, of which no process message told")
        if header.HasField("fork_pid"):
            if header.fork_pid not in life.forks and "ingress.event.childproc" in context.published:
                context.say("fork", f"fork_pid {header.fork_pid}: {life} told of no such fork")
            return life
        if life.ended is not None and carried != "process":
            if stamp > life.ended:
                after = (stamp - life.ended) / 1e7
                context.say("after-end", f"{carried} of {life}, {after:.4f} s after its end")
            elif context.terms.ordered and stamp < life.ended:
                context.say("after-end", f"{carried} of {life} comes after its end")
        if stamp > life.last[0] and carried != "process":
            life.last = stamp, context.index
        return life

    def _known_image(self, life: Life, event: CbEventMsg) -> None:
        header = event.header
        path, md5 = header.process_path, header.process_md5
        if md5 != life.md5:
            if life.md5:
                self._context.say("image", f"{life} has MD5 {md5.hex()}, it had {life.md5.hex()}")
            life.md5 = md5
            self._meet(md5.hex().upper())
        if path != life.path:
            if life.path:
                self._context.say("image", f"{life} has the path {path!r}")
            life.path = path

    def _meet(self, md5: str) -> None:
        self._told.met.add(md5)

    def _load(self, life: Life, event: CbEventMsg) -> None:
        stamp, module = event.header.timestamp, event.modload
        path = event.strings[0].utf8string.decode("utf-8", "replace") if event.strings else ""
        own = bool(path) and path == event.header.process_path
        if module.is_process_base_module and not own:
            self._context.say("own-image", f"{life}: base module is {path!r}")
        if own and module.md5hash != event.header.process_md5:
            self._context.say("own-image", f"{life}: its image has MD5 {module.md5hash.hex()}")
        first = life.own
        if first is None or stamp < first[0] or (own and not first[1] and stamp == first[0]):
            life.own = stamp, own, self._context.index, path
        if module.md5hash not in life.loads:
            life.loads.add(module.md5hash)
            self._meet(module.md5hash.hex().upper())

    def _across(self, life: Life, event: CbEventMsg) -> None:
        """The process that was reached into, or that reached, is one of its endpoint's."""
        cross, context = event.crossproc, self._context
        if cross.HasField("open"):
            other = cross.open
            pid, create_time = other.targetPid, other.targetProcCreateTime
            path, md5 = other.targetProcPath, other.targetProcMd5
        else:
            thread = cross.remotethread
            pid, create_time = thread.remoteProcPid, thread.remoteProcCreateTime
            path, md5 = thread.remoteProcPath, thread.remoteProcMd5
        target = self._told.lives.get((life.sensor, pid, create_time))
        if target is None or not target.told:
            if context.starts:
                context.say("target", f"{life} and pid {pid} ({path}), of which nobody told")
        elif target.path and path and (path != target.path or md5 != target.md5):
            context.say("target", f"{target} is said to be {path} ({md5.hex()})")
        elif target.ended is not None and target.ended < event.header.timestamp:
            context.say("target", f"{target} had ended")

    def _childproc(self, event: CbEventMsg, sensor: int) -> None:
        context, header, child = self._context, event.header, event.childproc
        if child.created:
            parent = self._doer(event, sensor, "childproc")
            if child.childProcType != child.childProcOtherExec:
                if header.process_guid != child.parent_guid:
                    context.say("childproc", f"parent_guid {child.parent_guid} is not the header's "
                                             f"process_guid {header.process_guid}")  # fmt: skip
                parent.arrivals["childproc"].append(context.moment)
        else:
            parent = self._told.life(sensor, header.process_pid, header.process_create_time)
            if header.process_guid:
                context.say("childproc", f"created: false has header.process_guid "
                                         f"{header.process_guid}, not 0")  # fmt: skip
            if parent.guid and child.parent_guid and parent.guid != child.parent_guid:
                context.say("childproc", f"parent_guid {child.parent_guid} is not of {parent}")
        counted = child.created and child.childProcType != child.childProcOtherExec
        parent.times.append((header.timestamp, context.moment, "childproc" if counted else ""))
        parented(context, parent, event, sensor)


def _file(life: Life, event: CbEventMsg) -> None:
    if event.strings:
        life.files.append(event.strings[0].utf8string.decode("utf-8", "replace"))


def _key(life: Life, event: CbEventMsg) -> None:
    life.keys.append(event.regmod.utf8_regpath.decode("utf-8", "replace"))


def _call(life: Life, event: CbEventMsg) -> None:
    call = event.network
    life.calls.append(Call(
        ipv4_from_wire(call.remoteIpAddress or call.ipv4Address),
        swap_port(call.remotePort or call.port), swap_port(call.localPort),
        call.utf8_netpath.decode("utf-8", "replace"), call.outbound,
    ))  # fmt: skip


def _call_v2(life: Life, event: CbEventMsg) -> None:
    call, remote = event.networkv2, event.networkv2.remoteIpAddress
    address = (
        ipv6_from_wire(remote.ipv6Low, remote.ipv6High)
        if remote.bIsIpv6
        else ipv4_from_wire(remote.ipv4Address)
    )
    life.calls.append(Call(
        address, swap_port(call.remotePort), swap_port(call.localPort),
        call.utf8_netpath.decode("utf-8", "replace"), call.outbound,
    ))  # fmt: skip
