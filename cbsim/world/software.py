"""Software of the estate: products, and the binaries that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from random import Random

from cbsim.catalog import DIGSIG_RESULTS
from cbsim.world.first_vocabulary import MALWARE, MODULES, PROGRAMS, Program

__all__ = ["Binary", "Product", "Software"]

_OS_NAMES = {"windows": "Windows", "linux": "Linux", "osx": "Osx"}
_LIBRARIES = {"windows": ".dll", "linux": ".so", "osx": ".dylib"}
_PROGRAMS = {"windows": ".exe", "linux": "", "osx": ""}
_PRODUCTS = 64
_APPLE = "Developer ID Certification Authority"
_AUTHORITIES = ("VeriSign Class 3 Code Signing 2010 CA", "Thawte Code Signing CA - G2",
                "DigiCert SHA2 Assured ID Code Signing CA", "GlobalSign CodeSigning CA - G2",
                "COMODO RSA Code Signing CA")  # fmt: skip
_SIGNED: Sequence[float] = (9, 1, 0, 0, 0, 0, 0, 0)
_SELDOM = tuple(result for result in DIGSIG_RESULTS if result not in ("Signed", "Unsigned"))
_ROUND, _APART = 83, 13
"""Of so many new binaries in a row one has each of these results. It is a prime, or the shards of a
run, which number theirs in steps, would not meet them all."""
_UNSIGNED: Sequence[float] = (0, 1, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """What the binaries of one product have in common."""

    os: str
    """As the server writes it: `Windows`, `Linux` or `Osx`."""
    company: str
    name: str
    folder: str
    """Where its files are, and how their names begin."""
    stem: str
    """How their names begin."""
    version: str
    digsig: str
    comments: str
    private_build: str
    issuer: str
    icon: bytes
    executable: bool
    """Programs rather than libraries."""
    is_64bit: bool
    extension: str

    @property
    def product_version(self) -> str:
        """The version without its branch."""
        return self.version.partition(" ")[0]

    @property
    def copyright(self) -> str:
        """Who made it."""
        return f"© {self.company}. All rights reserved." if self.company else ""


class Binary:
    """A file that can be run or loaded. Everything about it follows from its path and a digest."""

    __slots__ = ("_hex", "filename", "md5", "path", "product", "program", "sha256", "size")

    def __init__(
        self, digest: bytes, path: str, filename: str, product: Product, size: int,
        program: Program | None = None,
    ) -> None:  # fmt: skip
        self.sha256, self.md5 = digest[:32], digest[32:48]
        self.path, self.product, self.size = path, product, size
        self.filename = filename
        """The last part of its path."""
        self.program = program
        self._hex = b""

    @property
    def hex(self) -> bytes:
        """Its MD5 as notifications of binaries have it: upper-case hex."""
        if not self._hex:
            self._hex = self.md5.hex().upper().encode()
        return self._hex

    @property
    def hashed(self) -> bytes:
        """Its SHA-256 as the server has it; of one in sixteen it has none."""
        return self.sha256 if self.md5[0] & 15 else b""

    @property
    def os(self) -> str:
        """`Windows`, `Linux` or `Osx`."""
        return self.product.os

    @property
    def description(self) -> str:
        """What its version resource says of it."""
        if self.product.folder:
            return self.product.name
        stem = self.filename.partition(".")[0]
        return f"{stem.title()} Module"


class Software:
    """Every binary of the estate, by path or by number. The same seed gives the same ones."""

    def __init__(self, seed: int, companies: Sequence[str], words: Sequence[str]) -> None:
        self._seed, self._companies, self._words = seed, companies, words
        rng = Random(f"{seed}:sizes")
        self._sizes = [512 * int(rng.lognormvariate(6, 1.3) + 8) for _ in range(1024)]
        self._salt = f"{seed}:".encode()
        self._digests = {os: blake2b(b"%b%b:" % (self._salt, os.encode())) for os in MODULES}
        self._third_party = lru_cache(maxsize=None)(self._product_numbered)
        self._system = lru_cache(maxsize=None)(self._product_named)
        self.file = lru_cache(maxsize=64)(self._file)
        """A file of the operating system, by operating system and path."""
        self.programs = {
            os: [self._program(one, os) for one in programs] for os, programs in PROGRAMS.items()
        }
        self.libraries = {os: [self._file(os, path) for path in MODULES[os]] for os in MODULES}

    def minted(self, os: str, number: int) -> Binary:
        """A third-party binary for an operating system, by number."""
        digested = self._digests[os].copy()
        digested.update(b"%d" % number)
        digest = digested.digest()
        seldom, others = divmod(number % _ROUND, _APART)
        usual = others or seldom >= len(_SELDOM)
        product = self._third_party(os, digest[48] % _PRODUCTS if usual else _PRODUCTS + seldom)
        size, name = self._sizes[digest[50] << 2 | digest[51] & 3], f"{number}{product.extension}"
        return Binary(digest, product.folder + name, product.stem + name, product, size)

    def malware(self, os: str, number: int) -> Binary:
        """A program of nobody's for an operating system, by number: it is new, and unsigned."""
        template = MALWARE[os]
        name = blake2b(b"%b%d" % (self._salt, number), digest_size=4).hexdigest()
        path, *commands = (one.replace("{h}", name) for one in (template.path, *template.commands))
        program = replace(template, path=path, commands=tuple(commands))
        return self._at(os, path, program.company, program.product, program)

    def _file(self, os: str, path: str) -> Binary:
        company = {"windows": "Microsoft Corporation", "osx": "Apple Inc."}.get(os, "")
        name = "Microsoft® Windows® Operating System" if os == "windows" else "System"
        return self._at(os, path, company, name)

    def _program(self, program: Program, os: str) -> Binary:
        return self._at(os, program.path, program.company, program.product, program)

    def _at(
        self, os: str, path: str, company: str, name: str, program: Program | None = None
    ) -> Binary:
        digest = blake2b(self._salt + path.encode()).digest()
        size = self._sizes[digest[50] << 2 | digest[51] & 3]
        product = self._system(os, company, name)
        filename = path.rpartition("\\" if os == "windows" else "/")[2]
        return Binary(digest, path, filename, product, size, program)

    def _product_numbered(self, os: str, number: int) -> Product:
        rng = Random(f"{self._seed}:{os}:product {number}")
        company, word = rng.choice(self._companies), rng.choice(self._words)
        maker = company.split()[0].strip(",").lower()
        folder = {
            "windows": rf"c:\program files\{maker}\{word}",
            "linux": f"/opt/{maker}/lib{word}-",
            "osx": f"/library/{maker}/lib{word}.",
        }[os]
        odds = _UNSIGNED if os == "linux" else _SIGNED
        if number >= _PRODUCTS and os != "linux":
            odds = [result == _SELDOM[number - _PRODUCTS] for result in DIGSIG_RESULTS]
        name, executable = f"{maker.title()} {word.title()}", rng.random() < 0.2
        return _product(rng, odds, os, company, name, folder, executable=executable)

    def _product_named(self, os: str, company: str, name: str) -> Product:
        rng, odds = Random(f"{self._seed}:{os}:{company}:{name}"), _UNSIGNED
        if company and os != "linux":
            odds = (1, 0, 0, 0, 0, 0, 0, 0)
        return _product(rng, odds, os, company, name, "", executable=True)


