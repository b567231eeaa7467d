"""Scenario phases that send what the strategies draw."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from cbsim.bus.sink import NullSink
from cbsim.checks import Ledger, LedgerSink, Record, compare
from cbsim.errors import CbsimError, ScenarioError
from cbsim.scenario.corpus import KINDS, corpora_of
from cbsim.scenario.endless import repeated
from cbsim.scenario.loader import load, parse
from cbsim.scenario.model import Scenario
from cbsim.scenario.runner import run
from cbsim.scenario.stream import FIXED_START, messages
from cbsim.testing import CbServer
from cbsim.wire.fault import Oddity
from cbsim.wire.message import RAW_EXCHANGE


def scenario(mix: str, corpus: int = 60, version: str = "5.2") -> Scenario:
    return parse(f"""
        server: {{version: {version}}}
        phases:
          - {{source: strategies, count: 120, rate: max, corpus: {corpus}, mix: {mix}}}
    """)


def test_a_corpus_is_sent_in_turn_and_the_seed_decides_it() -> None:
    wanted = scenario('{"feed.*": 1, malformed: 1, odd: 1, bundle: 1}')
    sent, again = [*messages(wanted, FIXED_START)], [*messages(wanted, FIXED_START)]
    assert [one[1:] for one in sent] == [one[1:] for one in again]
    assert len(sent) == 120
    names = Counter(name for _, _, name, _ in sent)
    assert set(KINDS) < {*names}
    assert names["bundle"] >= 20
    for _, message, name, _ in sent:
        assert (message.broken is not None) == (name in KINDS)
        assert (message.exchange == RAW_EXCHANGE) == (message.routing_key == "")
        assert message.timestamp >= FIXED_START.timestamp()
    other = wanted.model_copy(update={"seed": 99})
    assert [one[1] for one in messages(other, FIXED_START)] != [one[1] for one in sent]


def test_a_corpus_takes_no_more_memory_than_it_may() -> None:
    with pytest.raises(ScenarioError, match="takes more than 256 MiB; expected a smaller"):
        corpora_of(scenario('{"malformed.oversized-body": 1}', corpus=70))


def test_weights_decide_how_much_of_each_there_is() -> None:
    mix = '{"ingress.event.filemod": 8, "malformed.zip-bomb": 2}'
    names = Counter(name for _, _, name, _ in messages(scenario(mix, 10), FIXED_START))
    # A strategy may have fewer examples than asked for: there is one bomb for a sensor.
    assert 0 < names["malformed.zip-bomb"] <= 24 + 12
    assert names.total() == 120


def test_the_ledger_says_which_are_broken_and_how() -> None:
    wanted = scenario('{"binaryinfo.*": 1, "malformed.invalid-utf8": 1}')
    with Ledger(None) as ledger:
        report = run(wanted, LedgerSink(NullSink(), ledger, counted=True), FIXED_START)
        said = [
            row[0]
            for row in ledger.database.execute("select broken from message order by sequence")
        ]
    broken = [one for one in said if one is not None]
    assert len(broken) == report.per_name["malformed.invalid-utf8"] > 0
    assert all(one.startswith("invalid-utf8: b'") for one in broken)
    assert said.count(None) == report.sent - len(broken)


def test_odd_messages_are_labelled_and_what_has_to_come_is_missed() -> None:
    wanted = scenario('{"watchlist.hit.process": 1, odd: 4}', 80)
    with Ledger(None) as ledger:
        report = run(wanted, LedgerSink(NullSink(), ledger, counted=True), FIXED_START)
        query = "select broken, count(*) from message group by broken"
        said: Counter[str] = Counter()
        for label, count in ledger.database.execute(query):
            said[label and re.fullmatch(r"odd.*?: ([a-z-]+): .*", label)[1]] += count
        for kind in Oddity:
            assert said[kind] == report.per_name[f"odd.{kind}"] > 0
        lost = compare(ledger, [Record("", 1, fields={"type": "?"})]).total("lost")
    # Nobody has to put out what has no documents, or what has a name that nobody knows.
    told = said[Oddity.NULL] + said[Oddity.UNKNOWN_FIELD]
    assert lost + 1 >= said[None] + told >= lost


def test_rounds_of_a_scenario_share_a_corpus() -> None:
    whole = repeated(scenario('{"feed.synchronized": 1}', 5))
    assert len(whole.phases) > 1000
    assert len(corpora_of(whole)) == 1


def test_the_shipped_scenario_mixes_all() -> None:
    shipped = load("corner-cases")
    assert [phase.source for phase in shipped.phases].count("strategies") == 3
    names = Counter(name for _, _, name, _ in messages(shipped, FIXED_START))
    assert {*KINDS, "bundle", "watchlist.hit.process", "ingress.event.filemod"} <= {*names}


def test_a_live_consumer_gets_corner_cases(broker: str, tmp_path: Path) -> None:
    path = tmp_path / "corners.yaml"
    path.write_text("""
        phases:
          - {count: 50, rate: max}
          - source: strategies
            count: 150
            rate: 500/s
            corpus: 120
            mix: {"watchlist.*": 2, malformed: 1}
    """)
    with CbServer(broker) as server:
        queue = server.queue("#")
        report = server.run(str(path))
        assert (report.sent, report.confirmed) == (200, 200)
        taken = queue.expect(200, timeout=20)
        # A robust consumer drops what is broken; one that passes it on does no wrong either.
        known = [one for batch in server.ledger.batches() for one in batch.messages]
        broken = Counter(one[:4] for one in known if one.broken is not None)
        assert broken
        # A body under a wrong content type may be that of a sound message, too.
        sound = []
        for one in taken:
            if broken[server.standard(one)[:4]]:
                broken[server.standard(one)[:4]] -= 1
            else:
                sound.append(one)
        assert len(sound) < 200
        server.assert_consumed(sound)
        server.assert_consumed(taken)


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        ("mix: {malformed: 1}", "'malformed' needs `source: strategies`"),
        ("mix: {bundle: 1}", "'bundle' needs `source: strategies`"),
        ("source: strategies, mix: {malformed.zip-bom: 1}", "did you mean 'malformed.zip-bomb'"),
        ("source: strategies, mix: {odd.nul: 1}", "did you mean 'odd.null'"),
        ("mix: {odd: 1}", "'odd' needs `source: strategies`"),
        ("source: strategies, mix: {watchlist.hit.proces: 1}", "did you mean watchlist.hit.proces"),
        ("source: strategies, mix: {'x.*': 1}", "matches no notification"),
        ("source: strategies, inject: [{at: 0s, spread: {sensors: 1}}]", "`inject` needs"),
        ("source: strategies, cover: true", "`cover` needs `source: world`"),
        ("source: strategy", "'world' or 'strategies'"),
        ("source: strategies, corpus: 0", "corpus"),
    ],
)
def test_a_mistake_in_a_phase_is_explained(phase: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        parse(f"phases:\n  - {{rate: 1/s, count: 1, {phase}}}\n")


def test_what_a_version_does_not_send_is_refused() -> None:
    wanted = scenario("{alert.watchlist.hit.query.process: 1}", version="4.2")
    with pytest.raises(CbsimError, match=r"is not sent by a 4\.2 server"):
        next(messages(wanted, FIXED_START))


def test_without_hypothesis_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(ScenarioError, match=r"needs Hypothesis: pip install 'cbsim\[test\]'"):
        next(messages(scenario("{bundle: 1}"), FIXED_START))
