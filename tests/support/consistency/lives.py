"""Starts and ends of processes: what a process says of itself, and what its parent says of it."""

from __future__ import annotations

from cbsim.wire.clock import TICKS
from cbsim.wire.sensor_events_pb2 import CbEventMsg
from tests.support.consistency.context import Context
from tests.support.consistency.told import Life, Start

__all__ = ["ended", "parented", "started"]

_PROMPT = TICKS
"""Ticks: how long after its create time a start is told of at most (captured: 31 ms)."""


def started(context: Context, life: Life, event: CbEventMsg) -> None:
    """`process` with `created`: it started, or ran already (`creationobserved` false)."""
    told, header, said = context.told, event.header, event.process
    stamp, created = header.timestamp, life.create_time
    observed = said.creationobserved
    if said.pid != life.pid and said.pid:
        context.say("start", f"{life}: process.pid is {said.pid}")
    if life.told and observed and not life.path.startswith("/"):
        context.say("start", f"{life} starts a second time")
    if observed and stamp - created > _PROMPT:
        context.say("start", f"{life} was created {(stamp - created) / 1e7:.3f} s before its start")
    if not observed and created > context.began:
        context.say("start", f"{life} is announced as running already, and was created in the run")
    life.told, life.observed, life.started = True, observed or life.observed, stamp
    life.account, life.command = said.username, said.commandline.decode("utf-8", "replace")
    life.commands_known = said.HasField("commandline")
    if said.md5hash and life.md5 and said.md5hash != life.md5:
        context.say("image", f"{life} has process.md5hash {said.md5hash.hex()}")
    if life.suppressed:
        context.say("suppressed", f"{life} is suppressed, and starts by its own account")
    holder = told.running.get((life.sensor, life.pid))
    if holder not in (None, life) and holder.ended is None and not life.path.startswith("/"):  # type: ignore[union-attr]
        context.say("pid", f"{life} has the pid of {holder}, which runs")
    told.running[life.sensor, life.pid] = life
    _descends(context, life, event)
    if (birth := told.births.get((life.sensor, life.pid, life.create_time))) is not None:
        _agree(context, "start", life, birth, stamp)


def ended(context: Context, life: Life, event: CbEventMsg) -> None:
    """`process` without `created`: it ended."""
    stamp, said = event.header.timestamp, event.process
    if life.ended is not None:
        context.say("end", f"{life} ends a second time")
    if life.last[0] > stamp:
        context.say("after-end", f"{life}: message {life.last[1]} is of a time after its end",
                    life.last[1])  # fmt: skip
    if said.HasField("parent_pid") and life.parent is not None:
        parent = said.parent_pid, said.parent_create_time
        if parent != life.parent:
            context.say("end", f"{life} ends as a child of {parent}, it was of {life.parent}")
    life.ended = stamp
    key = (life.sensor, life.pid, life.create_time)
    if (death := context.told.deaths.get(key)) is not None:
        _agree(context, "end", life, death, stamp)


def parented(context: Context, parent: Life, event: CbEventMsg, sensor: int) -> None:
    """`childproc`: a child started or ended, forked, or was suppressed."""
    told, child, stamp = context.told, event.childproc, event.header.timestamp
    said = Start(context.index, stamp, child.md5hash, child.path, child.child_guid)
    if child.childProcType == child.childProcFork:
        if child.created:
            parent.forks.add(child.pid)
        if child.child_guid != parent.guid or child.create_time != parent.create_time:
            context.say("fork", f"a fork of {parent} has another guid or create time")
        return
    key = (sensor, child.pid, child.create_time)
    life = told.lives.get(key)
    if child.create_time > stamp:
        context.say("before-start", f"childproc of {child.path}: created after its time")
    if child.suppressed.bIsSuppressed:
        life = life or told.life(*key)
        life.suppressed = True
        if life.told:
            context.say("suppressed", f"{life} is suppressed, and started by its own account")
    if child.created:
        told.births[key] = said
        parent.children.append(child.path)
        if life is not None and life.started is not None:
            _agree(context, "start", life, said, life.started)
        return
    if not child.suppressed.bIsSuppressed:
        told.deaths[key] = said
    if life is not None and life.ended is not None:
        _agree(context, "end", life, said, life.ended)
    known = (life is not None and (life.told or life.suppressed)) or key in told.births
    if not known and context.starts:
        context.say("childproc", f"pid {child.pid} ({child.path}) ends, of which nobody told")


def _descends(context: Context, life: Life, event: CbEventMsg) -> None:
    """Its parent is there, and is what it says it is."""
    said, stamp = event.process, event.header.timestamp
    if said.parent_pid == -1:
        if said.creationobserved:
            context.say("parent", f"{life} was seen to start, and has no parent")
        return
    if not said.HasField("parent_pid"):
        return
    life.parent = said.parent_pid, said.parent_create_time
    parent = context.told.lives.get((life.sensor, *life.parent))
    if parent is None or not parent.told:
        if said.creationobserved:
            context.say("parent", f"{life}: nobody told of its parent, pid {said.parent_pid}")
        return
    if said.parent_guid and said.parent_guid != parent.guid:
        context.say("parent", f"{life} has parent_guid {said.parent_guid}, not that of {parent}")
    if said.parent_path and said.parent_path != parent.path:
        context.say("parent", f"{life} has parent_path {said.parent_path!r}, not that of {parent}")
    if said.HasField("parent_md5") and parent.md5 and not _is(said.parent_md5, parent.md5):
        context.say("parent", f"{life}: parent_md5 {said.parent_md5.hex()} is not of {parent}")
    if parent.ended is not None and parent.ended < life.create_time:
        context.say("parent", f"{life} starts after the end of its parent, {parent}")
    if parent.create_time > stamp:
        context.say("parent", f"{life} starts before its parent, {parent}")


def _agree(context: Context, what: str, life: Life, said: Start, stamp: int) -> None:
    """A parent's childproc and the child's own message say the same."""
    if said.timestamp != stamp:
        apart = (stamp - said.timestamp) / 1e7
        context.say("one-time", f"{life}: its {what} is {apart:.4f} s after its childproc's")
    if said.path and life.path and said.path != life.path:
        context.say("childproc", f"{life} is {said.path!r} in its childproc")
    whole = what == "start"
    if life.md5 and not (said.md5 == life.md5 if whole else _is(said.md5, life.md5)):
        context.say("childproc", f"{life} has md5hash {said.md5.hex()} in its childproc")
    if said.guid and life.guid and said.guid != life.guid:
        context.say("childproc", f"{life} has child_guid {said.guid} in its childproc")


def _is(said: bytes, md5: bytes) -> bool:
    """Whether it is that MD5, or what a C string holds of it (wire: cut at a NUL byte)."""
    return said in (md5, md5.split(b"\0", 1)[0])
