"""Causes and effects: chains of messages, each following only when the one before was sent."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush

from cbsim.world.estate import Sensor
from cbsim.world.raw import Parts

__all__ = ["Agenda", "Effect", "Happening"]

# A chain whose messages the mix asks for less often than they are caused is forgotten past this.
_LIMIT = 2000


@dataclass(frozen=True, slots=True)
class Happening:
    """Something a server says: a JSON body under a routing key, or a raw event of a sensor."""

    name: str
    routing_key: str
    body: bytes = b""
    sensor: Sensor | None = None
    parts: Parts | None = None


@dataclass(slots=True)
class Effect:
    """A message to come, `delay` ticks after what it follows from was sent."""

    name: str
    delay: int
    make: Callable[[int], Happening]
    """Writes the message for the moment (FILETIME) at which it is sent."""
    then: tuple[Effect, ...] = ()

    def names(self) -> Iterable[str]:
        """Its own name and those of all that follows."""
        yield self.name
        for effect in self.then:
            yield from effect.names()

    def leads_to(self, name: str) -> bool:
        """Whether a message of that name is in this chain."""
        return name in self.names()


class Agenda:
    """Effects that wait for their moment, and for the messages they follow from.

    Messages that are not published happen in silence: what follows from them still comes.
    """

    def __init__(self, published: frozenset[str]) -> None:
        self._published = published
        self._queues: dict[str, list[tuple[int, int, Effect]]] = {name: [] for name in published}
        self._count = 0
        self._urgent: deque[Effect] = deque()
        self.promised: Counter[str] = Counter()
        """How many messages of each name the chains still hold."""

    def start(self, effects: Iterable[Effect], now: int, wanted: str | None = None) -> None:
        """Begin chains at that moment, for the sake of a message of the name `wanted`.

        What nobody asks for as often as it is caused is left out past a limit.
        """
        for effect in effects:
            if self._room(effect, wanted):
                kept = self._pruned(effect, wanted)
                self.promised.update(name for name in kept.names() if name in self._published)
                self._release(kept, now)

    def _room(self, effect: Effect, wanted: str | None) -> bool:
        leads = wanted is not None and effect.leads_to(wanted)
        return leads or self.promised[effect.name] < _LIMIT

    def _pruned(self, effect: Effect, wanted: str | None) -> Effect:
        then = tuple(self._pruned(one, wanted) for one in effect.then if self._room(one, wanted))
        return Effect(effect.name, effect.delay, effect.make, then)

    def interrupt(self, effects: Iterable[Effect]) -> None:
        """Let these come next, one after the other, before anything else."""
        self._urgent.extend(effect for effect in effects if effect.name in self._published)

    def urgent(self, now: int) -> Happening | None:
        """The next message that interrupts."""
        return self._urgent.popleft().make(now) if self._urgent else None

    def due(self, name: str, now: int) -> bool:
        """Whether a message of that name can be sent now."""
        queue = self._queues.get(name)
        return bool(queue) and queue[0][0] <= now  # type: ignore[index]

    def take(self, name: str, now: int) -> Happening:
        """Send the first message of that name, due or not; what follows from it is released."""
        _, _, effect = heappop(self._queues[name])
        self.promised[name] -= 1
        happening = effect.make(now)
        for follower in effect.then:
            self._release(follower, now)
        return happening

    def toward(self, name: str, now: int, *, due: bool = True) -> str | None:
        """The name of a waiting message from which one of that name will follow."""
        for other, queue in self._queues.items():
            if queue and (not due or queue[0][0] <= now) and queue[0][2].leads_to(name):
                return other
        return None

    def _release(self, effect: Effect, now: int) -> None:
        moment = now + effect.delay
        if effect.name in self._published:
            self._count += 1
            heappush(self._queues[effect.name], (moment, self._count, effect))
        else:
            effect.make(moment)
            for follower in effect.then:
                self._release(follower, moment)
