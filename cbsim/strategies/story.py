"""Consistent stories from a small world: processes that live and die, binaries that spread, and
the hits that follow from what they did.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from cbsim.catalog import RAW_EVENTS, ServerVersion, names
from cbsim.strategies import form, value
from cbsim.strategies.argument import DialectName, dialect_of, drawn, server_of, whole
from cbsim.strategies.cast import Binary, Cast, Endpoint, Given, Indicator, Process
from cbsim.strategies.delivery import notification_message
from cbsim.strategies.event import ended, event, plans
from cbsim.strategies.value import Draw
from cbsim.wire.clock import TICKS, milliseconds
from cbsim.wire.message import EVENTS_EXCHANGE, PROTOBUF_TYPE, Message
from cbsim.wire.sensor_events_pb2 import CbEventMsg

__all__ = ["Stage", "prepare", "sequence"]


def sequence(
    *, server: str = "5.2", dialect: DialectName = "observed", steps: int | tuple[int, int] = (1, 8)
) -> SearchStrategy[tuple[Message, ...]]:
    """What a server says of a small world, in order: every identity is known before it is used.

    A process is started before it acts, ends once, and is hit only after it started; a binary is
    `binaryinfo.observed` once, then `.host.observed` once for each sensor and `.group.observed`
    once for each group, and stored after that; a storage hit follows its ingress hit. Time never
    runs backwards. `steps` is how many things happen. Raises StrategyError.

    >>> sequence(server="6.x", steps=3)
    sequence(server='6.x', steps=3)
    """
    version, spoken = server_of(server), dialect_of(dialect)
    pair = steps if isinstance(steps, tuple) else (steps, steps)
    prepare(version, spoken)
    least, most = whole("steps", pair[0], 0, 100), whole("steps", pair[-1], pair[0], 100)

    def draw_one(draw: Draw) -> tuple[Message, ...]:
        stage = Stage.drawn(draw, version, spoken)
        told: list[Message] = []
        for _ in range(draw(st.integers(least, most))):
            told += draw(st.sampled_from(stage.able()))(draw)
        return tuple(told)

    shown = steps if steps != (1, 8) else None
    return drawn("sequence", draw_one, server=server, dialect=dialect, steps=shown)


def prepare(version: ServerVersion, dialect: str) -> None:
    """Make ready what stories of that version and dialect are written by."""
    value.make_ready()
    for name in _NOTIFICATIONS:
        form.plan(name, version, dialect)
    for name in names(version):
        if name in RAW_EVENTS:
            plans(name, version)


_NOTIFICATIONS = (
    *(f"feed.{how}.hit.{of}" for how in ("ingress", "storage") for of in ("process", "binary")),
    "binaryinfo.observed",
    "binaryinfo.host.observed",
    "binaryinfo.group.observed",
    "binarystore.file.added",
)
_SIZE = value.number(1, 3)
_GROUP = value.choice(("Default Group", "Servers"))
_OS = value.choice(("windows", "linux"))
# In whole seconds: some messages tell no less, and time must not run backwards.
_STEP = value.number(1, 3600)
_PID = value.number(1, 2**15)
_FEED = value.number(1, 3)
# Most messages of a story are plain: what is told counts, and a plain one is quick to draw.
_VARIED = st.sampled_from((False, False, True))
_ACTS = st.sampled_from(("moduleload", "filemod", "netconn", "crossprocopen"))

Telling = Callable[[Draw], list[Message]]


class Stage:
    """A small world and what happened in it; each happening tells the messages of it."""

    def __init__(self, version: ServerVersion, dialect: str, endpoints: list[Endpoint]) -> None:
        self.version, self.dialect, self.endpoints = version, dialect, endpoints
        self.clock = value.FIRST
        """FILETIME of the last message."""
        self.alive: list[Process] = []
        self.spreading: list[tuple[Binary, list[Endpoint]]] = []
        """Binaries and the endpoints that have them."""
        self.pending: list[Telling] = []
        """What has to follow from what was told."""

    @classmethod
    def drawn(cls, draw: Draw, version: ServerVersion, dialect: str) -> Stage:
        """A small world in which nothing happened yet."""
        endpoints = [
            Endpoint(number, f"HOST-{number}", draw(_GROUP), draw(_OS), 0x0A000000 + number)
            for number in range(1, draw(_SIZE) + 1)
        ]
        return cls(version, dialect, endpoints)

    def __repr__(self) -> str:
        return f"<{len(self.endpoints)} endpoints, {len(self.alive)} processes>"

    def able(self) -> list[Telling]:
        """What can happen now."""
        can: list[Telling] = [self.process_starts, self.binary_arrives]
        if self.alive:
            can += [self.process_acts, self.process_is_hit, self.process_ends]
        # Twice, or what has to follow would wait for long.
        return can + ([self.follow_up] * 2 if self.pending else [])

    def process_starts(self, draw: Draw) -> list[Message]:
        """`childproc` in the parent's context, then `procstart` (older: `process`) in its own."""
        endpoint = draw(st.sampled_from(self.endpoints))
        now = self._tick(draw)
        pid = draw(_PID)
        taken = {one.pid for one in self.alive if one.endpoint is endpoint} | {4}
        while pid in taken:
            pid += 4
        root = Process(endpoint, 4, value.FIRST, 1, _MD5, "system", 4)
        parents = [one for one in self.alive if one.endpoint is endpoint]
        parent = draw(st.sampled_from([root, *parents]))
        path = value.path(draw, "windows" if endpoint.os == "windows" else "posix")
        guid = now ^ pid
        segment = milliseconds(now) if self.version.segment_times else 1
        process = Process(
            endpoint, pid, now, segment, value.hex_digest(draw, _MD5), path, guid, parent
        )
        self.alive.append(process)
        name = "procstart" if self.version.rank else "process"
        return [
            self._childproc(draw, parent, process, created=True),
            self._raw(draw, name, process),
        ]

    def process_acts(self, draw: Draw) -> list[Message]:
        """A living process loads, writes, connects or reaches into another."""
        process = draw(st.sampled_from(self.alive))
        self._tick(draw)
        return [self._raw(draw, draw(_ACTS), process)]

    def process_ends(self, draw: Draw) -> list[Message]:
        """`procend`, then `childproc` in the parent's context; it does nothing more."""
        process = draw(st.sampled_from(self.alive))
        self.alive.remove(process)
        self._tick(draw)
        assert process.parent is not None
        return [
            self._raw(draw, "procend", process),
            self._childproc(draw, process.parent, process, created=False),
        ]

    def process_is_hit(self, draw: Draw) -> list[Message]:
        """A feed's report matched a living process; the storage hit follows some time later."""
        process = draw(st.sampled_from(self.alive))
        kind = draw(st.sampled_from(("md5", "dns", "ipv4")))
        found = process.md5 if kind == "md5" else value.ioc_value(draw, kind)
        roles = {
            "process": process, "endpoint": process.endpoint, "parent": process.parent,
            "indicator": Indicator(kind, found), "feed_id": draw(_FEED),
        }  # fmt: skip
        return self._hit(draw, "process", roles)

    def binary_arrives(self, draw: Draw) -> list[Message]:
        """A binary is seen on an endpoint that did not have it; the first time it is stored."""
        here = [it for it in self.spreading if len(it[1]) < len(self.endpoints)]
        binary, known = draw(st.sampled_from([None, *here])) or self._minted(draw)
        endpoint = draw(st.sampled_from([it for it in self.endpoints if it not in known]))
        roles = {"binary": binary, "endpoint": endpoint}
        told = [] if known else [self._notified(draw, "binaryinfo.observed", roles)]
        told.append(self._notified(draw, "binaryinfo.host.observed", roles))
        if endpoint.group not in {it.group for it in known}:
            told.append(self._notified(draw, "binaryinfo.group.observed", roles))
        if not known:
            self.pending.append(
                lambda draw: [self._notified(draw, "binarystore.file.added", roles)]
            )
            if draw(value.BOOLEAN):
                hit = roles | {
                    "indicator": Indicator("md5", binary.md5.lower()), "feed_id": draw(_FEED),
                }  # fmt: skip
                self.pending.append(lambda draw: self._hit(draw, "binary", hit))
        known.append(endpoint)
        return told

    def follow_up(self, draw: Draw) -> list[Message]:
        """What has to follow from something that was told."""
        return self.pending.pop(draw(st.integers(0, len(self.pending) - 1)))(draw)

    def _hit(self, draw: Draw, of: str, roles: dict[str, Any]) -> list[Message]:
        told = self._notified(draw, f"feed.ingress.hit.{of}", roles)
        self.pending.append(lambda draw: [self._notified(draw, f"feed.storage.hit.{of}", roles)])
        return [told]

    def _minted(self, draw: Draw) -> tuple[Binary, list[Endpoint]]:
        digest = value.hex_digest(draw, _MD5).upper()
        taken = {binary.md5 for binary, _ in self.spreading}
        while digest in taken:
            digest = f"{(int(digest, 16) + 1) % 2**128:032X}"
        self.spreading.append((Binary(digest, draw(value.ID), draw(value.SIGNATURE)), []))
        return self.spreading[-1]

    def _tick(self, draw: Draw) -> int:
        self.clock += draw(_STEP) * TICKS
        return self.clock

    def _cast(self, draw: Draw, now: int, **roles: object) -> Cast:
        draw = draw if draw(_VARIED) else value.plain(draw)
        return Cast(draw, _ONE_DOCUMENT, self.version, {"moment": now, **roles})

    def _notified(self, draw: Draw, name: str, roles: dict[str, Any]) -> Message:
        cast = self._cast(draw, self._tick(draw), **roles)
        plan = form.plan(name, self.version, self.dialect)
        return notification_message(
            cast, name, form.notification(cast.draw, plan, cast.given, cast)
        )

    def _raw(self, draw: Draw, name: str, process: Process) -> Message:
        return _delivered(name, self._event(draw, name, process))

    def _event(self, draw: Draw, name: str, process: Process) -> CbEventMsg:
        cast = self._cast(
            draw, self.clock, endpoint=process.endpoint, process=process,
            parent=process.parent or process,
        )  # fmt: skip
        return event(cast, f"ingress.event.{name}")

    def _childproc(self, draw: Draw, parent: Process, child: Process, *, created: bool) -> Message:
        made = self._event(draw, "childproc", parent)
        told = made.childproc
        told.created, told.pid, told.create_time = created, child.pid, child.created
        told.child_guid, told.path, told.md5hash = child.guid, child.path, bytes.fromhex(child.md5)
        told.ClearField("childProcType")
        told.ClearField("suppressed")
        made.header.process_guid = 0 if ended(made) else parent.guid
        return _delivered("childproc", made)


_MD5 = "a3ccfd0aa0b17fd23aa9fd0d84b86c05"
_ONE_DOCUMENT = Given(least_docs=1, most_docs=1, docs_given=True)


def _delivered(name: str, made: CbEventMsg) -> Message:
    body = made.SerializeToString()
    return Message(EVENTS_EXCHANGE, f"ingress.event.{name}", PROTOBUF_TYPE, body)
