"""Bytes that are nearly what a reader expects."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

__all__ = ["mutated"]

_TOKENS = (
    b"\x1b[31m", b"\x1b]0;evil\x07", "\u202e\u0085\u009b".encode(), b'"\\ud800"', b'"\\u001b[2J"',
    b"\xff\xfe", b"\x00", b"\n", b"nan", b"NaN", b"inf", b"-inf", b".inf", b"1e308", b"-1e308",
    b"1e999", b"1e33", b"-1", b"0", b"null", b"true", b"{}", b"[1]", b'{"a": [1]}', b'""',
    b"18446744073709551616", b"9" * 5000, b"[" * 300, b"[" * 300 + b"]" * 300, b'{"a":' * 200,
    b"<6> host x: ", b"LEEF:2.0|", b"PK\x03\x04", b"\x1f\x8b", b",", b":", b'"', b"\\", b"%00",
    b"2024-13-45", b"!!int abc", b"&a", b"*a", b"$..*", b"$[?match(@, 'a')]", b"@", b"/", b"#",
)  # fmt: skip
"""What readers stumble over."""
_LONGEST = 1 << 20
"""Bytes of an input; repeats could make it any size."""


def mutated(seeds: Sequence[bytes], random: Random) -> bytes:
    """One of the seeds with a few edits: flipped bits, pieces put in, taken out, said again.

    With a `random` of Hypothesis' (`strategies.randoms`) what it gives can be shrunk.
    """
    data = random.choice(seeds)
    for _ in range(random.randint(1, 5)):
        data = _edited(data, random)
    return data[:_LONGEST]


def _edited(data: bytes, random: Random) -> bytes:
    at, length = random.randint(0, len(data)), random.randint(0, 64)
    before, piece, after = data[:at], data[at : at + length], data[at + length :]
    match random.choice(("flip", "insert", "replace", "delete", "repeat", "swap")):
        case "insert":
            return before + _text(random) + piece + after
        case "replace":
            return before + _text(random) + after
        case "delete":
            return before + after
        case "repeat":
            return before + piece * (length + 1) + after
        case "swap":
            return before + after[:length] + piece + after[length:]
        case _:
            flipped = bytes([data[at] ^ 1 << random.randint(0, 7)]) if at < len(data) else b""
            return before + flipped + data[at + 1 :]


def _text(random: Random) -> bytes:
    if random.random() < 0.5:
        return random.choice(_TOKENS)
    return bytes(random.randint(0, 255) for _ in range(random.randint(1, 8)))
