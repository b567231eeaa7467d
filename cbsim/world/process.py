"""A process of the estate: who it is, what it did so far, and the parts its events share."""

from __future__ import annotations

import hashlib
from random import Random

from cbsim.wire.event import bytes_field, int_field, text_field, varint
from cbsim.wire.identity import process_key
from cbsim.world.estate import Binary, Sensor, User

__all__ = ["Process", "path_guid"]

_SYSTEM = User("system", "SYSTEM", "S-1-5-18")
_ROOT = User("root", "root", "0")


def path_guid(path: str) -> int:
    """The number that stands for a string in `header.filepath_string_guid` and `strings`."""
    digest = hashlib.blake2b(path.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


class Process:
    """One process. Counters count the events that were sent for it."""

    __slots__ = (
        "binary",
        "childproc_count",
        "cmdline",
        "create_time",
        "crossproc_count",
        "ended",
        "filemod_count",
        "fork_pid",
        "guid",
        "guid_field",
        "header",
        "host",
        "key",
        "last_update",
        "modload_count",
        "netconn_count",
        "parent",
        "path",
        "path_guid",
        "pid",
        "regmod_count",
        "sensor",
        "sha256",
        "sparse",
        "user",
    )  # fmt: skip

    def __init__(
        self,
        sensor: Sensor,
        binary: Binary,
        parent: Process | None,
        create_time: int,
        rng: Random,
        *,
        sha256: bool,
    ) -> None:
        self.sensor, self.binary, self.parent = sensor, binary, parent
        self.create_time = self.last_update = create_time
        sensor.pid = sensor.pid % 60000 + (4 if sensor.os == "windows" else 1)
        self.pid = sensor.pid
        self.key = process_key(sensor.id, self.pid, create_time)
        self.guid = rng.getrandbits(64) - (1 << 63)
        program = binary.program
        service = program is None or program.service
        self.user = (_SYSTEM if sensor.os == "windows" else _ROOT) if service else sensor.user
        self.path = binary.path.replace("{user}", sensor.user.name)
        self.path_guid = path_guid(self.path)
        commands = program.commands if program else (f'"{self.path}"',)
        self.cmdline = self.fill(commands[rng.randrange(len(commands))], rng, "www.example.com")
        self.modload_count = self.filemod_count = self.netconn_count = self.regmod_count = 0
        self.childproc_count = self.crossproc_count = 0
        self.ended = False
        self.fork_pid = 0
        # One start in sixteen is told before the sensor knows what was started.
        self.sparse = rng.random() < 0.06
        self.guid_field = int_field(5, self.guid)
        self.header = int_field(9, create_time) + int_field(10, self.pid)
        self.header += bytes_field(11, bytes.fromhex(binary.md5)) + text_field(12, self.path)
        self.sha256 = bytes_field(14, binary.sha256) if sha256 else b""

    @property
    def name(self) -> str:
        """The file name of its executable."""
        return self.path.replace("\\", "/").rpartition("/")[2]

    def fill(self, template: str, rng: Random, host: str) -> str:
        """A template of the vocabulary with this process's words in it."""
        if "{" not in template:
            return template
        bits = rng.getrandbits(44)
        return (
            template.replace("{user}", self.sensor.user.name)
            .replace("{h}", f"{bits & 0xFFFFFFFF:08x}")
            .replace("{n}", str(bits >> 32))
            .replace("{sid}", self.sensor.user.sid.lower())
            .replace("{host}", host)
        )

    def head(self, now: int, path: bytes = b"") -> bytes:
        """The event's header with that moment (FILETIME); `path` holds its path guid fields."""
        self.last_update = now
        header = b"\x08\x04\x20" + varint(now) + self.guid_field + path + self.header
        if self.fork_pid:
            # What a forked child does is told under its parent's header (wire: POSIX, 5.2 on).
            header += int_field(13, self.fork_pid)
            self.fork_pid = 0
        header += self.sha256
        return b"\n" + varint(len(header)) + header
