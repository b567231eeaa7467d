"""Binding keys of a topic exchange: `*` stands for one word, `#` for any number of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

__all__ = ["Topic"]


class Topic:
    """What a queue gets that is bound with some keys.

    >>> Topic(["watchlist.#", "feed.*.hit.process"]).matches("feed.12.hit.process")
    True
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = [_words(key) for key in keys]
        self._matches = lru_cache(maxsize=4096)(self._matched)

    def matches(self, routing_key: str) -> bool:
        """Whether a message with that routing key is routed to the queue."""
        return self._matches(routing_key)

    def _matched(self, routing_key: str) -> bool:
        words = _words(routing_key)
        return any(_is_matched(key, words) for key in self._keys)


def _words(key: str) -> list[str]:
    return key.split(".") if key else []


def _is_matched(key: Sequence[str], words: Sequence[str]) -> bool:
    """Keys come from anywhere, so all ways to match are gone at once, as far as each word."""
    places = _with_skipped(key, {0})
    for word in words:
        nexts = {place if key[place] == "#" else place + 1 for place in places
                 if place < len(key) and key[place] in ("#", "*", word)}  # fmt: skip
        places = _with_skipped(key, nexts)
    return len(key) in places


def _with_skipped(key: Sequence[str], places: set[int]) -> set[int]:
    """Places in a key, and those after each `#` there, which may stand for no word."""
    found = set(places)
    for place in places:
        while place < len(key) and key[place] == "#":
            place += 1
            if place in found:
                break
            found.add(place)
    return found
