"""Raw events: what a process does, as the two parts of a CbEventMsg around `env`.

Fields 1 to 12 go before `env` (13), the others behind it, so that the bytes are the ones protobuf's
own serializer writes; bundles leave `env` out.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from cbsim.catalog import DIGSIG_RESULTS, ServerVersion
from cbsim.wire.address import ipv4_to_wire, ipv6_to_wire, swap_port
from cbsim.wire.event import bytes_field, int_field, text_field, varint
from cbsim.world.estate import Binary, Estate, Sensor
from cbsim.world.process import Process, path_guid

__all__ = ["Connection", "Parts", "RawWriter", "environment"]


class Parts(NamedTuple):
    """An encoded event: what comes before and after `env`."""

    before: bytes
    after: bytes = b""


class Connection(NamedTuple):
    """A network connection, ports in host order."""

    host: str
    """The name asked for; empty when there was none."""
    address: str
    port: int
    local_port: int
    outbound: bool = True
    udp: bool = False
    proxied: bool = False


_FILEMODS = (1, 2, 4, 8)
_FILEMOD_ODDS = (35, 35, 20, 10)
_REGMODS = (1, 2, 4, 8)
_REGMOD_ODDS = (15, 70, 5, 10)
_ACCESS = (0x1410, 0x1000, 0x1FFFFF, 0x0040)
_MITIGATIONS = {1: "DEP", 6: "HeapSpray", 8: "EAF", 9: "EAF+", 14: "StackPivot", 15: "Caller"}


def environment(sensor: Sensor, node: int = 0) -> bytes:
    """The `env` field of a sensor's events, which the server adds."""
    endpoint = int_field(1, sensor.id) + text_field(2, sensor.hostname) + int_field(3, 0)
    return bytes_field(13, bytes_field(1, endpoint) + bytes_field(2, int_field(1, node)))


