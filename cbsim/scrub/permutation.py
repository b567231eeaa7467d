"""A keyed permutation of numbers that leaves none where it was."""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["Permutation"]

_ROUNDS = 6


class Permutation:
    """A permutation of 0 to `size` - 1, one cycle through all of them.

    Different numbers stay different, and of two or more none stays itself.
    """

    def __init__(self, key: bytes, size: int) -> None:
        self._key, self._size = key, size
        self._half = max(1, ((size - 1).bit_length() + 1) // 2)
        self._mask = (1 << self._half) - 1

    def __call__(self, number: int) -> int:
        """Where a number goes.

        >>> sorted(map(Permutation(b"secret", 10), range(10))) == [*range(10)]
        True
        """
        # The numbers in an order that only the key tells: each goes where the next one is.
        return self._unmixed((self._mixed(number) + 1) % self._size)

    def _mixed(self, number: int) -> int:
        """A Feistel network, walked until it is back among the numbers."""
        while True:
            left, right = number >> self._half, number & self._mask
            for turn in range(_ROUNDS):
                left, right = right, left ^ self._round(turn, right)
            number = left << self._half | right
            if number < self._size:
                return number

    def _unmixed(self, number: int) -> int:
        while True:
            left, right = number >> self._half, number & self._mask
            for turn in reversed(range(_ROUNDS)):
                left, right = right ^ self._round(turn, left), left
            number = left << self._half | right
            if number < self._size:
                return number

    def _round(self, turn: int, half: int) -> int:
        data = half.to_bytes((self._half + 7) // 8, "big")
        length = min(64, (self._half + 7) // 8)
        digest = blake2b(data, digest_size=length, key=self._key, salt=bytes([turn])).digest()
        while len(digest) * 8 < self._half:
            digest += blake2b(digest, key=self._key, salt=bytes([turn])).digest()
        return int.from_bytes(digest, "big") & self._mask
