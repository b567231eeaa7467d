"""`cbsim verify --explain`: an item beside the message that it was compared with."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from cbsim.bus.sink import NullSink
from cbsim.checks import Ledger, LedgerSink
from cbsim.checks.comparison import match
from cbsim.checks.explanation import Explanation, explained
from cbsim.checks.source import pieces
from cbsim.errors import InputError
from cbsim.report.explanation import show_explanations
from cbsim.wire.message import Message
from tests.support.command import piped as cbsim
from tests.support.consumers import FORMATS, Row, rows_of
from tests.support.stream import everything, sent

EDITED, DOUBLED, FOREIGN = 20, 40, 60


@pytest.fixture(scope="module")
def stream() -> list[Message]:
    return sent(everything(count=300))


def output(folder: Path, name: str, stream: list[Message]) -> Path:
    """What a consumer wrote, with a row edited, one twice, and one of another run."""
    known = FORMATS[name]
    rows: list[Row] = [row for _, _, row in rows_of(known, stream)]
    rows[EDITED] = rows[EDITED] | {"sensor": "7777"}
    rows.insert(DOUBLED, rows[DOUBLED])
    alien = {"kind": "feed.synchronized", "when": "1999-01-01T00:00:00.000Z", "guid": "ff",
             "hash": "", "sensor": ""}  # fmt: skip
    rows.insert(FOREIGN, alien)
    path = folder / f"out{known.suffix}"
    path.write_bytes(known.file(rows))
    return path


def asked(folder: Path, stream: list[Message], *wanted: int | str) -> list[Explanation]:
    path = output(folder, "csv", stream)
    with Ledger(None) as ledger:
        LedgerSink(NullSink(), ledger, counted=True).publish_many(stream)
        found = match(ledger, pieces(str(path)), **FORMATS["csv"].options)
        return [item for place in wanted for item in explained(found, str(place))]


def line(number: int) -> int:
    """The line of a row, below the header."""
    return number + 2


def test_each_kind_of_item_is_explained(tmp_path: Path, stream: list[Message]) -> None:
    intact, edited, again, alien = asked(
        tmp_path, stream, line(3), line(EDITED), f"{tmp_path}/out.csv:{line(DOUBLED) + 1}",
        line(FOREIGN),
    )  # fmt: skip
    assert (intact.kind, intact.sequence, intact.mismatches) == ("received", 3, ())
    assert intact.precision == "milliseconds, cut"
    assert {"name", "timestamp", "guid", "sensor"} <= {*intact.compared}
    assert edited.kind == "corrupted"
    assert edited.sequence == EDITED
    assert [mismatch.field for mismatch in edited.mismatches] == ["sensor"]
    assert edited.item["sensor"] == "7777"
    assert again.kind == "duplicated"
    assert again.sequence == DOUBLED
    assert alien.kind == "unexpected"
    assert alien.item["timestamp"] == "1999-01-01T00:00:00.0000000Z"


def test_a_table_says_what_differs_and_what_is_not_compared(
    tmp_path: Path, stream: list[Message]
) -> None:
    out = io.StringIO()
    show_explanations(asked(tmp_path, stream, line(EDITED)), "text", out)
    said = {row.split()[0]: row.rstrip() for row in out.getvalue().splitlines()[2:]}
    assert out.getvalue().startswith(f"{tmp_path}/out.csv:{line(EDITED)}: corrupted, compared with "
                                     f"message {EDITED}\n")  # fmt: skip
    assert said["sensor"].endswith("differs")
    assert "7777" in said["sensor"]
    assert said["pid" if "pid" in said else "host"].endswith("not compared")
    assert "milliseconds, cut" in said["times"]


def test_a_place_where_nothing_stands(tmp_path: Path, stream: list[Message]) -> None:
    with pytest.raises(InputError, match="--explain 9999: nothing stands there"):
        asked(tmp_path, stream, 9999)


def test_the_command(tmp_path: Path, stream: list[Message]) -> None:
    path, ledger = output(tmp_path, "tap", stream[:50]), tmp_path / "run.ledger"
    with Ledger(ledger) as written:
        LedgerSink(NullSink(), written, counted=True).publish_many(stream[:50])
    done = cbsim("verify", "--ledger", ledger, path, "--explain", 4, "--format", "json")
    assert done.returncode == 0
    (said,) = json.loads(done.stdout)
    assert said["kind"] == "received"
    assert said["item"] == said["message"]
    for words in (["--explain", "x"], ["--explain", "4", "--format", "junit"],
                  ["--explain", "4", "--report", tmp_path / "page.html"]):  # fmt: skip
        done = cbsim("verify", "--ledger", ledger, path, *words)
        assert done.returncode == 2
        assert done.stderr.startswith(b"cbsim: --explain")
