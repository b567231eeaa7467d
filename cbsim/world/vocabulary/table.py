"""Reads the tables of programs, one file for each operating system.

A table names products, sets of libraries and programs. `HKLM` and `HKCU` in keys and `~`,
`%localappdata%`, `%appdata%` and `%temp%` in files stand for what they do on an endpoint, and
`{path}` in a command line for the program's path in the case in which the table has it.
"""

from __future__ import annotations

import ntpath
import posixpath
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from pydantic import ValidationError

from cbsim.errors import InputError
from cbsim.world.vocabulary.model import OSES, Arrival, Connection, Program, Publisher, Vocabulary
from cbsim.world.vocabulary.rows import ArrivalRow, LibrarySet, Product, ProgramRow, Table

__all__ = ["load", "parse"]

_HOMES = {"windows": r"c:\users\{user}", "linux": "/home/{user}", "osx": "/Users/{user}"}
_FOLDERS = {
    "%localappdata%": r"c:\users\{user}\appdata\local",
    "%appdata%": r"c:\users\{user}\appdata\roaming",
    "%temp%": r"c:\users\{user}\appdata\local\temp",
}
_HIVES = {"hklm": r"\registry\machine", "hkcu": r"\registry\user\{sid}"}
_32_BIT = (("\\system32\\", "\\syswow64\\"), ("\\framework64\\", "\\framework\\"))


@cache
def load(os: str) -> Vocabulary:
    """The vocabulary of `windows`, `linux` or `osx`.

    Raises `InputError` for another one, and for a table that is not right.
    """
    if os not in OSES:
        raise InputError(f"no vocabulary for {os!r}, expected one of: {', '.join(OSES)}")
    source = f"{os}.toml"
    return parse(os, (resources.files(__package__) / source).read_text("utf-8"), source)


def parse(os: str, text: str, source: str) -> Vocabulary:
    """The vocabulary that a table's text describes; `source` names the table in errors."""
    try:
        data = tomllib.loads(text)
        table = Table.model_validate(data)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source}: {error}") from None
    except ValidationError as error:
        raise InputError(f"{source}: {_told(data, error)}") from None
    return _Reader(os, source, table).vocabulary()


