"""A phase's corpus: what Hypothesis' strategies draw ahead of the run, sent in turn.

The same seed draws the same corpus with the same version of Hypothesis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from fnmatch import fnmatchcase
from random import Random
from typing import TYPE_CHECKING, Any

from cbsim.catalog import NOTIFICATIONS, RAW_EVENTS, ServerVersion, lookup, names
from cbsim.errors import ScenarioError
from cbsim.wire.fault import Fault, Oddity
from cbsim.wire.message import Message

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from cbsim.scenario.model import Phase, Scenario
    from cbsim.world.setting import Server

__all__ = ["BUNDLE", "FAMILIES", "KINDS", "Corpus", "corpora_of", "drawn_by"]

BUNDLE = "bundle"
"""What a bundle is called in a mix, and where messages are counted by name."""
FAMILIES: dict[str, tuple[str, ...]] = {
    "malformed": tuple(f"malformed.{fault}" for fault in Fault),
    "odd": tuple(f"odd.{oddity}" for oddity in Oddity),
}
"""Messages with labels, as a mix names them: all of a family, or one kind of it."""
_HEAVIEST = 256 << 20
KINDS = tuple(kind for family in FAMILIES.values() for kind in family)
"""Every kind of them."""


class Corpus:
    """Messages drawn ahead; raises ScenarioError for what the server does not send."""

    def __init__(self, phase: Phase, server: Server, seed: int) -> None:
        try:
            import hypothesis  # noqa: F401 - an extra that a load test does without
        except ImportError:
            raise ScenarioError(
                f"phase {phase.name!r}: `source: strategies` needs Hypothesis: "
                "pip install 'cbsim[test]'"
            ) from None
        shares = _shares(phase.mix, server.version)
        total = sum(shares.values())
        self._messages: list[tuple[str, Message]] = []
        for name, share in shares.items():
            count = max(1, round(phase.corpus * share / total))
            strategy = _strategy(name, server)
            for drawn in _drawn(strategy, count, f"{seed}:corpus:{name}"):
                self._messages.append((name, _message(drawn)))
            self._weigh(phase)
        Random(f"{seed}:corpus").shuffle(self._messages)
        self._at, self._step = 0, 1

    def _weigh(self, phase: Phase) -> None:
        """Raise ScenarioError when it takes too much memory."""
        sizes = {id(message.body): len(message.body) for _, message in self._messages}
        if sum(sizes.values()) > _HEAVIEST:
            raise ScenarioError(
                f"phase {phase.name!r}: a corpus of {phase.corpus} takes more than "
                f"{_HEAVIEST >> 20} MiB; expected a smaller `corpus`"
            )

    def dealt(self, number: int, of: int) -> Corpus:
        """The same messages, of which every so many-th is taken, from a number on."""
        dealt = copy(self)
        dealt._at, dealt._step = number % len(self), of
        return dealt

    def __len__(self) -> int:
        return len(self._messages)

    def at(self, number: int) -> tuple[str, Message]:
        """One of them and its name, by any number."""
        return self._messages[number % len(self)]

    def take(self, moments: list[int]) -> tuple[list[Message], list[str], range]:
        """A message for each moment (FILETIME), their names, and the places of their moments."""
        messages, taken = [], []
        for moment in moments:
            name, message = self._messages[self._at]
            self._at = (self._at + self._step) % len(self._messages)
            messages.append(message._replace(moment=moment))
            taken.append(name)
        return messages, taken, range(len(moments))


def corpora_of(scenario: Scenario) -> dict[str, Corpus]:
    """The corpora of a scenario's phases, by `drawn_by`: phases that say the same share one."""
    corpora: dict[str, Corpus] = {}
    for phase in scenario.phases:
        if phase.source == "strategies" and drawn_by(phase) not in corpora:
            corpora[drawn_by(phase)] = Corpus(phase, scenario.server, scenario.seed)
    return corpora


def drawn_by(phase: Phase) -> str:
    """What a phase's corpus depends on."""
    return f"{phase.corpus} of {sorted(phase.mix.items())}"


def _shares(mix: Mapping[str, float], version: ServerVersion) -> dict[str, float]:
    """The weight of each strategy; a pattern's is shared out evenly: every corner counts."""
    sent = (*names(version), BUNDLE)
    shares: dict[str, float] = {}
    for pattern, weight in mix.items():
        if pattern in FAMILIES:
            found: Iterable[str] = FAMILIES[pattern]
        elif "*" in pattern:
            pool = FAMILIES.get(pattern.partition(".")[0], sent)
            found = [one for one in pool if fnmatchcase(one, pattern) and one not in mix]
        elif pattern in (*sent, *KINDS):
            found = [pattern]
        else:
            raise ScenarioError(f"mix: {lookup(pattern).name} is not sent by a {version} server")
        for name in found:
            shares[name] = shares.get(name, 0.0) + weight / len([*found])
    return {name: weight for name, weight in shares.items() if weight > 0}


def _strategy(name: str, server: Server) -> SearchStrategy[Any]:
    from cbsim import strategies as cb

    if name in NOTIFICATIONS:
        return cb.message(name, server=server.version, dialect=server.dialect.value)
    if name in RAW_EVENTS:
        return cb.message(name, server=server.version)
    if name == BUNDLE:
        return cb.bundle(server=server.version)
    family, _, kind = name.partition(".")
    if family == "odd":
        return cb.odd(Oddity(kind), server=server.version, dialect=server.dialect)
    return cb.malformed(Fault(kind), server=server.version, dialect=server.dialect)


def _drawn(strategy: SearchStrategy[Any], count: int, seed: str) -> list[Any]:
    """So many examples of a strategy, or all there are, the same for a seed."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    found: list[Any] = []
    number = Random(seed).getrandbits(64)

    size = 0

    def keep(value: Any) -> None:
        nonlocal size
        if size <= _HEAVIEST:
            found.append(value)
            size += len(_message(value).body)

    quietly = settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    draw: Callable[[], None] = seeded(number)(quietly(given(strategy)(keep)))
    draw()
    return found


def _message(drawn: Any) -> Message:
    if isinstance(drawn, Message):
        return drawn
    labelled: Message = drawn.labelled
    return labelled
