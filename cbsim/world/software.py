"""Software of the estate: the binaries that are there, those that come, and what they load."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from random import Random

from cbsim.catalog import DIGSIG_RESULTS
from cbsim.world.binary import Binary
from cbsim.world.product import Product, Products
from cbsim.world.vocabulary import OSES, Arrival, Program, Vocabulary, load
from cbsim.world.words import HOLE, KINDS, WORDS, guid

__all__ = ["Binary", "Product", "Software"]

_SYSTEM_FOLDERS = {"windows": "c:\\windows\\system32\\", "linux": "/usr/sbin/", "osx": "/sbin/"}
_SELDOM = tuple(result for result in DIGSIG_RESULTS if result not in ("Signed", "Unsigned"))
_ROUND, _APART = 83, 13
"""Of so many new binaries in a row one has each of these results. It is a prime, or the shards of a
run, which number theirs in steps, would not meet them all."""
_RELEASES = 8
"""How many versions a file comes in."""
_LAST_NUMBER = re.compile(r"^(\D*(?:\d+[., ]+)*)(\d+)")
"""The last number of a version, before what it says of its branch."""
_STORES = {
    "windows": (
        "c:\\windows\\system32\\",
        r"c:\windows\winsxs\amd64_microsoft-windows-{stem}_31bf3856ad364e35_{version}_none_"
        r"{{hex}}{{hex}}\{name}",
    ),
    "linux": ("/", "/var/lib/docker/overlay2/{{hex}}{{hex}}{{hex}}{{hex}}/merged{path}"),
    "osx": ("/", "/Library/Developer/CoreSimulator/Volumes/iOS_{{hex}}/RuntimeRoot{path}"),
}
"""A folder of system libraries, and where a system keeps other builds of them."""


class _Release:
    """A version of a file that may come to an endpoint: its path but for holes, and its product."""

    __slots__ = ("description", "filename", "kinds", "path", "product")

    def __init__(self, path: str, description: str, product: Product) -> None:
        self.kinds = HOLE.findall(path)
        self.path = HOLE.sub("%s", path.replace("%", "%%")) if self.kinds else path
        self.filename = "" if self.kinds else _filename(path)
        self.description, self.product = description, product

    def file(self, digest: bytes) -> tuple[str, str]:
        """Its path and its file name, for a binary of that digest."""
        if not self.kinds:
            return self.path, self.filename
        digits = digest[::-1].hex() * 2
        parts = []
        for at, kind in enumerate(self.kinds):
            if kind == "hex":
                parts.append(digits[8 * at : 8 * at + 8])
            elif kind == "guid":
                parts.append(guid(digits[8 * at :]))
            elif kind == "word":
                parts.append(WORDS[digest[53] % len(WORDS)])
            else:
                parts.append(KINDS[kind](digest[54 + at] << 8 | digest[55]))
        path = self.path % (*parts,)
        return path, _filename(path)


class Software:
    """Every binary of the estate, by path or by number. The same seed gives the same ones."""

    def __init__(self, seed: int, systems: Iterable[str] = OSES) -> None:
        rng = Random(f"{seed}:sizes")
        self._sizes = [512 * int(rng.lognormvariate(6, 1.3) + 8) for _ in range(1024)]
        self._salt = f"{seed}:".encode()
        self._words = words = {os: load(os) for os in sorted(systems)}
        self._digests = {os: blake2b(b"%b%b:" % (self._salt, os.encode())) for os in words}
        self._products = Products(seed)
        self.file = lru_cache(maxsize=4096)(self._file)
        """A file of the operating system or of a program, by operating system and path."""
        self.loads = lru_cache(maxsize=4096)(self._loads)
        """The libraries that a binary's process loads at its start, besides its own image."""
        self._owners = {os: _owners(one) for os, one in words.items()}
        self.programs = {
            os: [self._program(os, program) for program in one.programs]
            for os, one in words.items()
        }
        """One binary for each program: where a path has several, they are the same file."""
        self.weights = {
            # What nobody starts has been there since the endpoint started.
            os: [program.weight if program.parents else 0.0 for program in one.programs]
            for os, one in words.items()
        }
        """How often each of `programs` starts, beside the others."""
        self.libraries = {
            os: [self.file(os, path) for path in one.libraries] for os, one in words.items()
        }
        """What comes with each operating system."""
        self._usual = {os: _usual(one) for os, one in words.items()}
        self._named: dict[str, dict[str, Binary]] = {os: {} for os in words}
        for os, binaries in self.programs.items():
            for binary in (*binaries, *self.libraries[os]):
                self._named[os].setdefault(binary.filename, binary)
        self._arriving = {os: self._shelves(os, one.arrivals) for os, one in words.items()}
        self._minted = {os: self._shelves(os, self._stored(os)) for os in words}

    def named(self, os: str, filename: str) -> Binary:
        """The program with that file name, or the file of the operating system that carries it."""
        found = self._named[os].get(filename)
        return found or self.file(os, _SYSTEM_FOLDERS[os] + filename)

    def minted(self, os: str, number: int) -> Binary:
        """One of the many libraries that few processes load, by number."""
        return self._numbered(os, number, self._minted[os])

    def arriving(self, os: str, number: int) -> Binary:
        """A program or library that is new on an endpoint, by number."""
        return self._numbered(os, number, self._arriving[os])

    def malware(self, os: str, number: int, kind: str = "ransomware") -> Binary:
        """A program of nobody's for an operating system, by number: it is new, and unsigned."""
        digest = blake2b(self._salt + b"malware %d" % number).digest()
        some = [program for program in self._words[os].malware if program.kind == kind]
        return self._program(os, some[digest[0] % len(some)], digest)

    def _numbered(
        self, os: str, number: int, shelves: tuple[Sequence[_Release], Sequence[_Release]]
    ) -> Binary:
        digested = self._digests[os].copy()
        digested.update(b"%d" % number)
        digest = digested.digest()
        seldom, others = divmod(number % _ROUND, _APART)
        chosen = digest[48] << 16 | digest[49] << 8 | digest[52]
        if others or seldom >= len(_SELDOM):
            release = shelves[0][chosen % len(shelves[0])]
        else:
            rest = chosen - chosen % len(_SELDOM) + seldom
            release = shelves[1][rest % len(shelves[1])]
        path, filename = release.file(digest)
        size = self._sizes[digest[50] << 2 | digest[51] & 3]
        return Binary(digest, path, filename, release.product, size, release.description)

    def _shelves(
        self, os: str, arrivals: Sequence[Arrival]
    ) -> tuple[list[_Release], list[_Release]]:
        """Every version of what may come, and what comes now and then with a strange signature."""
        usual = [self._of(os, one, number) for one in arrivals for number in range(_RELEASES)]
        publishers = self._words[os].publishers
        seldom = [
            self._of(os, one, number, result)
            for number, one in enumerate(arrivals)
            if publishers[one.publisher].signs
            for result in _SELDOM
        ]
        return usual, seldom or usual

    def _of(self, os: str, arrival: Arrival, number: int, digsig: str = "") -> _Release:
        version, path = _later(arrival.version, number % _RELEASES), arrival.path
        if arrival.version:
            path = path.replace(arrival.version.split()[0], version.split()[0])
        wide = "(x86)" not in path and "\\syswow64\\" not in path
        publisher = self._words[os].publishers[arrival.publisher]
        product = self._products.release(
            os, publisher, arrival.product, version, arrival.executable, wide, digsig
        )
        return _Release(path, arrival.description, product)

    def _stored(self, os: str) -> list[Arrival]:
        """Other builds of the system's libraries, each in a folder of its own: a path is one file,
        however many there are.
        """
        words = self._words[os]
        root, (folder, store) = words.programs[0], _STORES[os]
        version = root.version.split()[0]
        return [
            Arrival(
                store.format(path=path, name=_filename(path), stem=_stem(path), version=version),
                root.publisher, root.product, _said_of(path), root.version, False, "",
            )
            for path in words.libraries if path.startswith(folder) and "." in path
        ]  # fmt: skip

    def _file(self, os: str, path: str) -> Binary:
        words = self._words[os]
        owner = self._owners[os].get(path, words.programs[0])
        digest = blake2b(self._salt + path.encode()).digest()
        wide = "\\syswow64\\" not in path and "(x86)" not in path
        executable = path.endswith(".exe") or "/bin/" in path or "/sbin/" in path
        product = self._products.release(
            os, words.publishers[owner.publisher], owner.product, owner.version, executable, wide
        )
        return self._at(digest, _after(path, path, digest), product, _said_of(path))

    def _program(self, os: str, program: Program, digest: bytes = b"") -> Binary:
        digest = digest or blake2b(self._salt + program.path.encode()).digest()
        wide = not any("\\syswow64\\" in library for library in program.libraries)
        product = self._products.release(
            os, self._words[os].publishers[program.publisher], program.product, program.version,
            True, wide,
        )  # fmt: skip
        program = _named_after(program, digest)
        return self._at(digest, program.path, product, program.description, program)

    def _at(
        self, digest: bytes, path: str, product: Product, said: str, program: Program | None = None
    ) -> Binary:
        size = self._sizes[digest[50] << 2 | digest[51] & 3]
        return Binary(digest, path, _filename(path), product, size, said, program)

    def _loads(self, binary: Binary) -> tuple[Binary, ...]:
        os, program = binary.os.lower(), binary.program
        if program is not None:
            paths = program.libraries
        else:
            paths = self._usual[os]
            if not binary.product.is_64bit:
                paths = tuple(path.replace("\\system32\\", "\\syswow64\\") for path in paths)
        return tuple([self.file(os, path) for path in paths])


