"""A process of the estate: who it is, what it did so far, and the parts its events share."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from cbsim.wire.clock import iso_time
from cbsim.wire.event import bytes_field, int_field, text_field, varint
from cbsim.wire.identity import process_key
from cbsim.world.account import service_account
from cbsim.world.estate import Sensor
from cbsim.world.software import Binary
from cbsim.world.vocabulary import Program
from cbsim.world.words import filled

__all__ = ["Deed", "Image", "Process", "image_of", "long_varint", "path_digest", "path_guid",
           "string_entry"]  # fmt: skip

_STAMP = 9
"""The bytes of a header's timestamp."""
_MORE = bytes(byte | 0x80 for byte in range(256))
"""Turns bytes into groups of a varint that goes on."""
_ENDS = [bytes((byte & 0x7F | 0x40,)) for byte in range(256)]
"""Turns a group into the last, which is not 0."""
_DRAWN = (1 << 80) - 1


def path_guid(path: str) -> bytes:
    """What stands for a string in `header.filepath_string_guid` and `strings`, as a varint."""
    return long_varint(path_digest(path))


def path_digest(path: str) -> bytes:
    """24 bytes that follow from a path; its guid is made of the first ten."""
    return blake2b(path.encode(), digest_size=24).digest()


def long_varint(drawn: bytes) -> bytes:
    """A varint of nine or ten bytes from ten random ones: headers have only two lengths."""
    groups = drawn[:9].translate(_MORE)
    # In half of them bit 63 is set.
    return groups + b"\x01" if drawn[9] & 1 else groups[:8] + _ENDS[groups[8]]


class Image(NamedTuple):
    """What the processes of a binary have in common, and how events hold it."""

    path: str
    name: str
    """The last part of its path."""
    md5: str
    """Lower-case hex."""
    fields: bytes
    """`header.process_md5` and `process_path`."""
    guid: bytes
    """Its path's, as a varint."""
    entry: bytes
    """Its path in `strings`."""
    started: bytes
    """`process.md5hash`."""
    as_parent: bytes
    """`process.parent_md5`, cut at a NUL byte as sensors do, and `parent_path`."""
    child_md5: bytes
    """`childproc.md5hash`."""
    ended_md5: bytes
    """The same of a child that ended: cut at a NUL byte, as sensors do."""
    child_path: bytes
    """`childproc.path`."""
    opened: bytes
    """`crossproc.open.targetProcPath`, `targetProcMd5` and, from 6.x on, SHA-256."""
    threaded: bytes
    """`crossproc.remotethread.remoteProcPath`, `remoteProcMd5` and, from 6.x on, SHA-256."""
    sha256: bytes
    """`header.process_sha256`, from 6.x on."""
    commands: tuple[str, ...]
    hosts: tuple[str, ...]
    """The names that it calls."""
    calls: bool
    """Whether it makes or takes connections at all."""
    account: str
    """Who its processes run as: `user`, or a service's account."""


@lru_cache(maxsize=8192)
def image_of(binary: Binary, user: str, sha256: bool) -> Image:
    """The image of a binary; `user` matters where its path names one."""
    path, program, md5 = binary.at(user), binary.program, binary.md5
    guid, cut = path_guid(path), md5.partition(b"\0")[0]
    digest = binary.sha256 if sha256 else b""
    return Image(
        path=path,
        name=binary.filename,
        md5=md5.hex(),
        fields=bytes_field(11, md5) + text_field(12, path),
        guid=guid,
        entry=string_entry(guid, path),
        started=bytes_field(6, md5),
        as_parent=bytes_field(10, cut) + text_field(11, path),
        child_md5=bytes_field(3, md5),
        ended_md5=bytes_field(3, cut),
        child_path=text_field(5, path),
        opened=text_field(5, path) + bytes_field(6, md5) + _optional(7, digest),
        threaded=text_field(3, path) + bytes_field(4, md5) + _optional(5, digest),
        sha256=_optional(14, digest),
        commands=program.commands if program else (f'"{path}"',),
        hosts=_hosts(program) if program else (),
        calls=bool(program and program.connections),
        account=program.account if program else "user",
    )


def _hosts(program: Program) -> tuple[str, ...]:
    return tuple([host for call in program.connections for host in call.hosts if host])


def _optional(field: int, value: bytes) -> bytes:
    return bytes_field(field, value) if value else b""


def string_entry(guid: bytes, path: str) -> bytes:
    """A path in `strings`, under its guid (a varint)."""
    return bytes_field(2, b"\x08" + guid + text_field(2, path) + b"\x18\x01")


Deed = tuple[bytes, bytes, Sensor]
"""An event that a process will send: what stands before and behind its moment, and the sensor."""


