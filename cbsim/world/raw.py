"""Raw events: what a process does, as the bytes of a CbEventMsg.

Fields stand in the order of their numbers and numbers are as short as they can be, so that the
bytes are the ones protobuf's own serializer writes. A sensor's `env` (13) stands in each, word for
word: bundles take it out.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from random import Random

from cbsim.catalog import DIGSIG_RESULTS, ServerVersion
from cbsim.wire.address import ipv4_to_wire, ipv6_to_wire, swap_port
from cbsim.wire.event import bytes_field, int_field, text_field, varint
from cbsim.world.connection import Connection
from cbsim.world.estate import Sensor
from cbsim.world.process import Process, long_varint, path_digest, path_guid, string_entry
from cbsim.world.software import Binary, Product

__all__ = ["Call", "Connection", "RawWriter", "environment"]


Call = tuple[bytes, bytes, bytes, bytes]
"""A connection as events hold it: the fields before the local address, that address where it is not
the sensor's own, the local port where it is a service's, and the fields after it."""

_OPENS = [
    # What was opened, up to the target's pid, and the access asked for.
    (b"\x08\x01\x10" if number < 17 else b"\x08\x02\x10", int_field(4, access))
    for number in range(20)
    for access in (0x1410, 0x1000, 0x1FFFFF, 0x0040)
]
"""Processes five times in six, else threads."""
_MITIGATIONS = {1: "DEP", 6: "HeapSpray", 8: "EAF", 9: "EAF+", 14: "StackPivot", 15: "Caller"}
_SENSOR_HEADER = b"\x0a\x0c\x08\x04\x20"
"""The header of an event that no process did, up to its timestamp."""


def environment(sensor: Sensor, node: int = 0) -> bytes:
    """The `env` field of a sensor's events, which the server adds."""
    endpoint = int_field(1, sensor.id) + text_field(2, sensor.hostname) + int_field(3, 0)
    return bytes_field(13, bytes_field(1, endpoint) + bytes_field(2, int_field(1, node)))


