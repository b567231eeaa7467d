"""Whatever reads what others wrote refuses it in a sentence, or reads it: nothing else."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cbsim.checks import Ledger, compare
from cbsim.errors import CbsimError, InputError
from cbsim.wire.message import JSON_TYPE, Message
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


@pytest.mark.parametrize("more", [
    "create view entry as select 1 from batch a, batch b, batch c",
    "drop view message; create view message as select * from batch, batch as other",
    "drop table confirm; create view confirm as select 1 as first, 2 as last, 3.0 as at",
])  # fmt: skip
def test_a_ledger_has_its_own_tables_and_no_others(tmp_path: Path, more: str) -> None:
    path = tmp_path / "run.ledger"
    Ledger(path).close()
    with closing(sqlite3.connect(path)) as database:
        database.executescript(more)
    with pytest.raises(InputError, match="has other tables than those of a ledger"):
        Ledger.open(path)


@pytest.mark.parametrize("change", [
    "update batch set count = 4000000000", "update batch set messages = '[[1, 10000000000]]'",
    "update batch set published = 'soon'", "update route set exchange = x'ff'",
    "update batch set bodies = x'00'", "update batch set messages = '[[7, 2]]'",
])  # fmt: skip
def test_a_ledger_with_what_cannot_be_is_damaged(tmp_path: Path, change: str) -> None:
    path = tmp_path / "run.ledger"
    with Ledger(path) as ledger:
        ledger.record([Message("api.events", "feed.synchronized", JSON_TYPE, b"{}")])
    with closing(sqlite3.connect(path)) as database:
        database.execute(change)
        database.commit()
    with pytest.raises(CbsimError, match=r"is damaged|is no ledger"), Ledger.open(path) as ledger:
        compare(ledger, [])


def test_every_folder_of_the_corpus_is_somebodys() -> None:
    shelves = {target.shelf or target.name for target in TARGETS.values()}
    assert {path.name for path in CORPUS.iterdir()} <= shelves
