"""What an output takes for an identity, where a message holds several that may be meant.

The process of a processblock is the blocked one or that of the header, an MD5 is that of a binary
or of the process that loads it, a name is a routing key or the end of one. All are right, and an
output has the same throughout: that which most of it agrees with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cbsim.catalog import RAW_EVENTS
from cbsim.checks.moment import NEVER
from cbsim.checks.visible import Visible
from cbsim.wire.clock import TICKS

__all__ = ["Readings", "readings_of"]

_RAW = "ingress.event."


@dataclass(frozen=True, slots=True)
class Readings:
    """Which reading an output has of each identity, by the name of what it is an identity of."""

    chosen: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """For a name (empty for all) and an identity, its place in `_told`, where that is not 0."""
    short: bool = False
    """Whether raw events are called by the end of their routing key, such as `filemod`."""
    named: bool = False

    def of_item(self, visible: Visible) -> Visible:
        """An item, called as messages are."""
        if self.short and visible.name in _SHORT:
            return visible._replace(name=_RAW + visible.name)
        return visible

    def of_message(self, visible: Visible) -> Visible:
        """A message with the values that the output takes."""
        if not self.chosen:
            return visible
        name = visible.name if self.named else ""
        values = {
            identity: _told(visible, identity)[self.chosen.get((name, identity), 0)]
            for identity in visible.values
        }
        return visible._replace(values=values)


def readings_of(
    items: Sequence[Visible], messages: Iterable[Visible], identities: Sequence[str], *, named: bool
) -> Readings:
    """The readings that most of some items agree with, the first of those that agree as well."""
    short = named and sum(it.name in _SHORT for it in items) > sum(_RAW in it.name for it in items)
    bare = Readings(short=short, named=named)
    left = _left(messages, identities, named=named)
    agreeing: dict[_At, Counter[int]] = {}
    for item in map(bare.of_item, items):
        for identity in identities:
            at = item.name if named else "", identity
            moments = _moments(item.values.get(identity, ""), item.ticks)
            for number, count in enumerate(left.get(at, ())):
                # Each message agrees with one item, as in the match.
                if (found := next((it for it in moments if count[it] > 0), None)) is not None:
                    count[found] -= 1
                    agreeing.setdefault(at, Counter())[number] += 1
    chosen = {at: max(count, key=lambda number: (count[number], -number))
              for at, count in agreeing.items()}  # fmt: skip
    return Readings({at: number for at, number in chosen.items() if number}, short, named)


_At = tuple[str, str]
"""A name and an identity."""
_Moment = tuple[str, int, int]
"""A value, and when: in which unit of ticks, and where a clock of it stands."""
_UNITS = (TICKS, TICKS // 1000)


def _left(
    messages: Iterable[Visible], identities: Sequence[str], *, named: bool
) -> dict[_At, list[Counter[_Moment]]]:
    """For each reading what messages have in it, of those in which readings differ."""
    left: dict[_At, list[Counter[_Moment]]] = {}
    for visible in messages:
        for identity in identities:
            told = _told(visible, identity)
            if told.count(told[0]) == len(told):
                continue
            at = visible.name if named else "", identity
            counts = left.setdefault(at, [Counter() for _ in told])
            for count, value in zip(counts, told, strict=True):
                for unit in _UNITS:
                    count[value, unit, visible.ticks // unit] += 1
                count[value, 0, 0] += 1
    return left


def _moments(value: str, ticks: int) -> tuple[_Moment, ...]:
    """A value as one of a message may be that has it at about the same time: many have it soon."""
    if not value:
        return ()
    if ticks == NEVER:
        return ((value, 0, 0),)
    unit = _UNITS[bool(ticks % TICKS)]
    return tuple((value, unit, ticks // unit + off) for off in (0, -1, 1))


def _told(visible: Visible, identity: str) -> tuple[str, ...]:
    """What a message has for an identity, in each reading; the same in most."""
    own = visible.values.get(identity, "")
    if identity == "host":
        return own, own.lower(), own.upper()
    others = visible.others.get(identity, ())
    return (own, *others, *[own] * (_MOST - len(others)))


_MOST = 2
"""Others of an identity."""
_SHORT = frozenset(name.removeprefix(_RAW) for name in RAW_EVENTS)