class RawWriter:
    """Encodes events as servers of one version export them; `stamp` is the time as a varint."""

    def __init__(self, version: ServerVersion, rng: Random) -> None:
        self._rng, self._sha256, self._network_v2 = rng, version.sha256, version.network_v2
        self._ja3 = version is ServerVersion.V7
        self._threads_as_opens = version.remote_threads_as_opens
        self._proxy = b"\x48\x01" + int_field(10, _ipv4("10.0.0.8"))
        self._proxy += int_field(11, swap_port(3128)) + text_field(12, "proxy.internal")
        self._products: dict[Product, tuple[bytes, bytes]] = {}

    def process(self, process: Process, stamp: bytes) -> bytes:
        """`process` or `procstart`: it started."""
        parent = process.parent
        assert parent is not None
        family = b"\x18" + parent.number + b"\x20" + parent.started
        if process.sparse:
            header = bytes_field(1, b"".join((b"\x08\x04\x20", stamp, process.named[:-1],
                                             process.identity)))  # fmt: skip
            body = b"\x08" + process.number + b"\x10\x01" + family + b"\x60\x00"
            return header + bytes_field(3, body) + process.env
        image = process.image
        body = b"".join((
            b"\x08", process.number, b"\x10\x01", family, b"\x28", parent.guid_varint,
            image.started, text_field(9, process.cmdline),
            parent.image.as_parent if self._rng.random() < 0.86 else b"", b"\x60\x01",
            process.user.fields,
        ))  # fmt: skip
        if self._sha256:
            # bFilteringKnownDlls, of Windows alone.
            body += b"\x90\x01\x01" if process.sensor.os == "windows" else b""
            body += bytes_field(19, process.binary.sha256)
        return _by_itself(process, stamp, body)

    def procend(self, process: Process, stamp: bytes) -> bytes:
        """It ended."""
        parent = process.parent
        assert parent is not None
        body = b"".join((b"\x08", process.number, b"\x10\x00\x18", parent.number, b"\x20",
                         parent.started))  # fmt: skip
        return _by_itself(process, stamp, body)

    def childproc(
        self, parent: Process, child: Process, stamp: bytes, *, created: bool, how: str = "exec"
    ) -> bytes:
        """A child started or ended; `how`: `exec`, `fork`, `other_exec` or `suppressed`."""
        inherited = parent if how == "fork" else child
        image = inherited.image
        body = b"".join((
            b"\x08\x01\x10" if created else b"\x08\x00\x10", parent.guid_varint,
            image.child_md5 if created else image.ended_md5, b"\x20", inherited.guid_varint,
            image.child_path, b"\x30", child.number, b"\x38", inherited.started,
        ))  # fmt: skip
        if how == "suppressed":
            body += bytes_field(9, b"\x08\x01\x10\x01") + text_field(10, child.cmdline)
            body += text_field(11, child.user.account)
        elif how != "exec":
            body += b"\x60\x01" if how == "fork" else b"\x60\x02"
        if self._sha256:
            body += bytes_field(14, inherited.binary.sha256)
        context = child if how == "other_exec" else parent
        guid, identity = context.named[:-1], context.identity
        return b"".join((
            b"\n", varint(12 + len(guid) + len(identity)), b"\x08\x04\x20", stamp, guid, identity,
            b"\x62", varint(len(body)), body, child.env,
        ))  # fmt: skip

    def load(
        self, binary: Binary, *, scanned: bool, own: bool = False, user: str = ""
    ) -> tuple[int, bytes, bytes]:
        """What a `moduleload` of a binary says: for `Process.wide`, its path's guid, and what
        follows the header. `own`: it is the image of the process that loads it. `user` matters
        where its path names one.
        """
        path = binary.at(user)
        digest = path_digest(path)
        guid = long_varint(digest)
        body = b"".join((b"\x08", long_varint(digest[10:]), b"\x10", guid, b"\x1a\x10", binary.md5))
        if scanned:
            number = int.from_bytes(digest[20:], "little")
            base = 0x7FF000000000 + (number & 0xFFFFF) * 0x10000
            body = b"".join((body, int_field(4, number >> 17), b"\x28\x01" if own else b"\x28\x00",
                             b"\x30", varint(base), b"\x38", varint(binary.size)))  # fmt: skip
        if self._sha256:
            body += bytes_field(8, binary.sha256)
        return len(guid) - 9, guid, string_entry(guid, path) + bytes_field(4, body)

    def netconn(self, process: Process, call: Call, local_port: int, stamp: bytes) -> bytes:
        """It made or took a connection: `network`, or `networkv2` from newer servers."""
        remote, local, port, more = call
        port = port or varint(swap_port(local_port))
        if self._network_v2:
            body = (
                remote + (local or bytes_field(10, _ip(process.sensor.ip))) + b"\x58" + port + more
            )
            return _by(process, stamp, 20, body)
        body = b"".join((remote, b"\x78", varint(_ipv4(process.sensor.ip)), b"\x80\x01", port))
        return b"".join((process.bare, stamp, process.plain, b"\x32", varint(len(body)), body,
                         process.env))  # fmt: skip

    def call(self, connection: Connection) -> Call:
        """What a `netconn` says of a connection, whoever makes it."""
        if self._network_v2:
            return self._call_v2(connection)
        service = varint(swap_port(connection.port))
        port = service if connection.outbound else varint(swap_port(self._ephemeral()))
        remote = varint(_ipv4(connection.address))
        body = b"\x10" + remote + b"\x28" + port
        body += b"\x30\x11" if connection.udp else b"\x30\x06"
        body += text_field(7, connection.host) if connection.host else b""
        body += b"\x40\x01" if connection.outbound else b"\x40\x00"
        body += self._proxy if connection.proxied else b"\x48\x00"
        body += b"\x68" + remote + b"\x70" + port
        return body, b"", b"" if connection.outbound else service, b""

    def _call_v2(self, connection: Connection) -> Call:
        body = int_field(1, 17 if connection.udp else 6)
        body += text_field(2, connection.host) if connection.host else b""
        body += int_field(3, connection.outbound) + int_field(4, connection.proxied)
        if connection.proxied:
            body += bytes_field(5, _ip("10.0.0.8")) + int_field(6, swap_port(3128))
            body += text_field(7, "proxy.internal")
        port = connection.port if connection.outbound else self._ephemeral()
        body += bytes_field(8, _ip(connection.address)) + int_field(9, swap_port(port))
        local = bytes_field(10, _ip("fe80::1")) if ":" in connection.address else b""
        more = b""
        service = b"" if connection.outbound else varint(swap_port(connection.port))
        if self._ja3 and connection.port == 443 and not connection.udp:
            more = text_field(12, path_digest(connection.host)[:16].hex())
            more += text_field(13, path_digest(connection.address)[:16].hex())
        return body, local, service, more

    def _ephemeral(self) -> int:
        """The port of who calls."""
        return 49152 + int(self._rng.random() * 16000)

    def crossprocopen(self, process: Process, target: Process, stamp: bytes) -> bytes:
        """It opened a handle to another process of its endpoint."""
        # A remote thread may come under this name (wire: Routing keys).
        if self._threads_as_opens and self._rng.random() < 0.05:
            return self.remotethread(process, target, stamp)
        how, access = _OPENS[int(self._rng.random() * len(_OPENS))]
        body = b"".join((how, target.number, b"\x18", target.started, access, target.image.opened))
        tail = b"\x0a" + varint(len(body)) + body + b"\x18\x00"
        return _by(process, stamp, 14, tail)

    def remotethread(self, process: Process, other: Process, stamp: bytes) -> bytes:
        """It started a thread in another process, or another did in it."""
        body = b"".join((b"\x08", other.number, b"\x10", other.started, other.image.threaded))
        tail = b"\x12" + varint(len(body)) + body + b"\x18\x00"
        tail += b"\x20\x01" if self._rng.random() < 0.5 else b"\x20\x00"
        return _by(process, stamp, 14, tail)

    def tamper(self, sensor: Sensor, stamp: bytes) -> bytes:
        """Somebody interfered with the sensor."""
        alert = int_field(1, self._rng.randrange(1, 6))
        return _SENSOR_HEADER + stamp + sensor.env + bytes_field(15, alert)

    def processblock(self, process: Process, banned: Binary, stamp: bytes) -> bytes:
        """A banned process was kept from starting, or ended."""
        rng = self._rng
        # One that runs already is the event's own process; what is to start is another program.
        running = rng.random() < 0.33
        blocked = process.binary if running else banned
        path = process.path if running else banned.path
        guid = path_guid(path)
        body = b"\x08\x01" + int_field(2, 2 if running else 1)
        body += bytes_field(3, blocked.md5) + text_field(4, path)
        if running:
            body += b"\x28\x00" + int_field(7, process.pid) + int_field(8, process.create_time)
        body += text_field(9, process.cmdline if running else f'"{path}" ')
        if not running:
            body += text_field(10, process.user.sid) + text_field(11, process.user.account)
        return b"".join((
            process.wide[len(guid) - 9], stamp, process.named, guid, process.rest,
            string_entry(guid, path), process.env, bytes_field(16, body),
        ))  # fmt: skip

    def emetmitigation(self, process: Process, now: int, stamp: bytes) -> bytes:
        """Microsoft EMET stopped an exploit."""
        number = self._rng.choice(tuple(_MITIGATIONS))
        name = _MITIGATIONS[number]
        said = (
            f"EMET detected {name} mitigation and will close the application: "
            f"{process.image.name}\r\n\r\n"
            f"{name} check failed:\n  Application \t: {process.path}\n"
            f"  User Name \t: {process.user.account}\n  Session ID \t: 1\n"
            f"  PID \t\t: 0x{process.pid:X} ({process.pid})\n  Module \t: N/A\n"
            "  Mod Base \t: 0x0000000000000000\n  Mod Address \t: 0x000000000297000D\n"
            "  Mem Address \t: 0x0000000000000000\n\r\n"
        )
        body = int_field(1, 1000 + number) + int_field(2, now // 10**7 * 10**7)
        body += bytes_field(3, int_field(1, number)) + text_field(4, said) + b"\x28\x01"
        header = b"\x08\x04\x20" + stamp
        header += int_field(9, process.create_time) + int_field(10, process.pid)
        return bytes_field(1, header) + process.env + bytes_field(17, body)

    def filelessscriptload(self, process: Process, stamp: bytes) -> bytes:
        """It ran a script that came from no file, or from one."""
        bits = self._rng.getrandbits(256)
        body = text_field(1, f"Get-WmiObject Win32_Process | Where-Object Handle -gt {bits & 4095}")
        body += text_field(2, f"{bits:064x}")
        field = 23
        if not bits & 255:
            field, path = 24, rf"c:\scripts\inventory{bits & 15}.ps1"
            body += text_field(3, path)
        return _by(process, stamp, field, body)

    def module(self, sensor: Sensor, binary: Binary, stamp: bytes) -> bytes:
        """The sensor met a binary."""
        product, names = binary.product, b""
        said = self._products.get(product)
        if said is None:
            said = self._products[product] = _product_fields(product)
        size, copied, path = (
            varint(binary.size),
            varint(binary.copied),
            binary.at(sensor.user.name).encode(),
        )
        if product.os == "Windows":
            name = text_field(11, binary.filename)
            names = b"".join((
                text_field(4, binary.description), said[0], name, b"\x62", name[1:],
            ))  # fmt: skip
        body = b"".join((
            b"\x0a\x20", binary.hex, b"\x10", copied, b"\x18", size, names, said[1],
            _image_header(binary) if product.os == "Windows" else b"",
            b"\xd2\x01", varint(len(path)), path,
        ))  # fmt: skip
        if self._sha256 and binary.hashed:
            body += bytes_field(27, binary.hashed)
        return b"".join((_SENSOR_HEADER, stamp, b"\x4a", varint(len(body)), body, sensor.env))


_MACHINES = {
    True: (b"\xca\x01\x14d\x86\x06\x00", bytes(8) + b"\xf0\x00\x22\x00"),
    False: (b"\xca\x01\x14L\x01\x05\x00", bytes(8) + b"\xe0\x00\x02\x01"),
}


def _image_header(binary: Binary) -> bytes:
    """`ImageFileHeader`: a COFF header, which only files of Windows have."""
    machine, tail = _MACHINES[binary.product.is_64bit]
    return machine + binary.built_at.to_bytes(4, "little") + tail


def _product_fields(product: Product) -> tuple[bytes, bytes]:
    """The fields of a `module` that are its product's: 5 to 9, and 14 to 24."""
    named = fields = b""
    if product.os == "Windows":
        named = text_field(5, product.company) + text_field(6, product.name)
        named += text_field(7, product.version)
        named += text_field(8, product.comments) if product.comments else b""
        named += text_field(9, product.copyright)
        fields = text_field(14, product.product_version)
        fields += text_field(15, product.private_build) if product.private_build else b""
    if product.digsig != "Unsigned":
        fields += text_field(17, product.company) if product.company else b""
        if product.issuer:
            fields += text_field(18, product.name) + text_field(19, product.issuer)
            fields += text_field(20, product.company)
    fields += text_field(21, product.digsig)
    fields += text_field(22, f"0x{DIGSIG_RESULTS[product.digsig]:08x}")
    if product.digsig != "Unsigned":
        fields += text_field(23, _clock_time(product.signed_at))
    return named, fields + (bytes_field(24, product.icon) if product.icon else b"")


def _clock_time(moment: int) -> str:
    """A moment in Unix time as a sensor's Windows writes it: `2:46 PM 9/29/2015`."""
    at = datetime.fromtimestamp(moment, UTC)
    half = "PM" if at.hour >= 12 else "AM"
    return f"{at.hour % 12 or 12}:{at.minute:02d} {half} {at.month}/{at.day}/{at.year}"


def _by_itself(process: Process, stamp: bytes, body: bytes) -> bytes:
    """An event in the field `process`: its file is the process's own, and so is its string."""
    named, guid, rest = process.named, process.image.guid, process.rest
    return b"".join((
        b"\n", varint(13 + len(named) + 2 * len(guid) + len(rest)), b"\x08\x04\x20", stamp, named,
        guid, b"\x40", guid, rest, process.image.entry, b"\x1a", varint(len(body)), body,
        process.env,
    ))  # fmt: skip


def _by(process: Process, stamp: bytes, field: int, body: bytes) -> bytes:
    """An event in a field behind `env`."""
    return b"".join((process.bare, stamp, process.plain, process.env, bytes_field(field, body)))


_ipv4 = lru_cache(maxsize=4096)(ipv4_to_wire)


@lru_cache(maxsize=4096)
def _ip(address: str) -> bytes:
    if ":" not in address:
        return b"\x08\x00" + int_field(2, ipv4_to_wire(address))
    low, high = ipv6_to_wire(address)
    return b"\x08\x01" + int_field(3, low) + int_field(4, high)