def _told(data: Mapping[str, Any], error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = list(first["loc"])
    entry = data.get(str(where[0]))
    name = ""
    if isinstance(entry, list) and len(where) > 1 and isinstance(where[1], int):
        row = entry[where[1]]
        name = f" ({row['path']})" if isinstance(row, dict) and "path" in row else ""
    place = ".".join(map(str, where[:2])) + name
    return ": ".join([place, *map(str, where[2:]), first["msg"]])


@dataclass(frozen=True, slots=True)
class _Reader:
    os: str
    source: str
    table: Table
    sets: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The full paths of each set of libraries."""

    def vocabulary(self) -> Vocabulary:
        self._expand()
        programs = tuple(map(self._program, self.table.programs))
        libraries = self._of_the_system(programs)
        return Vocabulary(
            self.os,
            programs,
            tuple(map(self._arrival, self.table.arrivals)),
            tuple(map(self._program, self.table.malware)),
            libraries,
            {
                key: Publisher(key, row.name, row.issuer, bool(row.issuer))
                for key, row in self.table.publishers.items()
            },
        )

    def _of_the_system(self, programs: tuple[Program, ...]) -> tuple[str, ...]:
        """The system's sets, and what programs load from the same folders."""
        system = {name: found for name, found in self.table.libraries.items() if found.system}
        folders = {self._lower(found.folder) for found in system.values()}
        folders |= {_as_32_bit(folder + "\\")[:-1] for folder in folders}
        sets = sorted({path for name in system for path in self.sets[name]})
        loaded = dict.fromkeys(path for program in programs for path in program.libraries)
        return tuple(
            dict.fromkeys([*sets, *(path for path in loaded if self._folder(path) in folders)])
        )

    def _program(self, row: ProgramRow) -> Program:
        product, start = self._product(row.path, row.product), self.table.defaults
        account = row.account or start.account
        commands = start.commands if row.commands is None else row.commands
        return Program(
            path=self._file(row.path),
            publisher=product.publisher,
            product=product.name,
            description=row.description,
            version=row.version or product.version,
            kind=row.kind,
            account=account,
            parents=tuple(start.parents if row.parents is None else row.parents),
            commands=tuple(command.replace("{path}", row.path) for command in commands),
            libraries=self._loads(row, product),
            files=tuple(map(self._file, row.files)),
            keys=tuple(map(_key, row.keys)),
            connections=tuple(self._connection(row.path, text) for text in row.connections),
            lifetime=row.lifetime,
            mainly=row.mainly,
            weight=row.weight,
        )

    def _arrival(self, row: ArrivalRow) -> Arrival:
        product = self._product(row.path, row.product)
        path = self._file(row.path)
        version = row.version or product.version
        executable = path.endswith(".exe") if row.executable is None else row.executable
        return Arrival(
            path, product.publisher, product.name, row.description, version, executable, row.writer
        )

    def _product(self, entry: str, key: str) -> Product:
        product = self.table.products.get(key)
        if product is None:
            raise self._wrong(entry, f"no product {key!r}")
        if product.publisher not in self.table.publishers:
            raise self._wrong(f"products.{key}", f"no publisher {product.publisher!r}")
        return product

    def _loads(self, row: ProgramRow, product: Product) -> tuple[str, ...]:
        names = self.table.defaults.libraries if row.libraries is None else row.libraries
        paths = [path for name in names for path in self._named(row.path, name)]
        if product.bits == 32:
            paths = [_as_32_bit(path) for path in paths] + list(self._set("wow64", row.path))
        own = self._file(row.path)
        return tuple(path for path in dict.fromkeys(paths) if path != own)

    def _named(self, entry: str, name: str) -> Iterable[str]:
        """A set's libraries, a library of the program's own folder, or a path."""
        if name in self.table.libraries:
            return self._set(name, entry)
        if self._absolute(name):
            return [self._file(name)]
        if "." not in name:
            raise self._wrong(entry, f"no set of libraries {name!r}")
        return [self._join(self._folder(self._file(entry)), self._lower(name))]

    def _set(self, name: str, entry: str) -> tuple[str, ...]:
        if name not in self.sets:
            raise self._wrong(entry, f"no set of libraries {name!r}")
        return self.sets[name]

    def _expand(self) -> None:
        for name, found in self.table.libraries.items():
            paths: list[str] = []
            for other in found.include:
                if other not in self.sets:
                    raise self._wrong(f"libraries.{name}", f"no set {other!r} comes before it")
                paths += self.sets[other]
            self.sets[name] = tuple(dict.fromkeys([*paths, *self._own_of(found)]))

    def _own_of(self, libraries: LibrarySet) -> list[str]:
        folder = self._lower(libraries.folder)
        return [
            self._join(folder, name if "." in name or self.os != "windows" else f"{name}.dll")
            for name in map(self._lower, libraries.names.split())
        ]

    def _connection(self, entry: str, text: str) -> Connection:
        """From `tcp/443 to www.example.com` or `udp/53 from lan`."""
        try:
            end, way, *hosts = text.split()
            protocol, _, port = end.partition("/")
            if protocol not in ("tcp", "udp") or way not in ("to", "from") or not hosts:
                raise ValueError
            names = tuple("" if host == "lan" else host for host in hosts)
            return Connection(
                "tcp" if protocol == "tcp" else "udp", int(port), way == "from", names
            )
        except ValueError:
            wanted = "expected <tcp|udp>/<port> <to|from> <host or lan>..."
            raise self._wrong(entry, f"connection {text!r}: {wanted}") from None

    def _file(self, path: str) -> str:
        lowered = self._lower(path)
        start, mark, rest = lowered.partition("\\" if self.os == "windows" else "/")
        if start == "~":
            return _HOMES[self.os] + mark + rest
        return _FOLDERS.get(start, start) + mark + rest

    def _lower(self, text: str) -> str:
        return text.lower() if self.os == "windows" else text

    def _folder(self, path: str) -> str:
        return ntpath.dirname(path) if self.os == "windows" else posixpath.dirname(path)

    def _absolute(self, path: str) -> bool:
        return ntpath.isabs(path) if self.os == "windows" else posixpath.isabs(path)

    def _join(self, folder: str, name: str) -> str:
        return f"{folder}\\{name}" if self.os == "windows" else f"{folder}/{name}"

    def _wrong(self, entry: str, what: str) -> InputError:
        return InputError(f"{self.source}: {entry}: {what}")


def _key(key: str) -> str:
    hive, _, rest = key.lower().partition("\\")
    return f"{_HIVES.get(hive, hive)}\\{rest}"


def _as_32_bit(path: str) -> str:
    for wide, narrow in _32_BIT:
        path = path.replace(wide, narrow)
    return path
