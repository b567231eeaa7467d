"""What the searches of watchlists found before, which a later search may find again."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

__all__ = ["Document", "Found"]

_MOST = 64
"""How many documents are kept for a watchlist."""
_ALONE, _FEW = 0.84, 0.99
"""How many searches find one document, and how many no more than five; the rest find dozens."""


class Document(NamedTuple):
    """A document of a hit."""

    identity: bytes
    """The `unique_id` of a process, the MD5 of a binary, as it stands between quotes."""
    written: bytes
    """The JSON object."""
    match: bytes
    """Where the query matched, as it stands between quotes."""


class Found:
    """Keeps the latest documents of each watchlist's hits. What it holds does not grow."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._known: dict[int, dict[bytes, Document]] = {}

    def search(self, watchlist: int, document: Document) -> list[Document]:
        """What a watchlist's search finds: this one first, then others that it found before."""
        known = self._known.setdefault(watchlist, {})
        known.pop(document.identity, None)
        found, more = [document], self._more()
        if more:
            found += [*known.values()][-more:]
        known[document.identity] = document
        if len(known) > _MOST:
            del known[next(iter(known))]
        return found

    def _more(self) -> int:
        odds = self._rng.random()
        if odds < _ALONE:
            return 0
        return self._rng.randrange(1, 5) if odds < _FEW else self._rng.randrange(10, _MOST)
