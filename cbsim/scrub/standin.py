"""Stand-ins for texts, digests and addresses: of the same shape, the same each time."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b, shake_256

from cbsim.scrub.permutation import Permutation
from cbsim.scrub.word import Words

__all__ = ["StandIns"]

_WORD = r"(?:[A-Za-z0-9]|[^\x00-\x7f])+"
_DIGEST = r"(?<![A-Za-z0-9])(?:[0-9A-Fa-f]{64}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{32})(?![A-Za-z0-9])"
_IPV4 = r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])"
_IPV6 = r"(?<![\w:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])"
_TOKEN = re.compile(f"(?P<digest>{_DIGEST})|(?P<ipv4>{_IPV4})|(?P<ipv6>{_IPV6})|(?P<word>{_WORD})")
_OCTETS = ((0, 10), (10, 100), (100, 256))
"""Octets that are written with one, two and three digits: the first, and the first of the next."""
_GROUPS = ((0x1, 0x10), (0x10, 0x100), (0x100, 0x1000), (0x1000, 0x10000))


class StandIns:
    """Gives what names something its stand-in, as a secret tells.

    What is the same has the same one wherever it stands: a file's name at the end of its path, an
    address as text and as a number, a digest in either case and in binary.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = blake2b(secret, digest_size=32, person=b"cbsim scrub").digest()
        self._words, self._digests = Words(self._of("words")), self._of("digests")
        self._octets = lru_cache(maxsize=1 << 16)(self._octet)

    def text(self, text: str) -> str:
        """A text as long, in which every word, digest and address has its stand-in."""
        return _TOKEN.sub(self._token, text)

    def around(self, kept: re.Pattern[str], text: str) -> str:
        """The same, but for what matches a pattern and stays."""
        pieces, at = [], 0
        for match in kept.finditer(text):
            pieces += [self.text(text[at : match.start()]), match[0]]
            at = match.end()
        return "".join([*pieces, self.text(text[at:])])

    def digest(self, digest: bytes) -> bytes:
        """A digest as long; one that is all zeros, or empty, says that there is none."""
        if not any(digest):
            return digest
        return shake_256(self._digests + digest).digest(len(digest))

    def hex_digits(self, text: str) -> str:
        """A digest, or any identity in hex digits, in which dashes and the case stay."""
        bare = text.replace("-", "")
        if len(bare) % 2:
            return text if set(bare) <= {"0"} else self.text(text)
        found = self.digest(bytes.fromhex(bare)).hex()
        digits = iter(found if bare == bare.lower() else found.upper())
        return "".join(mark if mark == "-" else next(digits) for mark in text)

    def ipv4(self, address: bytes) -> bytes:
        """Of the four bytes of an address, in order; addresses near each other stay so."""
        if address in (b"\0\0\0\0", b"\x7f\0\0\1", b"\xff\xff\xff\xff"):
            return address
        return bytes(self._octets(address[:place], octet) for place, octet in enumerate(address))

    def ipv6(self, address: bytes) -> bytes:
        """Of the sixteen bytes of an address, or the eight of a half, in order."""
        groups = (address[at : at + 2] for at in range(0, len(address), 2))
        return b"".join(map(self._group, groups))

    def _token(self, match: re.Match[str]) -> str:
        text, kind = match[0], match.lastgroup
        if kind == "digest":
            return self.hex_digits(text)
        if kind == "ipv4":
            octets = [int(part) for part in text.split(".")]
            if max(octets) < 256 and text == ".".join(map(str, octets)):
                return ".".join(map(str, self.ipv4(bytes(octets))))
        if kind == "ipv6":
            return ":".join(map(self._hex_group, text.split(":")))
        if kind == "word":
            return self._words.stand_in(text)
        return re.sub(_WORD, lambda word: self._words.stand_in(word[0]), text)

    def _octet(self, before: bytes, octet: int) -> int:
        first, after = next(span for span in _OCTETS if octet < span[1])
        permutation = Permutation(self._of(f"ipv4 {before.hex()} {first}"), after - first)
        return first + permutation(octet - first)

    def _group(self, group: bytes) -> bytes:
        number = int.from_bytes(group, "big")
        if not number:
            return group
        first, after = next(span for span in _GROUPS if number < span[1])
        permutation = Permutation(self._of(f"ipv6 {first}"), after - first)
        return (first + permutation(number - first)).to_bytes(2, "big")

    def _hex_group(self, text: str) -> str:
        if not text:
            return text
        found = self._group(int(text, 16).to_bytes(2, "big")).hex()[-len(text) :]
        return found if text == text.lower() else found.upper()

    def _of(self, purpose: str) -> bytes:
        return blake2b(purpose.encode(), digest_size=32, key=self._key).digest()