def _filename(path: str) -> str:
    return path.rpartition("\\" if "\\" in path else "/")[2]


def _later(version: str, number: int) -> str:
    """A later version: its last number is higher by that many."""
    return _LAST_NUMBER.sub(lambda it: it[1] + str(int(it[2]) + number).zfill(len(it[2])), version)


def _stem(path: str) -> str:
    return _filename(path).rpartition(".")[0]


def _said_of(path: str) -> str:
    """What a library says of itself."""
    return f"{_stem(path) or _filename(path)} {'Driver' if path.endswith('.sys') else 'Module'}"


def _owners(words: Vocabulary) -> dict[str, Program]:
    """For each library that does not come with the system, a program that loads it."""
    system = frozenset(words.libraries)
    return {
        path: program
        for program in reversed(words.programs)
        for path in program.libraries
        if path not in system
    }


def _usual(words: Vocabulary) -> tuple[str, ...]:
    """What at least half of all programs load."""
    counts = Counter(path for program in words.programs for path in program.libraries)
    return tuple(path for path, count in counts.items() if 2 * count >= len(words.programs))


def _named_after(program: Program, digest: bytes) -> Program:
    """A program whose path has holes: they are filled, and what it does is called by the same."""
    if not HOLE.search(program.path):
        return program

    def known(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple([_after(program.path, text, digest) for text in texts])

    return replace(
        program, path=_after(program.path, program.path, digest), commands=known(program.commands),
        libraries=known(program.libraries), files=known(program.files), keys=known(program.keys),
    )  # fmt: skip


def _after(path: str, text: str, digest: bytes) -> str:
    """A text in which the holes that a path has too are filled, the same each time."""
    for kind in dict.fromkeys(HOLE.findall(path)):
        text = text.replace(f"{{{kind}}}", KINDS[kind](int.from_bytes(digest[8:16])))
    return text
