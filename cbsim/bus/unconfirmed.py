"""What was published and not settled yet: in order, and found by delivery tag."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import NamedTuple

from cbsim.bus.framing import Confirm, Refusal
from cbsim.wire.message import Message

__all__ = ["Unconfirmed", "ranges"]


class _Batch(NamedTuple):
    first: int
    """The sequence number of its first message."""
    after: int
    """The one after its last."""
    messages: Sequence[Message]
    total: int
    """Bytes ever added, these included."""


class Unconfirmed:
    """Messages by sequence number (0 for the first ever published), until they are settled.

    Brokers confirm by delivery tag, which starts at 1 on each channel, mostly by ranges and now
    and then out of order; or they refuse. Here the settled are always the first so many: a message
    that is settled before an earlier one waits for it.
    """

    def __init__(self) -> None:
        self.settled = 0
        """All messages with a sequence number below this one are confirmed or refused."""
        self._batches: deque[_Batch] = deque()
        self._gone = 0
        self._early: set[int] = set()
        self._refused: set[int] = set()
        self._again: Sequence[int] = ()
        self._base = 0

    def __len__(self) -> int:
        return self.taken - self.settled

    @property
    def taken(self) -> int:
        """How many messages were ever added."""
        return self._batches[-1].after if self._batches else self.settled

    @property
    def size(self) -> int:
        """About how many bytes are held."""
        return self._total - self._gone

    @property
    def _total(self) -> int:
        return self._batches[-1].total if self._batches else self._gone

    def add(self, messages: Sequence[Message], size: int) -> None:
        """Hold messages that are published next; the sequence must not change afterwards."""
        # One step, so that a KeyboardInterrupt finds all of them added, or none.
        first = self.taken
        self._batches.append(_Batch(first, first + len(messages), messages, self._total + size))

    def settle(self, confirms: Sequence[Confirm]) -> bool:
        """Take the broker's confirms and refusals; True if `settled` has grown."""
        if Refusal not in map(type, confirms):
            return self._confirm(confirms)
        # What a range means depends on what was settled before it.
        grown, since = False, 0
        for at, one in enumerate(confirms):
            if isinstance(one, Refusal):
                grown |= self._confirm(confirms[since:at])
                grown |= self._refuse(one)
                since = at + 1
        return self._confirm(confirms[since:]) or grown

    def refused(self) -> list[int]:
        """The sequence numbers of what was refused, among the settled: each is told once."""
        told = sorted(one for one in self._refused if one < self.settled)
        self._refused.difference_update(told)
        return told

    def _refuse(self, refusal: Refusal) -> bool:
        last = self._sequence(refusal.tag)
        open_to = range(self.settled, last + 1) if refusal.multiple else range(last, last + 1)
        self._refused.update(
            one for one in open_to if one >= self.settled and one not in self._early
        )
        return self._confirm([refusal])

    def _confirm(self, confirms: Sequence[Confirm]) -> bool:
        before = self.settled
        # Of ranges, the farthest says it all.
        if ranged := max((tag for tag, multiple in confirms if multiple), default=0):
            self.settled = max(before, self._sequence(ranged) + 1)
        early = self._early
        for tag, multiple in confirms:
            if tag <= ranged or multiple:
                continue
            sequence = self._sequence(tag)
            if sequence == self.settled:
                self.settled += 1
            elif sequence > self.settled:
                early.add(sequence)
        if self.settled == before:
            return False
        if early:
            self._early = early = {one for one in early if one >= self.settled}
            while self.settled in early:
                early.remove(self.settled)
                self.settled += 1
        batches, settled = self._batches, self.settled
        while batches and batches[0].after <= settled:
            self._gone = batches.popleft().total
        return True

    def again(self) -> tuple[list[int], list[Message]]:
        """What to publish first on a new channel, with the sequence numbers; tags start at 1."""
        held = chain.from_iterable(
            enumerate(batch.messages, batch.first) for batch in self._batches
        )
        pairs = [
            (sequence, message)
            for sequence, message in held
            if sequence >= self.settled and sequence not in self._early
        ]
        self._again = [sequence for sequence, _ in pairs]
        # Tags beyond those published again belong to what is taken from now on.
        self._base = self.taken - len(pairs)
        return list(self._again), [message for _, message in pairs]

    def _sequence(self, tag: int) -> int:
        if tag <= len(self._again):
            return self._again[tag - 1]
        return self._base + tag - 1


def ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as ranges, first and last included.

    >>> [*ranges([1, 2, 3, 7, 9, 10])]
    [(1, 3), (7, 7), (9, 10)]
    """
    for _, grouped in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in grouped]
        yield run[0], run[-1]
