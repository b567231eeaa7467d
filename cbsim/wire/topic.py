"""Binding keys of a topic exchange: `*` stands for one word, `#` for any number of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

__all__ = ["Topic"]


class Topic:
    """What a queue gets that is bound with some keys.

    >>> Topic(["watchlist.#", "feed.*.hit.process"]).matches("feed.12.hit.process")
    True
    """

    def __init__(self, keys: Iterable[str]) -> None:
        pattern = "|".join(map(_pattern, keys))
        self._match = lru_cache(maxsize=4096)(re.compile(f"(?:{pattern})").fullmatch)

    def matches(self, routing_key: str) -> bool:
        """Whether a message with that routing key is routed to the queue."""
        return self._match(f".{routing_key}" if routing_key else "") is not None


def _pattern(key: str) -> str:
    """Every word is matched with the dot before it, so that `#` may stand for none."""
    if not key:
        return ""
    words = {"*": r"\.[^.]*", "#": r"(?:\.[^.]*)*"}
    return "".join(words.get(word, r"\." + re.escape(word)) for word in key.split("."))
