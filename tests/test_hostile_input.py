"""Whatever reads what others wrote refuses it in a sentence, or reads it: nothing else."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.fuzz.mutation import mutated
from tests.support.fuzz.target import CORPUS
from tests.support.fuzz.targets import TARGETS

CASES = [(name, case) for name, target in TARGETS.items() for case in target.corpus]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_what_a_reader_once_stumbled_over(name: str, case: str) -> None:
    TARGETS[name].read(TARGETS[name].corpus[case])


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_nearly_sound(name: str) -> None:
    """A short form of `python -m tests.support.fuzz`, which goes on for as long as one likes."""
    target = TARGETS[name]

    @settings(max_examples=40, suppress_health_check=[*HealthCheck])
    @given(st.randoms(use_true_random=False))
    def attack(random: Random) -> None:
        target.read(mutated(target.beginnings, random))

    attack()


def test_every_folder_of_the_corpus_is_somebodys() -> None:
    shelves = {target.shelf or target.name for target in TARGETS.values()}
    assert {path.name for path in CORPUS.iterdir()} <= shelves
