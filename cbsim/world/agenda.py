"""What is to come: stories whose steps follow from one another, each step a message."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from cbsim.world.happening import Happening

__all__ = ["Agenda", "Step", "Story"]

# What the mix asks for less often than it is caused is forgotten past this.
_LIMIT = 256


class Story:
    """Something that happens on the estate, and that the server tells in steps."""

    __slots__ = ()

    skips: frozenset[str] = frozenset()
    """Steps that do not apply to this one; what follows from them does."""


def _nothing(_: object) -> None:
    """What most steps change."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A message of a story, `delay` ticks after the step it follows from."""

    name: str
    delay: int
    write: Callable[[Any, int], Happening]
    """Writes the message of a story at a moment (FILETIME)."""
    then: tuple[Step, ...] = ()
    happens: Callable[[Any], None] = _nothing
    """What this step changes for the story, told or in silence."""


_Queue = deque[tuple[int, Step, Story]]
"""Steps that wait, each until a moment."""


class _Plan(NamedTuple):
    """What follows from a step at once, for stories that skip the same steps."""

    waits: tuple[tuple[_Queue, int, Step], ...]
    """The published steps to come: where each waits, for how many ticks, and the step."""
    silent: tuple[Callable[[Any], None], ...]
    """What happens on the way to them in silence."""


class Agenda:
    """Steps that wait for their moment, and for the messages they follow from.

    Steps that are not published happen in silence: what follows from them still comes.
    """

    def __init__(self, published: frozenset[str], stories: Iterable[Step]) -> None:
        self._published = published
        self.wanted = dict.fromkeys(published, 0)
        """How many messages of each name were asked for and could not be sent yet."""
        self._lines: dict[str, tuple[str, ...]] = {}
        """For each step the published ones that lead to it, and itself."""
        for first in stories:
            self._chart(first, ())
        names = sorted({name for line in self._lines.values() for name in line})
        self._queues: dict[str, _Queue] = {name: deque() for name in names}
        self._ways = {
            name: [self._queues[other] for other in line] for name, line in self._lines.items()
        }
        """The queues of those."""
        self._plans: dict[tuple[tuple[Step, ...], frozenset[str]], _Plan] = {}
        self.urgent: deque[Callable[[int, bytes], Happening]] = deque()
        """What comes next, before anything else; each is given the moment and its varint."""

    def begin(self, first: Step, story: Story, now: int) -> None:
        """Begin a story at that moment."""
        self._release((first,), story, now)

    def tell(self, first: Step, story: Story, now: int) -> Happening:
        """Begin a story with its first step, which is sent at once."""
        self.told(first, story, now)
        return first.write(story, now)

    def told(self, first: Step, story: Story, now: int) -> None:
        """Begin a story whose first step was sent."""
        if first.happens is not _nothing:
            first.happens(story)
        if first.then:
            self._release(first.then, story, now)

    def interrupt(self, first: Step, story: Story, now: int) -> None:
        """Let a story come next; what comes later in it waits for its moment."""
        first.happens(story)
        if first.name in self._published:
            self.urgent.append(lambda now, _: first.write(story, now))
        for follower in first.then:
            if follower.delay:
                self._release((follower,), story, now)
            else:
                self.interrupt(follower, story, now)

    def due(self, name: str, now: int) -> bool:
        """Whether a message of that name can be sent now."""
        queue = self._queues.get(name)
        return bool(queue) and queue[0][0] <= now  # type: ignore[index]

    def taken(self, name: str, now: int) -> Happening | None:
        """Send the first message of that name, if one is due."""
        queue = self._queues.get(name)
        if not queue or queue[0][0] > now:
            return None
        return self.take(name, now)

    def take(self, name: str, now: int) -> Happening:
        """Send the first message of that name, due or not; what follows from it is released."""
        if self.wanted[name]:
            self.wanted[name] -= 1
        _, step, story = self._queues[name].popleft()
        return self.tell(step, story, now)

    def on_the_way(self, name: str) -> int:
        """How many steps wait from which one of that name will follow, or which are one."""
        return sum(map(len, self._ways[name]))

    def toward(self, name: str, now: int, *, due: bool = True) -> str | None:
        """The name of a waiting step from which one of that name will follow."""
        for other in self._lines[name]:
            queue = self._queues[other]
            if queue and (not due or queue[0][0] <= now):
                return other
        return None

    def _release(self, steps: tuple[Step, ...], story: Story, now: int) -> None:
        plan = self._plans.get((steps, story.skips))
        if plan is None:
            plan = self._plans[steps, story.skips] = self._planned(steps, story.skips)
        for happens in plan.silent:
            happens(story)
        for queue, delay, step in plan.waits:
            if len(queue) < _LIMIT or len(queue) <= self.wanted[step.name]:
                queue.append((now + delay, step, story))

    def _chart(self, step: Step, line: tuple[str, ...]) -> None:
        if step.name in self._published:
            line = (*line, step.name)
        self._lines[step.name] = line
        for follower in step.then:
            self._chart(follower, line)

    def _planned(self, steps: tuple[Step, ...], skips: frozenset[str]) -> _Plan:
        waits: list[tuple[_Queue, int, Step]] = []
        silent: list[Callable[[Any], None]] = []
        for step in steps:
            if step.name not in skips:
                if step.name in self._published:
                    waits.append((self._queues[step.name], step.delay, step))
                    continue
                silent.append(step.happens)
            later = self._planned(step.then, skips)
            waits += [(queue, step.delay + delay, one) for queue, delay, one in later.waits]
            silent += later.silent
        return _Plan(tuple(waits), tuple(one for one in silent if one is not _nothing))