class Process:
    """One process. Counters count the events that were sent for it.

    The header of its events is encoded here once: `bare` or `wide[n]`, the timestamp, then `plain`,
    or `named`, a path's guid and `rest`; `wide[0]` is for guids of nine bytes, `wide[1]` for ten.
    """

    __slots__ = (
        "_bits", "_cmdline", "_guid", "_key", "bare", "binary", "childproc_count", "create_time",
        "crossproc_count", "emet_count", "ended", "env", "filemod_count", "filemods", "forked_by",
        "guid_varint", "identity", "image", "last_update", "modload_count", "named",
        "netconn_count", "number", "parent", "path", "pid", "plain", "processblock_count",
        "regmod_count", "regmods", "rest", "sensor", "sparse", "started", "stored", "user", "wide",
    )  # fmt: skip

    def __init__(
        self,
        sensor: Sensor,
        binary: Binary,
        parent: Process | None,
        create_time: int,
        pid: int,
        bits: int,
        *,
        sha256: bool,
        started: bytes = b"",
    ) -> None:
        """`bits` are at least 144 random ones: its guid, and what it was started with.

        `started` is the varint of its create time, for those who have it.
        """
        self.sensor, self.binary, self.parent = sensor, binary, parent
        self.create_time = self.last_update = create_time
        self.pid, self.env = pid, sensor.env
        guid = long_varint((bits & _DRAWN).to_bytes(10, "little"))
        self._bits = bits = bits >> 80
        user = sensor.user.name if "{" in binary.path else ""
        image = self.image = image_of(binary, user, sha256)
        self.path = image.path
        account = image.account
        self.user = sensor.user if account == "user" else service_account(sensor.os, account)
        self._cmdline: str | None = None
        self.modload_count = self.filemod_count = self.netconn_count = self.regmod_count = 0
        self.childproc_count = self.crossproc_count = 0
        self.emet_count = self.processblock_count = 0
        # One start in sixteen is told before the sensor knows what was started.
        self.sparse = not bits >> 56 & 15
        self.ended = False
        self.forked_by: Process | None = None
        self._key: str | None = None
        self._guid: int | None = None
        self.stored: tuple[tuple[int, int], dict[str, bytes]] | None = None
        """Its facts as the data store has them, once it was asked, and of which state."""
        self.filemods: list[Deed] = []
        """What it is about to do to files, the last first."""
        self.regmods: list[Deed] = []
        """What it is about to do to registry keys, the last first."""
        self.number = number = varint(pid)
        self.started = started = started or varint(create_time)
        """Its pid and create time as varints."""
        self.guid_varint = guid
        self.identity = identity = b"\x48" + started + b"\x50" + number
        """`header.process_create_time` and `process_pid`."""
        self.named = b"\x28" + guid + b"\x30"
        self._encode(identity + image.fields + image.sha256)

    def fork(self, pid: int) -> Process:
        """A child that runs on in its image: it is told of under its parent's header, with
        `header.fork_pid` (wire: POSIX, 5.2 on).
        """
        child = Process(
            self.sensor, self.binary, self.parent, self.create_time, self.pid, 0,
            sha256=bool(self.image.sha256), started=self.started,
        )  # fmt: skip
        child.forked_by, child.guid_varint, child.named = self, self.guid_varint, self.named
        child._bits = self._bits
        image = self.image
        child._encode(self.identity + image.fields + int_field(13, pid) + image.sha256)
        return child

    def _encode(self, rest: bytes) -> None:
        self.rest = rest
        self.plain = plain = self.named[:-1] + rest
        self.bare, self.wide = _leads(3 + _STAMP + len(plain))

    @property
    def cmdline(self) -> str:
        """What it was started with; of most that have run for long, nobody asks."""
        if self._cmdline is None:
            commands, bits = self.image.commands, self._bits
            template = commands[bits % len(commands)]
            self._cmdline = self._filled(template, bits) if "{" in template else template
        return self._cmdline

    def _filled(self, template: str, bits: int) -> str:
        user, hosts = self.sensor.user, self.image.hosts
        day = iso_time(self.create_time)[:10].replace("-", "")
        known = {"user": user.name, "sid": user.sid, "date": day}
        if hosts:
            known["host"] = hosts[(bits >> 8) % len(hosts)]
        return filled(template, bits >> 4, known)

    @property
    def guid(self) -> int:
        """Its guid as the data store has it: a signed number of 64 bits."""
        if self._guid is None:
            groups = enumerate(self.guid_varint)
            number = sum((byte & 0x7F) << 7 * place for place, byte in groups)
            self._guid = number - (number >> 63 << 64)
        return self._guid

    @property
    def state(self) -> tuple[int, int]:
        """What changes with all that is known of it."""
        return self.last_update, (
            self.modload_count + self.filemod_count + self.netconn_count + self.regmod_count
            + self.childproc_count + self.crossproc_count
        )  # fmt: skip

    @property
    def key(self) -> str:
        """The process key."""
        if self._key is None:
            self._key = process_key(self.sensor.id, self.pid, self.create_time)
        return self._key


@lru_cache(maxsize=1024)
def _leads(length: int) -> tuple[bytes, tuple[bytes, bytes]]:
    """The starts of headers: one of that length, and those with a guid of nine or ten bytes."""
    bare, *wide = (b"\n" + varint(length + more) + b"\x08\x04\x20" for more in (0, 10, 11))
    return bare, (wide[0], wide[1])
