"""The page of a run, its JSON and its CSV."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cbsim.errors import CbsimError, InputError
from cbsim.load.account import (
    Account,
    Judged,
    Origin,
    QueueAccount,
    Times,
    as_csv,
    as_json,
    read,
)
from cbsim.load.timeline import Moment, Standing
from cbsim.report.run_page import run_page, write_run
from cbsim.testing import CbServer
from tests.support.command import cbsim
from tests.support.pages import Seen

TIMES = Times(0.001, 0.002, 0.003, 0.05)


def account(name: str = "orders", broken: bool = True) -> Account:
    moments = [
        Moment(float(second), "calm" if second < 4 else "peak", 100.0, 100.0, 99.0, 100 * second,
               99 * second, 0.0, (0.001, 0.002, 0.003),
               {name: Standing(second * 10, 1, second / 10, None, 90.0)}, 10.0 - second)
        for second in range(1, 11)
    ]  # fmt: skip
    said = "threshold depth < 50: it was 60 of queue 'orders' 6 s into the run, in phase peak"
    return Account(
        kind="cbsim run",
        origin=Origin(name, "seed: 1\n", 1, "5.2", "embedded", datetime(2026, 1, 2, tzinfo=UTC)),
        sent=1000, confirmed=1000, seconds=10.0, interrupted=False, republished=0, behind=TIMES,
        confirms=TIMES, names={"ingress.event.filemod": 900, name: 100},
        queues={name: QueueAccount(100, 100, TIMES)},
        thresholds=[Judged("depth < 50", not broken, 60.0, said, 6.0 if broken else None)],
        moments=moments,
    )  # fmt: skip


def test_a_page_says_what_was_broken_first() -> None:
    shown = run_page(account())
    assert "Threshold depth &lt; 50: it was 60 of queue" in shown
    assert shown.count("<svg") == 4
    for expected in ("consumed", "p99", "peak", "ingress.event.filemod", "90.00%", "seed: 1"):
        assert expected in shown
    assert "the threshold held" in run_page(account(broken=False))
    assert len(shown) < 100_000


def test_a_run_without_broker_or_seconds_has_a_page() -> None:
    bare = replace(account(), confirms=None, queues={}, thresholds=[], moments=[], sent=0,
                   confirmed=0, seconds=0.0, names={})  # fmt: skip
    shown = run_page(bare)
    assert "<svg" not in shown
    assert "0 messages in 0.0 s, all confirmed." in shown


@settings(max_examples=30)
@given(st.text(max_size=40))
def test_nothing_from_outside_acts_in_the_page(name: str) -> None:
    seen, shown = Seen(), run_page(account(f"<script>alert(1)</script>{name}"))
    seen.feed(shown)
    assert seen.open == []
    assert "script" not in seen.tags


def test_json_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(as_json(account()))
    assert as_json(read(tmp_path / "run.json")) == as_json(account())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": "cbsim run"}', "[" * 100_000, "\0"])
def test_what_is_no_account_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match="expected the JSON that `cbsim run --report` writes"):
        read(tmp_path / "a.json")
    with pytest.raises(InputError, match="cannot read"):
        read(tmp_path / "b.json")


def test_csv_has_a_line_a_moment() -> None:
    head, *rows = csv.reader(io.StringIO(as_csv(account())))
    assert head[-5:] == [f"orders: {column}" for column in
                         ("depth", "consumers", "lag", "arrived", "consumed")]  # fmt: skip
    assert len(rows) == 10
    assert rows[-1] == ["10.0", "peak", "100.0", "100.0", "99.0", "1000", "990", "0.0", "0.001",
                        "0.002", "0.003", "100", "1", "1.0", "", "90.0"]  # fmt: skip


def test_files_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(CbsimError, match=r"expected a name that ends in \.html"):
        write_run(account(), tmp_path / "run.json")
    with pytest.raises(CbsimError, match="cannot write"):
        write_run(account(), tmp_path / "nowhere" / "run.html")


def test_a_run_writes_its_report(tmp_path: Path) -> None:
    with CbServer("embedded", exchanges="server") as server:
        words = ["--rate", "200/s", "--duration", "2.5s", "--broker", server.url,
                 "--watch", server.queue("#").name, "--threshold", "depth < 100"]  # fmt: skip
        done = cbsim("run", "quickstart", *words, "--report", str(tmp_path / "run.html"))
    assert done.returncode == 1, done.stderr
    told = read(tmp_path / "run.json")
    assert told.sent == told.confirmed == sum(told.names.values()) == 500
    assert [judged.held for judged in told.thresholds] == [False]
    assert told.moments
    assert next(iter(told.queues.values())).depth == 500
    assert "rate: 200.0" in told.origin.document
    assert "<svg" in (tmp_path / "run.html").read_text()
    assert len((tmp_path / "run.csv").read_text().splitlines()) == 1 + len(told.moments)


def test_a_browser_draws_it(tmp_path: Path) -> None:
    if (browser := shutil.which("chromium")) is None:
        pytest.skip("there is no chromium")
    write_run(account(), tmp_path / "run.html")
    picture = tmp_path / "run.png"
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}",
             "--window-size=1100,1600", f"--screenshot={picture}"]  # fmt: skip
    done = subprocess.run(
        [browser, *words, (tmp_path / "run.html").as_uri()], capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    colours = {colour for _, colour in Image.open(picture).convert("RGB").getcolors(1 << 20)}
    # Lines of a chart, and the mark of what was broken.
    assert {(0x2A, 0x78, 0xD6), (0x1A, 0x9A, 0x6C), (0xC2, 0x2B, 0x2B)} <= colours
