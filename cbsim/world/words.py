"""What stands in the holes of the vocabulary's templates: hashes, numbers, GUIDs, words, dates."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from random import Random

__all__ = ["HOLE", "KINDS", "WIDTHS", "WORDS", "filled", "guid", "pool"]

HOLE = re.compile(r"\{(hex|number|guid|word|date)\}")
"""What differs from one time to the next. `{user}`, `{sid}` and `{host}` follow from who it is."""
_ANY = re.compile(r"\{(hex|number|guid|word|date|user|sid|host)\}")

WORDS = tuple(
    """agenda annual assets audits backup budget claims client credit design estate export grants
    import layout ledger market master matrix merger orders payout policy prices quotes refund
    report review roster salary survey vendor""".split()
)
"""Words of documents' names. All have six letters: a path with one is as long as another."""

WIDTHS: Mapping[str, int] = {"hex": 8, "number": 4, "guid": 38, "word": 6, "date": 8}
"""How many characters each of them has in a path."""

_MASK = (1 << 64) - 1


def guid(digits: str) -> str:
    """Thirty-two hex digits as the registry writes a GUID."""
    parts = digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]
    return f"{{{'-'.join(parts)}}}"


def _date(number: int) -> str:
    """A day of the autumn before the stream's usual start."""
    return f"2023{10 + number % 3}{number // 3 % 30 + 1:02d}"


KINDS: Mapping[str, Callable[[int], str]] = {
    "hex": lambda bits: f"{bits & 0xFFFFFFFF:08x}",
    "number": lambda bits: str(1000 + bits % 9000),
    "guid": lambda bits: guid(f"{_mixed(bits, 1):016x}{_mixed(bits, 2):016x}"),
    "word": lambda bits: WORDS[bits % len(WORDS)],
    "date": _date,
}
"""What each of them is, by 64 random bits."""


def _mixed(bits: int, number: int) -> int:
    """Other 64 bits, that follow from those."""
    mixed = (bits ^ number * 0x9E3779B97F4A7C15) * 0xBF58476D1CE4E5B9 & _MASK
    return (mixed ^ mixed >> 31) * 0x94D049BB133111EB & _MASK


def filled(template: str, bits: int, known: Mapping[str, str]) -> str:
    """A command line with all its holes filled. Words are the same in one text, the rest is not."""
    if "{" not in template:
        return template
    count = 0

    def fill(hole: re.Match[str]) -> str:
        nonlocal count
        name = hole[1]
        if name in known:
            return known[name]
        if name not in KINDS:
            return hole[0]
        count += 1
        found = KINDS[name](_mixed(bits, 0 if name == "word" else count) >> 8)
        # Files and keys are in lower case on Windows; what is typed is as the registry has it.
        return found.upper() if name == "guid" else found

    return _ANY.sub(fill, template)


def pool(rng: Random, kind: str, size: int) -> list[bytes]:
    """So many fillings of a kind, all as long as `WIDTHS` says."""
    fill = KINDS[kind]
    return [fill(rng.getrandbits(64)).encode() for _ in range(size)]
