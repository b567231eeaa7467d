"""Exchanges: which bindings a routing key, or a message's headers, match."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from cbsim.bus.embedded.error import command_invalid, precondition_failed
from cbsim.bus.embedded.table import Field

if TYPE_CHECKING:
    from cbsim.bus.embedded.queue import Queue

__all__ = ["Binding", "Exchange", "Headers", "exchange_of"]

Headers = Callable[[], Mapping[str, Field]]
"""The headers of the message at hand, decoded when an exchange asks for them."""
_NONE: Mapping[str, Field] = MappingProxyType({})


class Binding(NamedTuple):
    """A destination, and what it is bound with."""

    destination: Queue | Exchange
    key: str
    arguments: Mapping[str, Field]
    size: int = 0
    """Of its declaration, in bytes."""

    @property
    def identity(self) -> tuple[object, ...]:
        """Two bindings with the same identity are one."""
        return (id(self.destination), self.key, repr(sorted(self.arguments.items())))


class Exchange:
    """One exchange; its kind says what matches."""

    kind = ""
    by_headers = False
    """Whether routes depend on more than the routing key."""

    def __init__(
        self,
        name: str,
        *,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
        arguments: Mapping[str, Field] = _NONE,
        size: int = 0,
    ) -> None:
        self.name = name
        self.durable = durable
        self.auto_delete = auto_delete
        self.internal = internal
        self.arguments = arguments
        self.size = size
        """Of its declaration, in bytes."""
        self.bindings: dict[tuple[object, ...], Binding] = {}

    @property
    def alternate(self) -> str | None:
        """The exchange that gets what nothing here matches."""
        found = self.arguments.get("alternate-exchange")
        return None if found is None else found.text

    def bind(self, binding: Binding) -> None:
        """Add a binding that is not there."""
        self.bindings[binding.identity] = binding
        self._added(binding)

    def unbind(self, binding: Binding) -> Binding:
        """Remove a binding that is there."""
        found = self.bindings.pop(binding.identity)
        self._removed(found)
        return found

    def forget(self, destinations: Collection[Queue | Exchange]) -> list[Binding]:
        """Remove all bindings to some destinations."""
        bindings = self.bindings.values()
        gone = [binding for binding in bindings if binding.destination in destinations]
        return [self.unbind(binding) for binding in gone]

    def check(self, binding: Binding) -> None:
        """Raises AmqpError for a binding that this kind does not take."""

    def match(self, key: str, headers: Headers) -> Iterable[Queue | Exchange]:
        """The destinations, some perhaps more than once."""
        raise NotImplementedError

    def _added(self, binding: Binding) -> None:
        """Keep an index of the bindings."""

    def _removed(self, binding: Binding) -> None:
        """Keep an index of the bindings."""


class _Fanout(Exchange):
    kind = "fanout"

    def match(self, key: str, headers: Headers) -> Iterable[Queue | Exchange]:
        del key, headers
        return [one.destination for one in self.bindings.values()]


class _Direct(Exchange):
    kind = "direct"

    def match(self, key: str, headers: Headers) -> Iterable[Queue | Exchange]:
        del headers
        return [one.destination for one in self.bindings.values() if one.key == key]


class _Headers(Exchange):
    kind = "headers"
    by_headers = True

    def check(self, binding: Binding) -> None:
        found = binding.arguments.get("x-match")
        if found is None or (found.kind == "S" and found.text in _MATCHES):
            return
        if found.kind != "S":
            raise precondition_failed(
                f"Invalid x-match field type {found.type_name} (value {found.shown}); "
                "expected longstr"
            )
        raise precondition_failed(
            f"Invalid x-match field value {found.shown}; "
            "expected all, any, all-with-x, or any-with-x"
        )

    def match(self, key: str, headers: Headers) -> Iterable[Queue | Exchange]:
        del key
        given = headers()
        return [one.destination for one in self.bindings.values() if _matches(one.arguments, given)]


_MATCHES = ("all", "any", "all-with-x", "any-with-x")


def _matches(wanted: Mapping[str, Field], given: Mapping[str, Field]) -> bool:
    match = wanted["x-match"].text or "" if "x-match" in wanted else "all"
    every = all if match.startswith("all") else any
    return every(
        name in given and (value.kind == "V" or value.equals(given[name]))
        for name, value in wanted.items()
        if name != "x-match" and (match.endswith("-with-x") or not name.startswith("x-"))
    )


class _Node:
    """A word of the patterns: what may follow it, and the bindings that end here."""

    __slots__ = ("bindings", "following")

    def __init__(self) -> None:
        self.following: dict[str, _Node] = {}
        self.bindings: dict[tuple[object, ...], Binding] = {}


class _Topic(Exchange):
    """Patterns of words between dots: `*` stands for one word, `#` for any number of them."""

    kind = "topic"

    def __init__(self, name: str, **settings: Any) -> None:
        super().__init__(name, **settings)
        self._patterns = _Node()

    def match(self, key: str, headers: Headers) -> Iterable[Queue | Exchange]:
        del headers
        found: list[Queue | Exchange] = []
        _walk(self._patterns, _words(key), 0, found, set())
        return found

    def _added(self, binding: Binding) -> None:
        node = self._patterns
        for word in _words(binding.key):
            node = node.following.setdefault(word, _Node())
        node.bindings[binding.identity] = binding

    def _removed(self, binding: Binding) -> None:
        path = [("", self._patterns)]
        for word in _words(binding.key):
            path.append((word, path[-1][1].following[word]))
        del path[-1][1].bindings[binding.identity]
        while len(path) > 1:
            word, node = path.pop()
            if node.following or node.bindings:
                break
            del path[-1][1].following[word]


def _words(key: str) -> list[str]:
    return key.split(".") if key else []


def _walk(
    node: _Node,
    words: list[str],
    at: int,
    found: list[Queue | Exchange],
    seen: set[tuple[int, int]],
) -> None:
    if (id(node), at) in seen:
        return
    seen.add((id(node), at))
    following = node.following
    if any_number := following.get("#"):
        for further in range(at, len(words) + 1):
            _walk(any_number, words, further, found, seen)
    if at == len(words):
        found.extend(one.destination for one in node.bindings.values())
        return
    if one_word := following.get("*"):
        _walk(one_word, words, at + 1, found, seen)
    if same := following.get(words[at]):
        _walk(same, words, at + 1, found, seen)


_KINDS: Mapping[str, type[Exchange]] = {
    one.kind: one for one in (_Direct, _Fanout, _Headers, _Topic)
}


def exchange_of(kind: str) -> type[Exchange]:
    """The class of a kind of exchange; raises AmqpError."""
    found = _KINDS.get(kind)
    if found is None:
        raise command_invalid(f"unknown exchange type '{kind}'")
    return found