def _issuer(os: str, company: str) -> str:
    """Who vouches for what a company signs: the system's maker, or an authority that sells it."""
    if os == "osx":
        return "Apple Code Signing Certification Authority" if company == "Apple Inc." else _APPLE
    if company == "Microsoft Corporation":
        return "Microsoft Windows Production PCA 2011"
    return _AUTHORITIES[len(company) % len(_AUTHORITIES)]


def _product(
    rng: Random,
    odds: Sequence[float],
    os: str,
    company: str,
    name: str,
    folder: str,
    *,
    executable: bool,
) -> Product:
    version = f"{rng.randrange(1, 12)}.{rng.randrange(10)}"
    version += f".{rng.randrange(20000)}.{rng.randrange(20000)}"
    branch = os == "windows" and company == "Microsoft Corporation"
    return Product(
        os=_OS_NAMES[os],
        company=company,
        name=name,
        folder=folder,
        stem=folder.rpartition("\\" if os == "windows" else "/")[2],
        version=version + (" (winblue_ltsb.150928-1002)" if branch else ""),
        digsig=rng.choices(tuple(DIGSIG_RESULTS), odds)[0],
        comments=f"{name} component" if rng.random() < 0.12 else "",
        private_build=f"build {rng.randrange(10**4)}" if rng.random() < 0.08 else "",
        issuer=_issuer(os, company) if rng.random() < 0.42 else "",
        icon=b"\x89PNG\r\n\x1a\n" + rng.randbytes(rng.randrange(800, 6000))
        if rng.random() < 0.17
        else b"",
        executable=executable,
        # What comes with the system is built for it; of the rest, many are not (captured: 2 in 5).
        is_64bit=folder == "" or rng.random() < 0.55,
        extension=(_PROGRAMS if executable else _LIBRARIES)[os],
    )
