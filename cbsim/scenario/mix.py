"""What comes next: a phase's mix, honoured in the long run, whatever has to come first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import chain, islice
from random import Random

from cbsim.catalog import NOTIFICATIONS, RAW_EVENTS, ServerVersion, lookup, names, parse_broadcast
from cbsim.errors import ScenarioError
from cbsim.wire.event import stamps
from cbsim.world.drawing import weighted
from cbsim.world.estate import Sensor
from cbsim.world.happening import Happening, Happenings
from cbsim.world.world import World

__all__ = ["Mix", "weights"]


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
    is kept and settled later. One message of each name in `cover` comes first.
    """

    def __init__(
        self, world: World, shares: Mapping[str, float], rng: Random, cover: Sequence[str] = ()
    ) -> None:
        self._world = world
        able = {name: weight for name, weight in shares.items() if world.can(name)}
        if not able:
            raise ScenarioError("mix: no endpoint of this estate does any of that")
        self._owed: dict[str, int] = {}
        self._over: dict[str, int] = {}
        first = [name for name in cover if name in able]
        rng.shuffle(first)
        draw = weighted(rng, able)
        self._picks = chain(first, iter(draw, None))

    def take(self, moments: Sequence[int]) -> Happenings:
        """The messages for these moments (FILETIME), one each."""
        taken = self._turn(moments[: self._world.longest_turn])
        while (at := len(taken.names)) < len(moments):
            taken.extend(self._turn(moments[at : at + self._world.longest_turn]))
        return taken

    def _turn(self, moments: Sequence[int]) -> Happenings:
        world, over = self._world, self._over
        makers, urgent = world.makers, world.urgent
        many = world.turn(moments[0], len(moments)) if moments else {}
        varints, names = stamps(moments), [*islice(self._picks, len(moments))]
        keys = names.copy()
        bodies: list[bytes] = [b""] * len(names)
        sensors: list[Sensor | None] = [None] * len(names)
        places: dict[str, list[int]] = {name: [] for name in many}
        later = {name: one.append for name, one in places.items()}
        for at, name in enumerate(names):
            if name in over:
                names[at] = keys[at] = name = self._repaid(name, moments[at])
            if name in later:
                # Most events follow from nothing, and nothing follows from them.
                later[name](at)
                continue
            now, stamp = moments[at], varints[at]
            happening = urgent.popleft()(now, stamp) if urgent else makers[name](now, stamp)
            if happening is None or happening[0] != name:
                happening = self._instead(name, happening, now, stamp)
            names[at], keys[at], bodies[at], sensors[at] = happening
        for name, ats in places.items():
            if ats:
                made, whose = many[name](ats, moments, varints)
                for at, body, sensor in zip(ats, made, whose, strict=True):
                    bodies[at], sensors[at] = body, sensor
        return Happenings(names, keys, bodies, sensors)

    def _repaid(self, name: str, now: int) -> str:
        """For a name of which too many were sent, one that is owed and can be sent."""
        for owed in self._owed:
            if self._world.due(owed, now):
                self._settle(self._over, name)
                self._settle(self._owed, owed)
                return owed
        return name

    def _instead(self, name: str, happening: Happening | None, now: int, stamp: bytes) -> Happening:
        """What is sent at this moment where a name had to wait: its cause, or any other."""
        self._owed[name] = self._owed.get(name, 0) + 1
        for _ in range(8):
            if happening is not None:
                break
            name = next(self._picks)
            happening = self._world.emit(name, now, stamp)
            if happening is None:
                self._owed[name] = self._owed.get(name, 0) + 1
        while happening is None:
            happening = self._world.emit(name, now, stamp, force=True)
        sent = happening[0]
        if sent in self._owed:
            self._settle(self._owed, sent)
        else:
            self._over[sent] = self._over.get(sent, 0) + 1
        return happening

    @staticmethod
    def _settle(account: dict[str, int], name: str) -> None:
        account[name] -= 1
        if not account[name]:
            del account[name]
