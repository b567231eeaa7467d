"""The benchmarks run and say what they found; how fast anything is, is not tested."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import __main__ as command
from benchmarks import embedded, publishing, running
from benchmarks.perftest import UnavailableError
from benchmarks.sample import Sample, in_turn, middle, process_of
from benchmarks.targets import TARGETS, outcomes


@pytest.fixture
def no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable() -> None:
        raise UnavailableError("no java")

    monkeypatch.setattr(publishing, "PerfTest", unavailable)


def test_peers_take_turns() -> None:
    order: list[str] = []

    def peer(name: str) -> Sample:
        order.append(name)
        return Sample(10, float(len(order)), 0.5, 2.0)

    samples = in_turn({name: lambda name=name: peer(name) for name in "ab"}, 3)
    assert order == list("ababab")
    assert middle(samples["a"]) == Sample(10, 3.0, 0.5, 2.0)
    assert middle(samples["b"]).rate == 2.5


def test_targets() -> None:
    (kept,) = outcomes({"validation": {"notifications": {"ratio to jsonschema": 20.0}}})[:1]
    assert kept.kept
    (missed,) = outcomes({"running": {"start, seconds": {"first message": 1.6}}})[-1:]
    assert missed.kept is False
    figures = {
        "ratios to prebuilt frames": {"cbsim": 1},
        "peers": {"PerfTest": {"missing": "no java"}},
    }
    unknown = next(
        one for one in outcomes({"publishing": figures}) if "PerfTest" in one.target.what
    )
    assert unknown.kept is None
    assert unknown.missing == "no PerfTest: no java"


def test_the_broker_is_found(broker: str) -> None:
    process = process_of(broker)
    assert process is not None
    assert "beam" in Path(f"/proc/{process}/comm").read_text()


def test_the_whole_table(
    broker: str, no_java: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    measured, ran = publishing.measure, running.measure
    monkeypatch.setattr(publishing, "measure", lambda short: measured(short, count=400, rounds=1))
    monkeypatch.setattr(running, "measure", lambda short: ran(short, seconds=1, rounds=1))
    path = tmp_path / "figures.json"
    assert command.main(["publishing", "running", "--short", "--json", str(path)]) == 0
    written = json.loads(path.read_text())
    assert written["machine"]["broker"].startswith("RabbitMQ")
    expected = [one.what for one in TARGETS if one.path[0] in ("publishing", "running")]
    assert [one["what"] for one in written["targets"]] == expected
    missing = {one["what"]: one["missing"] for one in written["targets"] if one["missing"]}
    assert list(missing.values()) == ["no PerfTest: no java"]
    out = io.StringIO()
    command.report(Console(file=out, width=120), written["machine"], written["figures"],
                   outcomes(written["figures"]))  # fmt: skip
    for said in ("prebuilt frames, no confirms", "no java", "CPU of `cbsim run`"):
        assert said in out.getvalue()


def test_the_embedded_broker_is_measured() -> None:
    figures = embedded.measure(short=True, count=3000, rounds=1)
    (through, ready) = outcomes({"embedded": figures})
    assert through.figure is not None
    assert through.figure > 0
    assert ready.figure is not None


def test_an_unknown_piece(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["nonsense"])
    assert "no such piece: nonsense" in capsys.readouterr().err
