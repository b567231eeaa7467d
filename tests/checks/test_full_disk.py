"""A disk that is full when a run begins: what is left behind is in nobody's way."""

from __future__ import annotations

import resource
from functools import partial
from pathlib import Path

from tests.support.command import cbsim


def test_no_ledger_is_left_to_block_the_next_try(tmp_path: Path) -> None:
    ledger = tmp_path / "run.ledger"
    words = ("run", "quickstart", "--rate", "max", "--count", "10", "--sink", "null",
             "--ledger", str(ledger))  # fmt: skip
    full = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (4096, 4096))
    done = cbsim(*words, preexec_fn=full)
    assert done.returncode == 2
    assert f"cbsim: ledger {ledger}: cannot be written: " in done.stderr
    assert [*tmp_path.iterdir()] == []
    done = cbsim(*words)
    assert done.returncode == 0, done.stderr
