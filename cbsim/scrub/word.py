"""Stand-ins for words: as long, letters for letters of the same case, digits for digits."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from string import ascii_lowercase, digits

from cbsim.scrub.kept import KEPT
from cbsim.scrub.permutation import Permutation

__all__ = ["Words"]

_LONGEST = 48
"""Characters of a part of a word; of a longer word each part has a stand-in of its own."""
_BEYOND = (
    "",
    ascii_lowercase,
    "αβγδεζηθικλμνξοπρστυφχψω",
    "".join(map(chr, range(0x4E00, 0x4F00))),
    "".join(map(chr, range(0x20000, 0x20100))),
)
"""What stands for characters beyond ASCII, by the bytes that one takes in UTF-8."""


class Words:
    """Gives each word its stand-in; the same whatever the case of its letters."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._permutations: dict[str, Permutation] = {}
        self._of_part = lru_cache(maxsize=1 << 16)(self._found)

    def stand_in(self, word: str) -> str:
        """The stand-in of a word without spaces and punctuation; a word of KEPT stands for itself.

        Different words of ASCII characters have different ones.
        """
        lower = word.lower()
        if lower in KEPT or len(lower) != len(word):
            return word if lower in KEPT else self._in_parts(word)
        return "".join(map(_in_case, self._in_parts(lower), word))

    def _in_parts(self, word: str) -> str:
        if len(word) <= _LONGEST:
            return self._of_part(word)
        return "".join(
            self._of_part(word[at : at + _LONGEST]) for at in range(0, len(word), _LONGEST)
        )

    def _found(self, word: str) -> str:
        if not word.isascii():
            return self._hashed(word)
        alphabets = [digits if character.isdigit() else ascii_lowercase for character in word]
        permutation = self._permutation(alphabets)
        number = 0
        for character, alphabet in zip(word, alphabets, strict=True):
            number = number * len(alphabet) + alphabet.index(character)
        found = ""
        while not found or found in KEPT:
            number = permutation(number)
            found = _written(number, alphabets)
        return found

    def _permutation(self, alphabets: list[str]) -> Permutation:
        shape = "".join(alphabet[0] for alphabet in alphabets)
        if shape not in self._permutations:
            size = 1
            for alphabet in alphabets:
                size *= len(alphabet)
            key = blake2b(shape.encode(), digest_size=32, key=self._key).digest()
            self._permutations[shape] = Permutation(key, size)
        return self._permutations[shape]

    def _hashed(self, word: str) -> str:
        """For a word that is not all ASCII: there are too many to keep every two apart for sure."""
        told = blake2b(word.encode("utf-8", "surrogatepass"), key=self._key).digest()
        number = int.from_bytes(told, "big")
        found = []
        for character in word:
            alphabet = digits if character in digits else _beyond(character)
            choices = alphabet.replace(character, "")
            number, place = divmod(number, len(choices))
            found.append(choices[place])
        return "".join(found)


def _written(number: int, alphabets: list[str]) -> str:
    found = []
    for alphabet in reversed(alphabets):
        number, place = divmod(number, len(alphabet))
        found.append(alphabet[place])
    return "".join(reversed(found))


def _beyond(character: str) -> str:
    return _BEYOND[len(character.encode("utf-8", "surrogatepass"))]


def _in_case(found: str, written: str) -> str:
    return found.upper() if written.isupper() else found
