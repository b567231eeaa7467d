"""A binary: a file that can be run or loaded, and how much of it the server has."""

from __future__ import annotations

from itertools import pairwise

from cbsim.world.product import Product
from cbsim.world.vocabulary import Program

__all__ = ["Binary"]

_DAY = 86_400
_IN_PART = 36
"""Of 256 binaries, so many are not copied whole."""
_QUANTILES = ((0.0, 0.08), (0.05, 0.11), (0.25, 0.32), (0.5, 0.46), (0.75, 0.55), (0.95, 0.75),
              (1.0, 0.9))  # fmt: skip
"""Shares of binaries, and the share of its size that such a one's zip has (captured)."""
_SHARES = [
    low + (number / 256 - share) / (more - share) * (high - low)
    for number in range(256)
    for (share, low), (more, high) in pairwise(_QUANTILES)
    if share <= number / 256 < more
]
"""The same for each of 256 binaries."""


class Binary:
    """A file that can be run or loaded. Everything about it follows from its path and a digest."""

    __slots__ = ("_hex", "description", "filename", "md5", "path", "product", "program", "sha256",
                 "size")  # fmt: skip

    def __init__(
        self, digest: bytes, path: str, filename: str, product: Product, size: int,
        description: str, program: Program | None = None,
    ) -> None:  # fmt: skip
        self.sha256, self.md5 = digest[:32], digest[32:48]
        self.path, self.product, self.size = path, product, size
        """`{user}` in its path stands for whose endpoint it is on: see `at`."""
        self.filename = filename
        """The last part of its path."""
        self.program = program
        self.description = description
        """What its version resource says of it."""
        self._hex = b""

    def at(self, user: str) -> str:
        """Its path on an endpoint of that user's."""
        return self.path.replace("{user}", user) if "{" in self.path else self.path

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
    def copied(self) -> int:
        """How many of its bytes the server has: of one in seven not all (captured: 57 of 408)."""
        part = self.md5[1]
        return self.size * part // _IN_PART if part < _IN_PART else self.size

    @property
    def compressed(self) -> int:
        """The size of the server's zip of it."""
        return int(self.size * _SHARES[self.md5[2]]) + 120

    @property
    def os(self) -> str:
        """`Windows`, `Linux` or `Osx`."""
        return self.product.os

    @property
    def built_at(self) -> int:
        """Unix time of its compilation: within the month before its product was signed."""
        return self.product.signed_at - 60 - int.from_bytes(self.sha256[:4]) % (30 * _DAY)
