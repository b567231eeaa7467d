"""The page of `cbsim verify --report`, the JSON beside it, and the other forms of a comparison."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cbsim.bus.sink import NullSink
from cbsim.checks import Comparison, Counts, Difference, Ledger, LedgerSink, Record, compare
from cbsim.checks.course import Stretch
from cbsim.errors import CbsimError
from cbsim.report.comparison import show
from cbsim.report.proof import proof_page, write_proof
from cbsim.wire.message import Message
from tests.support.command import piped as cbsim
from tests.support.pages import Seen
from tests.support.stream import everything, sent

LOST, DOUBLED, DAMAGED = 7, 50, 90


def tapped(stream: list[Message], *, damaged: bool) -> list[Record]:
    """What a consumer has of messages: all of them, or one lost, one twice and one altered."""
    records = [Record("tap", number, message=message, envelope={"received": 2e9})
               for number, message in enumerate(stream, 1)]  # fmt: skip
    if damaged:
        altered = records[DAMAGED]
        assert altered.message is not None
        body = altered.message.body[:-9] + b"x" + altered.message.body[-8:]
        message = altered.message._replace(body=body)
        records[DAMAGED] = Record("tap", altered.line, message=message, envelope=altered.envelope)
        records.insert(DOUBLED, records[DOUBLED])
        del records[LOST]
    return records


@pytest.fixture(scope="module")
def whole() -> Comparison:
    return compared(damaged=False)


@pytest.fixture(scope="module")
def damaged() -> Comparison:
    return compared(damaged=True)


def compared(*, damaged: bool) -> Comparison:
    stream = sent(everything(count=400))
    with Ledger(None) as ledger:
        LedgerSink(NullSink(), ledger, counted=True).publish_many(stream)
        return compare(ledger, tapped(stream, damaged=damaged))


def seen(page: str) -> Seen:
    found = Seen()
    found.feed(page)
    assert found.open == []
    return found


def test_a_page_says_that_all_came(whole: Comparison) -> None:
    page = proof_page(whole, {"ledger": "run.ledger"})
    seen(page)
    assert "All 400 messages came through whole." in page
    assert "<dt>ledger</dt><dd>run.ledger</dd>" in page
    assert "Differences" not in page


def test_a_page_names_what_did_not_come(damaged: Comparison) -> None:
    page = proof_page(damaged, {})
    seen(page)
    assert "398 of 400 messages came through whole (99.5 %)" in page
    for kind, number in (("lost", LOST), ("duplicated", DOUBLED), ("corrupted", DAMAGED)):
        row = page.partition(f"<tr><td>{kind}</td>")[2].partition("</tr>")[0]
        assert f"<td>{number}</td>" in row
    assert "Lost or damaged, by time and kind" in page


def test_a_page_draws_the_course_of_a_run() -> None:
    names = {f"ingress.event.{number}": number for number in range(1, 11)}
    late = {"p50": 0.001, "p90": 0.002, "p99": 0.5, "max": 3.0}
    course = [Stretch(0, 1, 100, 0, late), Stretch(1, 1, 100, 55, {}, names),
              Stretch(2, 1, 100, 0, late)]  # fmt: skip
    result = Comparison({"a": Counts(sent=300, received=245, lost=55)}, course=course,
                        latency=late)  # fmt: skip
    page = proof_page(result, {})
    assert "svg" in seen(page).tags
    row = page.partition("<td>1&nbsp;s&nbsp;to&nbsp;2&nbsp;s</td>")[2].partition("</tr>")[0]
    # The six kinds of which most are missing, and the others together.
    assert re.findall(r">(\d+)<", row) == ["100", "10", "9", "8", "7", "6", "5", "10"]


def test_nothing_sent_proves_nothing() -> None:
    assert "Nothing was sent" in proof_page(Comparison(), {})


def test_a_page_is_never_rounded_to_success() -> None:
    almost = Comparison({"a": Counts(sent=10_000_000, received=9_999_999, lost=1)})
    assert "99.99999" in proof_page(almost, {})
    assert "100 %" not in proof_page(almost, {})


def test_what_stands_in_an_output_does_not_act() -> None:
    evil = "<script>alert(1)</script>\x1b[2J"
    difference = Difference("unexpected", evil, None, None, evil, {"host": evil}, evil)
    result = Comparison({evil: Counts(unexpected=1, sent=1)}, [difference])
    assert "script" not in seen(proof_page(result, {evil: evil})).tags


def test_a_page_and_json_beside_it(tmp_path: Path, damaged: Comparison) -> None:
    beside = write_proof(damaged, tmp_path / "proof.html", {})
    assert (tmp_path / "proof.html").read_text().startswith("<!doctype html>")
    assert beside == tmp_path / "proof.json"
    assert json.loads(beside.read_text())["total"]["lost"] == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [("no/proof.html", "cannot write"), ("proof.json", "a name that ends in .html")],
)
def test_a_page_that_cannot_be_written(
    tmp_path: Path, whole: Comparison, name: str, said: str
) -> None:
    with pytest.raises(CbsimError, match=said):
        write_proof(whole, tmp_path / name, {})


def test_junit_has_a_case_for_each_kind_of_message(damaged: Comparison) -> None:
    out = io.StringIO()
    show(damaged, "junit", out)
    suite = ElementTree.fromstring(out.getvalue())
    failed = {
        case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None
    }
    assert suite.get("failures") == str(len(failed))
    assert failed == {one.name for one in damaged.differences if one.kind != "duplicated"}
    assert {*damaged.names} == {case.get("name") for case in suite.iter("testcase")}


def test_annotations_say_where_it_is(damaged: Comparison) -> None:
    out = io.StringIO()
    show(damaged, "github", out)
    lines = out.getvalue().splitlines()
    assert any(line.startswith(f"::error file=tap,line={DAMAGED + 1}::corrupted") for line in lines)
    assert any(line.startswith(f"::warning file=tap,line={DOUBLED + 1}::dupl") for line in lines)
    assert lines[-1].startswith("::error::NOT WHOLE")


def test_the_command_writes_both(tmp_path: Path) -> None:
    ledger, page = tmp_path / "run.ledger", tmp_path / "proof.html"
    Ledger(ledger, {"scenario": "steady-state"}).close()
    done = cbsim("verify", "--ledger", ledger, "--report", page, "-", stdin=b"")
    assert done.returncode == 1
    assert "<dd>steady-state</dd>" in page.read_text()
    assert json.loads(page.with_suffix(".json").read_text())["total"]["sent"] == 0
