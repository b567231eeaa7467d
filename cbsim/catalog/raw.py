"""The raw endpoint events: protobuf messages under `ingress.event.*`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cbsim.catalog.origin import Origin
from cbsim.catalog.server import ServerVersion

__all__ = ["RAW_EVENTS", "RawEvent", "Uncaptured", "bytes_lengths", "notation"]


@dataclass(frozen=True, slots=True)
class Uncaptured:
    """A field that servers send and no capture has."""

    path: str
    """Dotted, as in `module.sha256`."""
    origin: Origin
    since: ServerVersion


@dataclass(frozen=True, slots=True)
class RawEvent:
    """A raw event on `api.events`, a CbEventMsg."""

    name: str
    """The routing key."""
    meaning: str
    carries: tuple[str, ...]
    """The fields of CbEventMsg of which it sets exactly one."""
    broadcast: str | None
    """The DatastoreBroadcastEventTypes that selects it; None: only `*` does."""
    since: ServerVersion
    until: ServerVersion | None
    """The first version that no longer sends it."""
    weight: float
    """How often it is sent, relative to all other messages, when a scenario does not say."""
    presence: tuple[tuple[str, float], ...]
    """How often captured events set a field (dotted path), 0 to 1; empty: none was captured."""
    uncaptured: tuple[Uncaptured, ...] = ()
    instead: tuple[str, ...] = ()
    """Messages that newer servers send under this key in place of those of `inner`."""
    note: str | None = None
    """What a reader must know of it beyond its fields."""

    content_type = "application/protobuf"

    @property
    def created(self) -> bool | None:
        """What `process.created` says: a process started or ended; None where there is none."""
        if self.carries != ("process",):
            return None
        return not self.name.endswith("procend")

    @property
    def inner(self) -> tuple[str, ...]:
        """Messages inside the one it carries that are always set, such as `crossproc.open`."""
        paths = [path.rpartition(".")[0] for path, often in self.presence if often == 1.0]
        return tuple(dict.fromkeys(p for p in paths if p.partition(".")[0] in self.carries
                                   and "." in p))  # fmt: skip

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """Those of `carries` of which nobody knows whether servers send them."""
        return tuple(field.path for field in self.uncaptured
                     if field.origin is Origin.GUESS and field.path in self.carries)  # fmt: skip

    def in_version(self, version: ServerVersion) -> bool:
        """Whether servers of that version send it."""
        return version.includes(self.since, self.until)

    def selected_by(self, broadcast: frozenset[str]) -> bool:
        """Whether a server with these DatastoreBroadcastEventTypes exports it."""
        return "*" in broadcast or self.broadcast in broadcast


_ENV = "env.endpoint.HostId env.endpoint.SensorHostName env.endpoint.SensorId env.server.NodeId "
_BARE = _ENV + "header.timestamp header.version "
_IN_PROCESS = _BARE + "header.process_create_time header.process_pid header.process_guid "
_NAMED = _IN_PROCESS + "header.process_path header.process_md5 "
_FILE = "header.filepath_string_guid strings.guid strings.string_type strings.utf8string "

_DECLARED = (
    # name, sub-messages, broadcast, since, until, weight, meaning, fields always and sometimes set
    ("process", "process", "process", "4.2", "5.2", 172, "A process started.",
     _IN_PROCESS + "process.created process.creationobserved process.parent_create_time "
     "process.parent_pid process.pid",
     "header.filepath_string_guid .94 header.process_filepath_string_guid .94 "
     "header.process_md5 .92 header.process_path .92 process.commandline .91 process.md5hash .94 "
     "process.parent_guid .94 process.parent_md5 .8 process.parent_path .8 process.uid .92 "
     "process.username .92 strings.guid .94 strings.string_type .94 strings.utf8string .94"),
    ("procend", "process", "process", "4.2", None, 70, "A process ended.",
     _NAMED + _FILE + "header.process_filepath_string_guid process.created process.pid",
     "process.parent_create_time .99 process.parent_pid .99"),
    ("childproc", "childproc", "process", "4.2", None, 231,
     "A process started, forked or lost a child.",
     _IN_PROCESS + "childproc.child_guid childproc.create_time childproc.created "
     "childproc.md5hash childproc.parent_guid childproc.path childproc.pid", ""),
    ("moduleload", "modload", "moduleload", "4.2", None, 2613, "A process loaded a binary.",
     _NAMED + _FILE + "modload.guid modload.handlepath_string_guid modload.md5hash",
     "modload.image_base .81 modload.image_size .81 modload.is_process_base_module .81 "
     "modload.scanid .81"),
    ("module", "module", "moduleinfo", "4.2", None, 408, "A sensor met a binary that is new to it.",
     _BARE + "module.CopiedModuleLength module.OriginalModuleLength "
     "module.md5 module.utf8_CompanyName module.utf8_DigSig_Result module.utf8_DigSig_ResultCode "
     "module.utf8_FileVersion module.utf8_LegalCopyright module.utf8_OnDiskFilename "
     "module.utf8_ProductVersion",
     "module.Icon .17 module.utf8_Comments .13 module.utf8_DigSig_IssuerName .4 "
     "module.utf8_DigSig_ProgramName .36 module.utf8_DigSig_Publisher .9 "
     "module.ImageFileHeader .99 module.utf8_DigSig_SignTime .9 "
     "module.utf8_DigSig_SubjectName .4 "
     "module.utf8_FileDescription .99 module.utf8_InternalName .99 "
     "module.utf8_OriginalFileName .99 module.utf8_PrivateBuild .09 module.utf8_ProductName .99"),
    ("filemod", "filemod", "filemod", "4.2", None, 3081,
     "A process created, first wrote, last wrote or deleted a file.",
     _NAMED + _FILE + "filemod.action filemod.guid",
     "filemod.md5hash .003 filemod.tamper .84 filemod.type .003"),
    ("regmod", "regmod", "regmod", "4.2", None, 1101,
     "A process created or deleted a registry key, or wrote or deleted a value.",
     _NAMED + "regmod.action regmod.guid regmod.tamper regmod.utf8_regpath", ""),
    ("netconn", "network networkv2", "netconn", "4.2", None, 104,
     "A process made or took a connection.",
     _IN_PROCESS + "network.ipv4Address network.localIpAddress network.localPort network.outbound "
     "network.port network.protocol network.proxyConnection network.remoteIpAddress "
     "network.remotePort",
     "header.process_md5 .99 header.process_path .99 network.utf8_netpath .8"),
    ("crossprocopen", "crossproc", None, "4.2", None, 291, "A process opened a handle to another.",
     _NAMED + "crossproc.open.requestedAccess crossproc.open.targetPid "
     "crossproc.open.targetProcCreateTime crossproc.open.targetProcMd5 "
     "crossproc.open.targetProcPath crossproc.open.type crossproc.tamper", ""),
    ("remotethread", "crossproc", None, "4.2", None, 61, "A process started a thread in another.",
     _NAMED + "crossproc.isTarget crossproc.remotethread.remoteProcCreateTime "
     "crossproc.remotethread.remoteProcMd5 crossproc.remotethread.remoteProcPath "
     "crossproc.remotethread.remoteProcPid crossproc.tamper", ""),
    ("tamper", "tamperAlert", None, "4.2", None, 3, "Somebody interfered with a sensor.",
     _BARE + "tamperAlert.type", ""),
    ("processblock", "blocked", None, "5.2", None, 3, "A banned process was kept from running.",
     _NAMED + _FILE + "blocked.blockedCmdline blocked.blockedEvent blocked.blockedPath "
     "blocked.blockedType blocked.blockedmd5Hash",
     "blocked.blockedPid .33 blocked.blockedProcCreateTime .33 blocked.blockedUid .67 "
     "blocked.blockedUsername .67"),
    ("emetmitigation", "emet", None, "5.2", None, 5, "Microsoft EMET mitigated an attack.",
     _BARE + "header.process_create_time header.process_pid emet.action.mitigationType "
     "emet.actionText emet.blocked emet.emetId emet.emetTimstamp", ""),
    ("filelessscriptload", "scriptexe fbscriptexe", None, "7.x", None, 20,
     "A process ran a script.", "", ""),
)  # fmt: skip


_UNCAPTURED = (
    # Where it is known from, the version that began it, the field, the events that have it.
    ("published sample", "5.2", "process.bFilteringKnownDlls", "process procstart"),
    ("published sample", "5.2", "childproc.childProcType", "childproc"),
    ("published sample", "5.2", "childproc.suppressed", "childproc"),
    ("published sample", "5.2", "childproc.commandline", "childproc"),
    ("published sample", "5.2", "childproc.username", "childproc"),
    ("published sample", "5.2", "header.fork_pid", "moduleload filemod regmod netconn"),
    ("guess", "6.x", "header.process_sha256", "procstart procend moduleload filemod regmod netconn "
     "crossprocopen remotethread processblock filelessscriptload"),
    ("guess", "6.x", "process.sha256hash", "procstart"),
    ("guess", "6.x", "process.parent_sha256", "procstart"),
    ("guess", "6.x", "childproc.sha256hash", "childproc"),
    ("guess", "6.x", "modload.sha256hash", "moduleload"),
    ("guess", "6.x", "filemod.sha256hash", "filemod"),
    ("published sample", "6.x", "module.sha256", "module"),
    ("published sample", "6.x", "networkv2", "netconn"),
    ("published sample", "6.x", "networkv2.ja3", "netconn"),
    ("published sample", "6.x", "networkv2.ja3s", "netconn"),
    ("guess", "6.x", "crossproc.open.targetProcSha256", "crossprocopen"),
    ("guess", "6.x", "crossproc.remotethread.remoteProcSha256", "remotethread"),
    ("published sample", "7.x", "crossproc.remotethread", "crossprocopen"),
    ("published sample", "7.x", "crossproc.isTarget", "crossprocopen"),
    ("guess", "6.x", "blocked.blockResult", "processblock"),
    ("published sample", "7.x", "scriptexe", "filelessscriptload"),
    ("guess", "7.x", "fbscriptexe", "filelessscriptload"),
    *(("guess", "7.x", path, "filelessscriptload") for path in _NAMED.split()),
)  # fmt: skip
_INSTEAD = {"crossprocopen": ("crossproc.remotethread",)}
_NOTES = {
    "filelessscriptload": "Consumers read `scriptexe`. Whether servers send `fbscriptexe`, a script"
    " from a file, under this key is not known.",
    "crossprocopen": "From 7.1 on a remote thread may come under this key.",
}


def bytes_lengths(message: str, field: str) -> tuple[int, ...]:
    """How many bytes a field of type bytes holds when it is a hash; empty for any other.

    MD5 has 16, SHA-256 has 32; `CbModuleInfoMsg.md5` is 32 hex digits (wire: Identities). Sensors
    cut the MD5 of a parent, and of a child that ended, at its first NUL byte, as a C string is.

    >>> bytes_lengths("CbHeaderMsg", "process_md5")
    (16,)
    """
    name = field.lower()
    if "sha256" in name or (message, field) == ("CbModuleInfoMsg", "md5"):
        return (32,)
    if (message, field) in _CUT:
        return (16, *range(16))
    return (16,) if "md5" in name else ()


_CUT = (("CbProcessMsg", "parent_md5"), ("CbChildProcessMsg", "md5hash"))

_NOTATIONS = (
    (re.compile(r"time?stamp|create_?time", re.I),
     "FILETIME: 100 ns ticks since 1601-01-01 UTC."),
    (re.compile(r"ipv4|IpAddress$", re.I),
     "An IPv4 address: its little-endian bytes are the address in order."),
    (re.compile(r"port$", re.I), "In network byte order: port 443 is 47873."),
    (re.compile(r"^ipv6(Lo|Hi)"), "Half of an IPv6 address, little-endian."),
)  # fmt: skip


def notation(field: str) -> str | None:
    """How a number of the protobuf interface is to be read (wire: Identities); None: as it is.

    >>> notation("remotePort")
    'In network byte order: port 443 is 47873.'
    """
    return next((said for pattern, said in _NOTATIONS if pattern.search(field)), None)


def _uncaptured(name: str) -> tuple[Uncaptured, ...]:
    return tuple(Uncaptured(path, Origin(origin), ServerVersion(since))
                 for origin, since, path, events in _UNCAPTURED
                 if name in events.split())  # fmt: skip


def _declare() -> dict[str, RawEvent]:
    events = {}
    for name, carries, broadcast, since, until, weight, meaning, always, sometimes in _DECLARED:
        words = sometimes.split()
        presence = dict.fromkeys(always.split(), 1.0)
        presence |= {
            path: float(often) for path, often in zip(words[::2], words[1::2], strict=True)
        }
        event = RawEvent(
            name=f"ingress.event.{name}",
            meaning=meaning,
            carries=tuple(carries.split()),
            broadcast=broadcast,
            since=ServerVersion(since),
            until=ServerVersion(until) if until else None,
            weight=weight,
            presence=tuple(presence.items()),
            uncaptured=_uncaptured(name),
            instead=_INSTEAD.get(name, ()),
            note=_NOTES.get(name),
        )
        events[event.name] = event
        if name == "process":
            # The same event under the name that newer servers give it (wire: Routing keys).
            started = "ingress.event.procstart"
            values = {field: getattr(event, field) for field in RawEvent.__slots__}
            events[started] = RawEvent(
                **values | {"name": started, "since": ServerVersion.V5_2, "until": None,
                            "uncaptured": _uncaptured("procstart")}
            )  # fmt: skip
    return events


RAW_EVENTS: dict[str, RawEvent] = _declare()
"""Every raw event by routing key."""
