"""Products: what the binaries of one release have in common, and who signed them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from random import Random

from cbsim.world.vocabulary import Publisher, ico, png

__all__ = ["Product", "Products"]

_OS_NAMES = {"windows": "Windows", "linux": "Linux", "osx": "Osx"}
_LATEST = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())
"""All was built and signed before: the usual start of a stream."""
_YEARS = 4
_COMMENTS = ("Flavor=Retail", "This file is part of {name}.", "Official release",
             "Built with Visual Studio 2022")  # fmt: skip
_BUILDS = ("Built by: release", "Built by: jenkins", "Built by: buildagent", "Release Build")
_MINUTE, _DAY = 60, 86_400
_BRANCH = re.compile(r"(?<=\d) \(.*\)$")
"""What a file's version says of its branch, and its product's does not."""


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """What the binaries of one product have in common."""

    os: str
    """As the server writes it: `Windows`, `Linux` or `Osx`."""
    company: str
    name: str
    version: str
    digsig: str
    comments: str
    private_build: str
    issuer: str
    """The authority that vouches for its publisher; empty where the sensor did not learn it."""
    signed_at: int
    """Unix time of its signature, a whole minute."""
    icon_seed: int
    """What its icon follows from; 0: it has none."""
    executable: bool
    """Programs rather than libraries."""
    is_64bit: bool

    @property
    def product_version(self) -> str:
        """The version without its branch."""
        return _BRANCH.sub("", self.version)

    @property
    def copyright(self) -> str:
        """Who made it."""
        return f"© {self.company.rstrip('.')}. All rights reserved." if self.company else ""

    @property
    def trademark(self) -> str:
        """Whose its name is."""
        if not self.name or not self.company:
            return ""
        return f"{self.name} is a trademark of {self.company.rstrip('.')}."

    @property
    def icon(self) -> bytes:
        """A small picture, as a file of its own; empty where it has none."""
        if not self.icon_seed:
            return b""
        return ico(self.icon_seed) if self.icon_seed % 4 == 0 else png(self.icon_seed)


class Products:
    """Every product of an estate. The same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.release = lru_cache(maxsize=None)(self._release)
        """A release by operating system, publisher, name, version, whether it is of programs and
        whether it is for 64 bits, and what became of its signature (empty: what its publisher does
        about it). There are as many as the vocabulary has.
        """

    def _release(
        self, os: str, publisher: Publisher, name: str, version: str, executable: bool,
        is_64bit: bool, digsig: str = "",
    ) -> Product:  # fmt: skip
        rng = Random(f"{self._seed}:{os}:{publisher.key}:{name}:{version}:{executable}:{digsig}")
        signed = rng.randrange(3 * _DAY, _YEARS * 365 * _DAY) // _MINUTE * _MINUTE
        return Product(
            os=_OS_NAMES[os],
            company=publisher.name,
            name=name,
            version=version,
            digsig=digsig or ("Signed" if publisher.signs else "Unsigned"),
            comments=rng.choice(_COMMENTS).format(name=name)
            if name and rng.random() < 0.12
            else "",
            private_build=rng.choice(_BUILDS) if rng.random() < 0.08 else "",
            issuer=publisher.issuer if rng.random() < 0.42 else "",
            signed_at=_LATEST - signed,
            icon_seed=rng.getrandbits(32) | 1 << 32 if rng.random() < 0.17 else 0,
            executable=executable,
            is_64bit=is_64bit,
        )
