"""What a queue is bound to, as people write it: a key, an exchange, or both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from cbsim.errors import InputError
from cbsim.wire.message import EVENTS_EXCHANGE, RAW_EXCHANGE
from cbsim.wire.topic import Topic

__all__ = ["ALL", "Binding", "Bindings"]

ALL = "#"
"""Everything on both exchanges of a server."""


class Binding(NamedTuple):
    """A queue's binding."""

    exchange: str
    key: str
    """Of a fanout exchange it means nothing."""


class Bindings:
    """What a queue is bound to. Raises InputError for nothing, and for what is no binding.

    | as written | what it is |
    | --- | --- |
    | `#` | everything: all events, and the bundles |
    | `watchlist.#` | a key of `api.events` |
    | `api.events`, `api.rawsensordata` | all of that exchange |
    | `EXCHANGE/KEY` | a key of any exchange |

    A plain text is one of these. `called` gives the names that the server's exchanges have on a
    broker where they have others; they may be written either way.

    >>> raw = Bindings("api.rawsensordata")
    >>> raw.takes("api.rawsensordata", ""), raw.takes("api.events", "feed.synchronized")
    (True, False)
    """

    def __init__(
        self, written: str | Iterable[str] = ALL, called: Mapping[str, str] | None = None
    ) -> None:
        self.written = (written,) if isinstance(written, str) else tuple(written)
        self._called = called or {}
        standard = {name: exchange for exchange, name in self._called.items()}
        found = [
            binding._replace(exchange=standard.get(binding.exchange, binding.exchange))
            for text in self.written
            for binding in _read(text, standard)
        ]
        if not found:
            raise InputError("no binding: expected a key such as watchlist.#, or an exchange")
        self._found = tuple(dict.fromkeys(found))
        keys: dict[str, list[str]] = {}
        for exchange, key in self._found:
            keys.setdefault(exchange, []).append(key)
        self._topics = {
            exchange: Topic([ALL] if exchange == RAW_EXCHANGE else some)
            for exchange, some in keys.items()
        }

    def __iter__(self) -> Iterator[Binding]:
        """Each binding, under the name that its exchange has on the broker."""
        for exchange, key in self._found:
            yield Binding(self._called.get(exchange, exchange), key)

    def __str__(self) -> str:
        return ", ".join(self.written)

    def takes(self, exchange: str, routing_key: str) -> bool:
        """Whether the queue gets what is published so, under the server's own exchange names."""
        topic = self._topics.get(exchange)
        return topic is not None and topic.matches(routing_key)


def _read(text: str, standard: Mapping[str, str]) -> list[Binding]:
    exchange, slash, key = text.partition("/")
    if not exchange:
        raise InputError(f"binding {text!r}: expected KEY, EXCHANGE or EXCHANGE/KEY")
    if text == ALL:
        return [Binding(EVENTS_EXCHANGE, ALL), Binding(RAW_EXCHANGE, "")]
    if slash or exchange in (EVENTS_EXCHANGE, RAW_EXCHANGE, *standard):
        raw = standard.get(exchange, exchange) == RAW_EXCHANGE
        return [Binding(exchange, "" if raw else key if slash else ALL)]
    return [Binding(EVENTS_EXCHANGE, text)]
