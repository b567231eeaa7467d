"""What an item of an output was compared with, and how each of the two is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cbsim.checks.comparison import Match
from cbsim.checks.detail import Unmatched
from cbsim.checks.layout import Mismatch, Pair
from cbsim.checks.pairing import Missing, Stray
from cbsim.checks.settling import identity_of
from cbsim.checks.visible import Visible
from cbsim.errors import InputError

__all__ = ["Explanation", "explained"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """An item beside the message that it stands for, or is most like."""

    where: str
    """File and line of the item."""
    kind: str
    """`received`, `duplicated`, `corrupted` or `unexpected`."""
    item: Mapping[str, object]
    """What can be seen of the item."""
    fault: str | None
    sequence: int | None
    """Of the message in the ledger; None when there is none to compare it with."""
    part: int | None
    message: Mapping[str, object]
    """What can be seen of the message."""
    compared: tuple[str, ...]
    """By which of that they are matched; empty where it is by all that they hold."""
    mismatches: tuple[Mismatch, ...]
    precision: str | None
    """How exactly the output has times of that kind."""
    alike: tuple[int, ...]
    """Messages that look the same in this output."""


def explained(found: Match, wanted: str) -> list[Explanation]:
    """What the items at a place were compared with; raises InputError where there is none.

    `wanted` is a line, a file and a line, or what a difference says of its place.
    """
    places = [*_places(found, wanted)]
    if not places:
        raise InputError(f"--explain {wanted}: nothing stands there in the output; expected a "
                         "line, or FILE:LINE")  # fmt: skip
    details, matching = found.details, found.matching
    left: Unmatched | None = None
    explanations = []
    for stray in details.strays(np.array(places, np.int64)):
        known = int(max(matching.match[stray.place], matching.like[stray.place]))
        if known >= 0:
            (message,) = details.missing(np.array([known]))
            kind = "received" if matching.match[stray.place] >= 0 else "duplicated"
            explanations.append(_explanation(found, kind, stray, message))
            continue
        left = left or details.unmatched(_LOOKED)
        pair = left.pairs.get(stray.place)
        kind = "unexpected" if pair is None else "corrupted"
        explanations.append(_explanation(found, kind, stray, pair or _likest(stray, left.missing)))
    return explanations


_LOOKED = 10_000
"""Messages that did not come among which the likest is looked for."""


def _places(found: Match, wanted: str) -> Iterator[int]:
    """The items that stand at a place."""
    begins = 0
    for source, end in zip(found.sources, found.matching.items.ends, strict=True):
        place = begins
        for record in source.records():
            items = sum(1 for _ in found.layout.items(record))
            if wanted in (str(record.line), f"{record.file}:{record.line}", record.where):
                yield from range(place, place + items)
            place += items
        begins = end


def _likest(stray: Stray, missing: Sequence[Missing]) -> Missing | None:
    """The message with most in common; among equals the one that comes next in the run."""

    def merit(candidate: Missing) -> tuple[int, int]:
        ours, theirs = stray.visible, candidate.visible
        same = sum(bool(value) and theirs.values.get(name) == value
                   for name, value in ours.values.items())  # fmt: skip
        same += 2 * (ours.name == theirs.name != "") + (ours.ticks == theirs.ticks)
        return same, -abs(candidate.sequence - stray.before - 1)

    return max(missing, key=merit, default=None)


def _explanation(found: Match, kind: str, stray: Stray, message: Missing | None) -> Explanation:
    layout, matching = found.layout, found.matching
    shown = message.visible if message else stray.visible
    clock = matching.clocks.get(shown.name) or matching.clocks.get(
        "raw events" if shown.raw else "notifications"
    )
    mismatches: Sequence[Mismatch] = ()
    if message is not None and kind in ("corrupted", "unexpected"):
        pair = Pair(stray.record, stray.visible, message.message, message.visible)
        mismatches = layout.mismatches(pair)
    alike: Sequence[int] = ()
    if message is not None:
        alike = matching.alike(np.array([message.place])).get(message.place, ())
    return Explanation(
        stray.record.where, kind, _seen(stray.visible), stray.fault,
        message.sequence if message else None, message.part if message else None,
        _seen(message.visible) if message else {},
        tuple(_SUBJECT[bool(shown.values.get("guid"))] if name == "subject" else name
              for name in layout.compared(shown.name)),
        tuple(mismatches), str(clock) if clock else None, tuple(alike),
    )  # fmt: skip


_SUBJECT = ("md5", "guid")
"""What a subject is: a binary, or a process where it has one."""


def _seen(visible: Visible) -> dict[str, object]:
    return {"name": visible.name} | identity_of(visible)
