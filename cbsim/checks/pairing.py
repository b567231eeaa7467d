"""Which missing message a stray item stands for: by what both still have, or by its place."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from cbsim.checks.moment import NEVER
from cbsim.checks.record import Record
from cbsim.checks.visible import Visible
from cbsim.wire.message import Message

__all__ = ["Missing", "Stray", "pairs_of"]

_NEAR = 32
"""How many messages that have the same are looked at, those nearest in the run."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A message, or a part of one, that has no item."""

    place: int
    """Which of the ledger's entries it is."""
    sequence: int
    part: int | None
    name: str
    message: Message
    visible: Visible


@dataclass(frozen=True, slots=True)
class Stray:
    """An item that has no message."""

    place: int
    """Which one in the output, from 0."""
    record: Record
    visible: Visible
    fault: str | None
    before: int
    """The message that the nearest matched item before it stands for; -1 for none."""
    after: int | None
    """The same of the nearest one after it."""

    @property
    def illegible(self) -> bool:
        """Whether nothing can be seen of it."""
        return not any(self.visible.values.values()) and self.visible.ticks == NEVER


Clock = Callable[[Visible, int], int]
"""How the output's clock for a kind of times shows the time of an item; for the kind -1, how the
clock of its own kind shows that of a message."""
_WANTED = ("nst", "ns", "nt", "st", "s", "t")
"""What must be the same, in turn: name, subject, time."""


def pairs_of(
    missing: Sequence[Missing], strays: Sequence[Stray], matched: int, clock: Clock
) -> dict[int, Missing]:
    """For the place of a stray item, the message that it stands for; `matched` items have theirs.

    First those that have all in common that can be seen in any format, then those that have less,
    then those that come next of what is missing between the items around them.
    """
    pairs: dict[int, Missing] = {}
    taken: set[int] = set()
    for wanted in _WANTED:
        if wanted != "nst" and matched + len(pairs) < len(strays) - len(pairs):
            # Most of the output is of another run, or of none: what is alike is so by chance.
            return pairs
        index: dict[Hashable, list[Missing]] = {}
        for one in missing:
            if one.place not in taken:
                time = clock(one.visible, -1)
                if key := _key(one.visible, wanted, int(one.visible.raw), time):
                    index.setdefault(key, []).append(one)
        for stray in strays:
            if stray.place in pairs:
                continue
            keys = (_key(stray.visible, wanted, kind, clock(stray.visible, kind))
                    for kind in (0, 1))  # fmt: skip
            found = [it for key in {*keys} if key for it in index.get(key, ())]
            best = _nearest(found, stray, taken)
            if best is not None:
                pairs[stray.place] = best
                taken.add(best.place)
    return pairs | _by_place([it for it in missing if it.place not in taken],
                             [it for it in strays if it.place not in pairs])  # fmt: skip


def _key(visible: Visible, wanted: str, kind: int, time: int) -> Hashable:
    """Of name, subject and time those that are wanted; None without one of them."""
    told = {"n": visible.name, "s": visible.subject,
            "t": "" if visible.ticks == NEVER else (kind, time)}  # fmt: skip
    found = [told[letter] for letter in wanted]
    return None if "" in found else (wanted, *found)


def _nearest(candidates: Sequence[Missing], stray: Stray, taken: set[int]) -> Missing | None:
    """The candidate between the items around it with most in common, or else the nearest."""
    if not candidates:
        return None
    candidates = sorted(candidates, key=lambda it: it.sequence)
    at = bisect_left(candidates, stray.before, key=lambda it: it.sequence)
    near = [it for it in candidates[max(0, at - _NEAR) : at + _NEAR] if it.place not in taken]

    def merit(one: Missing) -> tuple[int, int, int]:
        inside = one.sequence >= stray.before and (
            stray.after is None or one.sequence <= stray.after
        )
        same = sum(one.visible.values.get(name) == value
                   for name, value in stray.visible.values.items())  # fmt: skip
        return inside, same, -abs(one.sequence - stray.before)

    return max(near, key=merit, default=None)


def _by_place(missing: Sequence[Missing], strays: Sequence[Stray]) -> dict[int, Missing]:
    pairs: dict[int, Missing] = {}
    sequences = [one.sequence for one in missing]
    at = 0
    for stray in strays:
        at = max(at, bisect_right(sequences, stray.before - 1))
        inside = at < len(missing) and (
            stray.after is None or stray.after < stray.before or sequences[at] <= stray.after
        )
        if inside and (stray.illegible or _common(stray.visible, missing[at].visible)):
            pairs[stray.place] = missing[at]
            at += 1
    return pairs


def _common(ours: Visible, theirs: Visible) -> bool:
    """Whether two have anything in common."""
    if ours.ticks == theirs.ticks != NEVER or (ours.name and ours.name == theirs.name):
        return True
    return any(value and theirs.values.get(name) == value for name, value in ours.values.items())
