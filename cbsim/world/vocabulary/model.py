"""What a vocabulary is made of: programs and what they do, what arrives, what looks for threats.

Texts may be templates, in which only the names of `PLACEHOLDERS` stand in braces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "OSES",
    "PLACEHOLDERS",
    "Arrival",
    "Connection",
    "Feed",
    "IocType",
    "Lifetime",
    "Mainly",
    "Program",
    "Publisher",
    "Report",
    "Vocabulary",
    "Watchlist",
]

OSES = ("windows", "linux", "osx")

PLACEHOLDERS: Mapping[str, str] = {
    "user": "the account name of the user",
    "hex": "eight hex digits; in a malware's path and command lines the same ones",
    "number": "1..9999",
    "guid": "a GUID as the registry writes it, with its braces",
    "word": "a word from a document's name: budget, minutes",
    "host": "one of the program's hosts",
    "sid": "the user's security identifier, S-1-5-21-...",
    "path": "the program's own path; the table has put it in already, in the case people type",
    "date": "20260131",
}
"""What may stand in braces in a path, a command line, a file or a key, and what it stands for."""

Lifetime = Literal["instant", "brief", "session", "resident"]
"""Under a second; seconds to minutes; hours; days."""

Mainly = Literal["loads", "files", "keys", "connections", "processes"]
IocType = Literal["ipv4", "dns", "md5", "query"]


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who makes a file, and whether it is signed."""

    key: str
    name: str
    """As in `company_name`; empty for files that do not say."""
    issuer: str
    """The authority that issued the certificate, as in `digsig_issuer`; empty if unsigned."""
    signs: bool


@dataclass(frozen=True, slots=True)
class Connection:
    """A kind of connection that a program makes or accepts."""

    protocol: Literal["tcp", "udp"]
    port: int
    inbound: bool
    hosts: tuple[str, ...]
    """Domain names; `""` is an address of the estate's own network, without a name."""


@dataclass(frozen=True, slots=True)
class Program:
    """An executable, who starts it and as whom, and what its processes do.

    A path may have several programs, one for each thing that it is started for (`svchost.exe`).
    """

    path: str
    """Lower case on Windows."""
    publisher: str
    """A key of the vocabulary's publishers."""
    product: str
    description: str
    version: str
    kind: str
    """What it is: browser, office, shell, compiler, service, updater, system..."""
    account: str
    """`user`; on Windows `system`, `local service`, `network service`; else an account's name."""
    parents: tuple[str, ...]
    """File names of the programs that start it; none for the first process."""
    commands: tuple[str, ...]
    libraries: tuple[str, ...]
    """Full paths of what it loads besides its own image."""
    files: tuple[str, ...]
    """What it creates, writes and deletes."""
    keys: tuple[str, ...]
    r"""`\registry\machine\...` or `\registry\user\{sid}\...`; Windows only."""
    connections: tuple[Connection, ...]
    lifetime: Lifetime
    mainly: Mainly
    """What most of its events are."""
    weight: float
    """How often it starts, beside the others."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file that is new on an endpoint: an installer, an update, a library."""

    path: str
    publisher: str
    product: str
    description: str
    version: str
    executable: bool
    """A program rather than a library."""
    writer: str
    """File name of the program that writes it."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All that endpoints with one operating system can tell of."""

    os: str
    programs: tuple[Program, ...]
    arrivals: tuple[Arrival, ...]
    malware: tuple[Program, ...]
    libraries: tuple[str, ...]
    """Paths of every library that comes with the system."""
    publishers: Mapping[str, Publisher]


@dataclass(frozen=True, slots=True)
class Report:
    """One report of a feed. Its id looks as that feed's own ids do."""

    id: str
    title: str
    ioc: str
    """A literal, a query, or a template of `{ipv4}`, `{dns}`, `{md5}`."""
    score: int
    link: str


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed of threat reports that the server subscribes to."""

    name: str
    provider_url: str
    ioc_type: IocType
    ports: tuple[int, ...]
    """Ports on which its addresses and domains are met."""
    reports: tuple[Report, ...]


@dataclass(frozen=True, slots=True)
class Watchlist:
    """A saved search of the server."""

    name: str
    index: Literal["process", "binary"]
    query: str
    """In the server's own syntax."""
    matches: str
    """What must have happened: `start`, `binary`, `unsigned`, `executable`, `library`, or
    `filemod:`, `regmod:`, `cmdline:`, `path:` with a part of it in any case, `netconn:` with a
    port, `childproc:` with a file name."""
