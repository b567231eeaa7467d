"""The rows of a table of programs, as the files have them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from cbsim.world.vocabulary.model import Lifetime, Mainly

__all__ = [
    "ArrivalRow",
    "Defaults",
    "LibrarySet",
    "Product",
    "ProgramRow",
    "PublisherRow",
    "Table",
]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PublisherRow(_Row):
    """Who makes files; without an issuer they are unsigned."""

    name: str
    issuer: str = ""


class Product(_Row):
    """What several programs are part of."""

    publisher: str
    name: str
    version: str
    bits: int = 64
    """32: its processes load from SysWOW64."""


class LibrarySet(_Row):
    """Libraries of one folder that are loaded together."""

    folder: str
    names: str
    """Separated by blanks; on Windows `.dll` unless there is another ending."""
    include: list[str] = []
    """Other sets, which come before it in the file and are loaded before it."""
    system: bool = True
    """Comes with the operating system."""


class Defaults(_Row):
    """What a program has that does not say."""

    account: str
    parents: list[str]
    commands: list[str]
    libraries: list[str]


class ProgramRow(_Row):
    """A program; see `Program`."""

    path: str
    product: str
    description: str
    kind: str
    version: str = ""
    account: str = ""
    parents: list[str] | None = None
    commands: list[str] | None = None
    libraries: list[str] | None = None
    """Names of sets, files of its own folder, and paths."""
    files: list[str] = []
    keys: list[str] = []
    connections: list[str] = []
    lifetime: Lifetime = "brief"
    mainly: Mainly = "loads"
    weight: float = 1.0


class ArrivalRow(_Row):
    """A file that is new on an endpoint; see `Arrival`."""

    path: str
    product: str
    description: str
    writer: str
    version: str = ""
    executable: bool | None = None


class Table(_Row):
    """A whole file."""

    defaults: Defaults
    publishers: dict[str, PublisherRow]
    products: dict[str, Product]
    libraries: dict[str, LibrarySet]
    programs: list[ProgramRow]
    arrivals: list[ArrivalRow] = []
    malware: list[ProgramRow] = []
