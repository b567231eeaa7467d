"""Inputs of people who run such servers: each comes out as its description says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cbsim.bus.recording import recorded
from cbsim.bus.sink import NullSink
from cbsim.catalog import Dialect
from cbsim.checks import Ledger, LedgerSink, compare
from cbsim.checks.record import records
from cbsim.checks.source import pieces
from cbsim.checks.validation import Finding, Tally, Validation

PROCESS, BINARY = "watchlist.hit.process", "watchlist.hit.binary"
ALERT, STORAGE = "alert.watchlist.hit.query.process", "feed.storage.hit.process"
VALID = [
    ("01-binaryinfo.observed-sha256.json", "binaryinfo.observed"),
    ("03-watchlist.hit.process-7x.json", PROCESS),
    ("05-alert.status.updated.json", "alert.status.updated"),
    ("06-alert.watchlist.hit.feedsearch.bin.json", "alert.watchlist.hit.feedsearch.bin"),
    ("07-task.error.logged.json", "task.error.logged"),
    ("09-tap-unknown-keys.ndjson", None),
    ("13-procend-macos-no-pid.bin", "ingress.event.procend"),
    ("15-childproc-macos-no-create-time.bin", "ingress.event.childproc"),
    ("16-remotethread.bin", "ingress.event.remotethread"),
    ("16-remotethread.bin", "ingress.event.crossprocopen"),
    ("17-netconn-7x-ja3.bin", "ingress.event.netconn"),
    ("19-netconnblocked.bin", None),
    ("22-filemod-no-pid-fakebus.bin", "ingress.event.filemod"),
    ("23-feed.storage.hit.process-6.1.json", STORAGE),
    ("24-watchlist.hit.process-5.2.json", PROCESS),
    ("25-alert-without-ioc_attr.json", ALERT),
    ("26-alert-with-ioc_value.json", ALERT),
    ("27-alert-6x-extra.json", ALERT),
    ("29-watchlist.hit.binary-7.5.json", BINARY),
    ("31-watchlist.hit.process-6.1-rest-doc.json", PROCESS),
    ("33-remotethread-on-crossprocopen.ndjson", None),
    ("34-module-no-sha256.bin", "ingress.event.module"),
    ("35-childproc-md5-empty.bin", "ingress.event.childproc"),
    ("37-process-parent_md5-12-bytes.bin", None),
]


def judged(path: Path, name: str | None) -> tuple[Tally, list[Finding]]:
    validation = Validation(Dialect.OBSERVED, name=name)
    found = [finding for record in records(str(path)) for finding in validation.check(record)]
    return validation.tally, found


@pytest.mark.parametrize(("file", "name"), VALID)
def test_what_servers_send_is_valid(shared: Path, file: str, name: str | None) -> None:
    # Told its name, and as it comes.
    for told in {name, None}:
        tally, found = judged(shared / "cases" / file, told)
        assert tally.messages
        assert [str(finding.problem) for finding in found] == []


def test_documents_that_are_no_list_are_refused(shared: Path) -> None:
    for told in (STORAGE, None):
        tally, found = judged(shared / "cases" / "20-docs-as-object.json", told)
        assert tally.invalid == 1
        assert [(finding.name, finding.problem.pointer) for finding in found] == [
            (STORAGE, "/docs")
        ]


@pytest.mark.parametrize(
    "file", ["21-elastic-7x-forwarded.ndjson", "32-forwarded-filemod-int.ndjson"]
)
def test_a_forwarders_lines_are_no_messages(shared: Path, file: str) -> None:
    text = (shared / "cases" / file).read_text()
    lines = [json.loads(line) for line in text.splitlines() if line]
    tally, found = judged(shared / "cases" / file, None)
    assert tally.invalid == tally.messages == len(lines)
    for finding, line in zip(found, lines, strict=True):
        assert finding.problem.rule == "forwarder-line"
        assert "a forwarder's line" in str(finding.problem)
        assert finding.name == line["type"]


@pytest.mark.parametrize(("file", "precision"), [("int", "seconds, cut"), ("ms", "exact")])
def test_a_forwarded_event_is_found_received(shared: Path, file: str, precision: str) -> None:
    """A forwarder writes whole seconds unless it is told otherwise."""
    cases, ledger = shared / "cases", Ledger(None)
    LedgerSink(NullSink(), ledger, counted=True).publish_many([*recorded(cases / "32-sent.ndjson")])
    output = pieces(str(cases / f"32-forwarded-filemod-{file}.ndjson"))
    result = compare(ledger, output, preset="forwarder")
    assert result.whole
    assert result.total("received") == 1
    assert result.precision["raw events"] == precision


def test_the_cases_are_all_looked_at(shared: Path) -> None:
    """What is not here is another test's: outputs of consumers, and folders of captures."""
    looked = {file.partition("-")[0] for file, _ in VALID} | {"20", "21", "32"}
    there = {path.name.partition("-")[0] for path in (shared / "cases").iterdir()}
    assert there - looked <= {"README.md", "10", "11", "39"}
