"""What comes next: a phase's mix, honoured in the long run, whatever has to come first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from random import Random

from cbsim.catalog import NOTIFICATIONS, RAW_EVENTS, ServerVersion, lookup, names, parse_broadcast
from cbsim.errors import ScenarioError
from cbsim.world.effect import Happening
from cbsim.world.world import World

__all__ = ["Mix", "weights"]

_BLOCK = 4096


def weights(mix: Mapping[str, float], version: ServerVersion, broadcast: str) -> dict[str, float]:
    """The weight of each name that the server sends.

    A pattern's weight is shared out among the names it matches, as often as real servers send
    them; a name of its own wins over a pattern. Raises ScenarioError for a name that the server
    does not send.
    """
    types = parse_broadcast(broadcast)
    sent = [
        name
        for name in names(version)
        if name in NOTIFICATIONS or RAW_EVENTS[name].selected_by(types)
    ]
    shares: dict[str, float] = {}
    for pattern, weight in mix.items():
        if "*" not in pattern:
            continue
        matched = [name for name in sent if fnmatchcase(name, pattern) and name not in mix]
        total = sum(lookup(name).weight for name in matched)
        for name in matched:
            shares[name] = shares.get(name, 0.0) + weight * lookup(name).weight / total
    for name, weight in mix.items():
        if "*" in name:
            continue
        if name not in sent:
            why = f"a {version} server" if not lookup(name).in_version(version) else "`broadcast`"
            raise ScenarioError(f"mix: {name} is not sent by {why}")
        shares[name] = weight
    return {name: weight for name, weight in sorted(shares.items()) if weight > 0}


class Mix:
    """Draws messages from a world so that their numbers follow the weights.

    Where a message must wait for another, or the other must come first, the account of each name
    is kept and settled later.
    """

    def __init__(
        self, world: World, shares: Mapping[str, float], rng: Random, *, cover: bool = False
    ) -> None:
        self._world, self._rng = world, rng
        able = {name: weight for name, weight in shares.items() if world.can(name)}
        if not able:
            raise ScenarioError("mix: no endpoint of this estate does any of that")
        self._names, self._weights = [*able], [*able.values()]
        self._owed: dict[str, int] = {}
        self._over: dict[str, int] = {}
        first = [*self._names] if cover else []
        rng.shuffle(first)
        self._picks = self._stream(first)

    def next(self, now: int) -> Happening:
        """The message for this moment (FILETIME)."""
        name = next(self._picks)
        if self._owed and self._over.get(name, 0) > 0:
            for owed in self._owed:
                if self._world.due(owed, now):
                    self._settle(self._over, name)
                    self._settle(self._owed, owed)
                    name = owed
                    break
        happening = self._world.emit(name, now)
        if happening is not None and happening.name == name:
            return happening
        self._owed[name] = self._owed.get(name, 0) + 1
        for _ in range(8):
            if happening is not None:
                break
            name = next(self._picks)
            happening = self._world.emit(name, now)
            if happening is None:
                self._owed[name] = self._owed.get(name, 0) + 1
        while happening is None:
            happening = self._world.emit(name, now, force=True)
        if happening.name in self._owed:
            self._settle(self._owed, happening.name)
        else:
            self._over[happening.name] = self._over.get(happening.name, 0) + 1
        return happening

    def _stream(self, first: list[str]) -> Iterator[str]:
        yield from first
        while True:
            yield from self._rng.choices(self._names, self._weights, k=_BLOCK)

    @staticmethod
    def _settle(account: dict[str, int], name: str) -> None:
        account[name] -= 1
        if not account[name]:
            del account[name]
