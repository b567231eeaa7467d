"""Exchanges: which bindings a routing key, or a message's headers, match."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from cbsim.bus.embedded.error import command_invalid, precondition_failed
from cbsim.bus.embedded.table import Field

if TYPE_CHECKING:
    from cbsim.bus.embedded.queue import Queue

__all__ = ["Binding", "Exchange", "Headers", "exchange_of", "size_of_key"]

Headers = Callable[[], Mapping[str, Field]]
"""The headers of the message at hand, decoded when an exchange asks for them."""
_NONE: Mapping[str, Field] = MappingProxyType({})
_FREE, _WORD, _BEHIND = 8, 400, 2048
"""Words of a key that are free, and the bytes that one more counts for, or one behind a `#`."""


class Binding(NamedTuple):
    """A destination, and what it is bound with."""

    destination: Queue | Exchange
    key: str
    arguments: Mapping[str, Field]
    size: int = 0
    """What it takes, in bytes (see `size_of_key`)."""

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

    __slots__ = ("any_number", "bindings", "following")

    def __init__(self, *, any_number: bool = False) -> None:
        self.any_number = any_number
        """Whether it is that of a `#`."""
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
        # All ways to match a word are gone at once: no key takes more steps than words and nodes.
        nodes = _with_skipped([self._patterns])
        for word in _words(key):
            nodes = _with_skipped(further for node in nodes for further in _beyond(node, word))
        return [binding.destination for node in nodes for binding in node.bindings.values()]

    def _added(self, binding: Binding) -> None:
        node = self._patterns
        for word in _words(binding.key):
            node = node.following.setdefault(word, _Node(any_number=word == "#"))
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


def size_of_key(key: str) -> int:
    """What a binding key takes beside its declaration, in bytes.

    Words that every key may have are free, more of them take memory; and those behind a `#` take
    everybody's time with each message, since they may begin at any word of it.
    """
    words = _words(key)
    behind = len(words) - words.index("#") - 1 if "#" in words else 0
    return _WORD * max(0, len(words) - _FREE) + _BEHIND * behind


def _words(key: str) -> list[str]:
    return key.split(".") if key else []


def _beyond(node: _Node, word: str) -> Iterator[_Node]:
    """Where one word more leads from a node."""
    if node.any_number:
        yield node
    for taken in ("*", word):
        if (further := node.following.get(taken)) is not None:
            yield further


def _with_skipped(nodes: Iterable[_Node]) -> list[_Node]:
    """Nodes, once each, and those behind each `#` there, which may stand for no word."""
    found: dict[int, _Node] = {}
    for node in nodes:
        at: _Node | None = node
        while at is not None and id(at) not in found:
            found[id(at)] = at
            at = at.following.get("#")
    return [*found.values()]


_KINDS: Mapping[str, type[Exchange]] = {
    one.kind: one for one in (_Direct, _Fanout, _Headers, _Topic)
}


def exchange_of(kind: str) -> type[Exchange]:
    """The class of a kind of exchange; raises AmqpError."""
    found = _KINDS.get(kind)
    if found is None:
        raise command_invalid(f"unknown exchange type '{kind}'")
    return found