class RawWriter:
    """Encodes events as servers of one version export them."""

    def __init__(self, estate: Estate, version: ServerVersion, rng: Random) -> None:
        self._estate, self._version, self._rng = estate, version, rng
        self._sha256 = version.sha256

    def process(self, process: Process, now: int) -> Parts:
        """`process` or `procstart`: it started."""
        parent = process.parent
        body = int_field(1, process.pid) + b"\x10\x01"
        if parent is not None:
            body += int_field(3, parent.pid) + int_field(4, parent.create_time)
        if process.sparse:
            header = b"\x08\x04\x20" + varint(now) + process.guid_field
            header += int_field(9, process.create_time) + int_field(10, process.pid)
            return Parts(bytes_field(1, header) + bytes_field(3, body + b"\x60\x00"))
        if parent is not None:
            body += int_field(5, parent.guid)
        body += bytes_field(6, bytes.fromhex(process.binary.md5))
        body += bytes_field(9, process.cmdline.encode())
        known = parent is not None and self._rng.random() < 0.86
        if parent is not None and known:
            body += bytes_field(10, bytes.fromhex(parent.binary.md5)) + text_field(11, parent.path)
        body += (
            b"\x60\x01" + text_field(14, process.user.sid) + text_field(15, process.user.account)
        )
        if self._sha256:
            body += bytes_field(19, process.binary.sha256)
        return Parts(self._own_path(process, now) + bytes_field(3, body))

    def procend(self, process: Process, now: int) -> Parts:
        """It ended."""
        body = int_field(1, process.pid) + b"\x10\x00"
        if process.parent is not None:
            body += int_field(3, process.parent.pid) + int_field(4, process.parent.create_time)
        return Parts(self._own_path(process, now) + bytes_field(3, body))

    def childproc(
        self, parent: Process, child: Process, now: int, *, created: bool, how: str = "exec"
    ) -> Parts:
        """A child started or ended; `how`: `exec`, `fork`, `other_exec` or `suppressed`."""
        inherited = parent if how == "fork" else child
        body = int_field(1, created) + int_field(2, parent.guid)
        body += bytes_field(3, bytes.fromhex(inherited.binary.md5)) + int_field(4, inherited.guid)
        body += text_field(5, inherited.path) + int_field(6, child.pid)
        body += int_field(7, inherited.create_time)
        if how == "suppressed":
            body += bytes_field(9, b"\x08\x01\x10\x01") + bytes_field(10, child.cmdline.encode())
            body += text_field(11, child.user.account)
        if how in ("fork", "other_exec"):
            body += int_field(12, 1 if how == "fork" else 2)
        if self._sha256:
            body += bytes_field(14, inherited.binary.sha256)
        context = child if how == "other_exec" else parent
        header = b"\x08\x04\x20" + varint(now) + context.guid_field
        header += int_field(9, context.create_time) + int_field(10, context.pid)
        parent.last_update = now
        return Parts(bytes_field(1, header) + bytes_field(12, body))

    def moduleload(self, process: Process, binary: Binary, now: int) -> Parts:
        """It loaded a binary."""
        guid = path_guid(binary.path)
        body = int_field(1, guid ^ 0x5BD1E995) + int_field(2, guid)
        body += bytes_field(3, bytes.fromhex(binary.md5))
        if self._rng.random() < 0.81:
            base = 0x7FF000000000 + (guid & 0xFFFFF) * 0x10000
            body += int_field(4, guid & 0x7FFF) + int_field(5, binary is process.binary)
            body += int_field(6, base) + int_field(7, binary.size)
        if self._sha256:
            body += bytes_field(8, binary.sha256)
        process.modload_count += 1
        return Parts(self._with_path(process, binary.path, now) + bytes_field(4, body))

    def filemod(self, process: Process, now: int) -> Parts:
        """It created, first wrote, last wrote or deleted a file."""
        rng, program = self._rng, process.binary.program
        files = program.files if program else (process.path + ".{h}",)
        path = process.fill(files[rng.randrange(len(files))], rng, "")
        action = rng.choices(_FILEMODS, _FILEMOD_ODDS)[0]
        body = int_field(1, rng.getrandbits(64)) + int_field(2, action)
        if action == 8 and rng.random() < 0.03:
            windows = process.sensor.os == "windows"
            body += bytes_field(4, rng.randbytes(16)) + int_field(5, 1 if windows else 2)
            tail = bytes_field(8, rng.randbytes(32)) if self._sha256 else b""
        else:
            tail = b""
        if rng.random() < 0.84:
            body += b"\x30\x00"
        process.filemod_count += 1
        return Parts(self._with_path(process, path, now) + bytes_field(5, body + tail))

    def regmod(self, process: Process, now: int) -> Parts:
        """It changed the registry."""
        rng, program = self._rng, process.binary.program
        keys = program.registry if program else ()
        key = keys[rng.randrange(len(keys))] if keys else r"\registry\machine\software\vendor\{h}"
        action = rng.choices(_REGMODS, _REGMOD_ODDS)[0]
        body = int_field(1, rng.getrandbits(64)) + int_field(2, action)
        body += bytes_field(4, process.fill(key, rng, "").encode()) + b"\x28\x00"
        process.regmod_count += 1
        return Parts(process.head(now) + bytes_field(7, body))

    def netconn(self, process: Process, connection: Connection, now: int) -> Parts:
        """It made or took a connection: `network`, or `networkv2` from newer servers."""
        process.netconn_count += 1
        protocol = 17 if connection.udp else 6
        port, local_port = swap_port(connection.port), swap_port(connection.local_port)
        outbound, netpath = int(connection.outbound), connection.host.encode()
        sensor = process.sensor
        if not self._version.network_v2:
            remote, local = ipv4_to_wire(connection.address), ipv4_to_wire(sensor.ip)
            body = int_field(2, remote) + int_field(5, port) + int_field(6, protocol)
            body += bytes_field(7, netpath) if netpath else b""
            body += int_field(8, outbound) + int_field(9, connection.proxied)
            if connection.proxied:
                body += int_field(10, ipv4_to_wire("10.0.0.8")) + int_field(11, swap_port(3128))
                body += text_field(12, "proxy.internal")
            body += int_field(13, remote) + int_field(14, port)
            body += int_field(15, local) + int_field(16, local_port)
            return Parts(process.head(now) + bytes_field(6, body))
        body = int_field(1, protocol)
        body += bytes_field(2, netpath) if netpath else b""
        body += int_field(3, outbound) + int_field(4, connection.proxied)
        if connection.proxied:
            body += bytes_field(5, _ip("10.0.0.8")) + int_field(6, swap_port(3128))
            body += text_field(7, "proxy.internal")
        body += bytes_field(8, _ip(connection.address)) + int_field(9, port)
        local_ip = "fe80::1" if ":" in connection.address else sensor.ip
        body += bytes_field(10, _ip(local_ip)) + int_field(11, local_port)
        if self._version is ServerVersion.V7 and connection.port == 443 and not connection.udp:
            body += text_field(12, process.binary.md5.lower())
            body += text_field(13, f"{_number_of(connection.address):032x}")
        return Parts(process.head(now), bytes_field(20, body))

    def crossprocopen(self, process: Process, target: Process, now: int) -> Parts:
        """It opened a handle to another process of its endpoint."""
        rng = self._rng
        body = int_field(1, 1 if rng.random() < 0.85 else 2) + int_field(2, target.pid)
        body += int_field(3, target.create_time) + int_field(4, _ACCESS[rng.randrange(4)])
        body += text_field(5, target.path) + bytes_field(6, bytes.fromhex(target.binary.md5))
        if self._sha256:
            body += bytes_field(7, target.binary.sha256)
        process.crossproc_count += 1
        return Parts(process.head(now), bytes_field(14, bytes_field(1, body) + b"\x18\x00"))

    def remotethread(self, process: Process, other: Process, now: int) -> Parts:
        """It started a thread in another process, or another did in it."""
        body = int_field(1, other.pid) + int_field(2, other.create_time)
        body += text_field(3, other.path) + bytes_field(4, bytes.fromhex(other.binary.md5))
        if self._sha256:
            body += bytes_field(5, other.binary.sha256)
        process.crossproc_count += 1
        target = b"\x18\x00" + int_field(4, self._rng.random() < 0.5)
        return Parts(process.head(now), bytes_field(14, bytes_field(2, body) + target))

    def tamper(self, now: int) -> Parts:
        """Somebody interfered with the sensor."""
        alert = int_field(1, self._rng.randrange(1, 6))
        return Parts(_bare(now), bytes_field(15, alert))

    def processblock(self, process: Process, banned: Binary, now: int) -> Parts:
        """A banned process was kept from starting, or ended."""
        rng = self._rng
        running = rng.random() < 0.33
        body = b"\x08\x01" + int_field(2, 2 if running else 1)
        body += bytes_field(3, bytes.fromhex(banned.md5)) + text_field(4, banned.path)
        if running:
            body += b"\x28\x00" + int_field(7, rng.randrange(300, 60000)) + int_field(8, now)
        body += text_field(9, f'"{banned.path}" ')
        if not running:
            body += text_field(10, process.user.sid) + text_field(11, process.user.account)
        return Parts(self._with_path(process, banned.path, now), bytes_field(16, body))

    def emetmitigation(self, process: Process, now: int) -> Parts:
        """Microsoft EMET stopped an exploit."""
        number = self._rng.choice(tuple(_MITIGATIONS))
        name = _MITIGATIONS[number]
        said = (
            f"EMET detected {name} mitigation and will close the application: "
            f"{process.name}\r\n\r\n"
            f"{name} check failed:\n  Application \t: {process.path}\n"
            f"  User Name \t: {process.user.account}\n  Session ID \t: 1\n"
            f"  PID \t\t: 0x{process.pid:X} ({process.pid})\n  Module \t: N/A\n"
            "  Mod Base \t: 0x0000000000000000\n  Mod Address \t: 0x000000000297000D\n"
            "  Mem Address \t: 0x0000000000000000\n\r\n"
        )
        body = int_field(1, 1000 + number) + int_field(2, now // 10**7 * 10**7)
        body += bytes_field(3, int_field(1, number)) + text_field(4, said) + b"\x28\x01"
        header = b"\x08\x04\x20" + varint(now)
        header += int_field(9, process.create_time) + int_field(10, process.pid)
        return Parts(bytes_field(1, header), bytes_field(17, body))

    def filelessscriptload(self, process: Process, now: int) -> Parts:
        """It ran a script that came from no file, or from one."""
        bits = self._rng.getrandbits(256)
        script = f"Get-WmiObject Win32_Process | Where-Object Handle -gt {bits & 4095}"
        digest = f"{bits:064x}"
        if bits & 1:
            return Parts(process.head(now), bytes_field(23, text_field(1, script)
                         + text_field(2, digest)))  # fmt: skip
        body = text_field(1, script) + text_field(2, digest)
        body += text_field(3, rf"c:\scripts\inventory{bits & 15}.ps1")
        return Parts(process.head(now), bytes_field(24, body))

    def module(self, binary: Binary, now: int) -> Parts:
        """The sensor met a binary."""
        windows = binary.os == "Windows"
        body = bytes_field(1, binary.md5.encode())
        body += int_field(2, binary.size) + int_field(3, binary.size)
        texts = {}
        if windows:
            texts = {
                4: binary.description, 5: binary.company, 6: binary.product, 7: binary.version,
                8: binary.comments, 9: f"© {binary.company}. All rights reserved.",
                11: binary.filename, 12: binary.filename, 14: binary.version.partition(" ")[0],
                15: binary.private_build,
            }  # fmt: skip
        if binary.digsig != "Unsigned":
            texts[17] = binary.company
            if binary.issuer:
                texts |= {18: binary.product, 19: binary.issuer, 20: binary.company}
        for field in sorted(texts):
            body += text_field(field, texts[field]) if texts[field] else b""
        body += text_field(21, binary.digsig)
        body += text_field(22, f"0x{DIGSIG_RESULTS[binary.digsig]:08x}")
        if binary.digsig != "Unsigned":
            body += text_field(23, "2:46 PM 9/29/2015")
        body += bytes_field(24, binary.icon) if binary.icon else b""
        body += bytes_field(
            25, b"d\x86\x15\x00" + binary.sha256[:4] + bytes(8) + b"\xf0\x00\x22\x00"
        )
        body += text_field(26, binary.path)
        if self._sha256:
            body += bytes_field(27, binary.sha256)
        return Parts(_bare(now) + bytes_field(9, body))

    def _own_path(self, process: Process, now: int) -> bytes:
        guid = process.path_guid
        head = process.head(now, int_field(6, guid) + int_field(8, guid))
        return head + _string(guid, process.path)

    def _with_path(self, process: Process, path: str, now: int) -> bytes:
        guid = path_guid(path)
        return process.head(now, int_field(6, guid)) + _string(guid, path)


def _number_of(text: str) -> int:
    """A repeatable 63-bit number for a text."""
    return path_guid(text) & 0x7FFFFFFFFFFFFFFF


def _string(guid: int, path: str) -> bytes:
    return bytes_field(2, int_field(1, guid) + bytes_field(2, path.encode()) + b"\x18\x01")


def _bare(now: int) -> bytes:
    return bytes_field(1, b"\x08\x04\x20" + varint(now))


def _ip(address: str) -> bytes:
    if ":" not in address:
        return b"\x08\x00" + int_field(2, ipv4_to_wire(address))
    low, high = ipv6_to_wire(address)
    return b"\x08\x01" + int_field(3, low) + int_field(4, high)
