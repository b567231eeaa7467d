"""Feeds and watchlists are such as servers know."""

from __future__ import annotations

import re

from cbsim.world.vocabulary import feeds, load, watchlists

WITHOUT_WORD = {"start", "binary", "unsigned", "executable", "library"}
WITH_WORD = {"filemod", "regmod", "cmdline", "netconn", "path", "childproc"}


def test_names_and_ids_are_there_once() -> None:
    for found in ([feed.name for feed in feeds()], [lst.name for lst in watchlists()]):
        assert len(set(found)) == len(found)
    for feed in feeds():
        ids = [report.id for report in feed.reports]
        assert len(set(ids)) == len(ids), feed.name


def test_a_report_looks_for_what_its_feed_does() -> None:
    for feed in feeds():
        for report in feed.reports:
            assert 1 <= report.score <= 100
            names = set(re.findall(r"\{(.*?)\}", report.ioc))
            assert names <= {"ipv4", "dns", "md5"} & {feed.ioc_type}, report
            used = "".join((report.id, report.title, report.link))
            assert set(re.findall(r"\{(.*?)\}", used)) <= {"ioc"}, report
            assert report.ioc.startswith("q=") == (feed.ioc_type == "query"), report


def test_feeds_of_addresses_and_names_have_ports() -> None:
    for feed in feeds():
        assert bool(feed.ports) == (feed.ioc_type in ("ipv4", "dns")), feed.name


def test_a_watchlist_matches_in_a_way_that_is_known() -> None:
    for watchlist in watchlists():
        assert watchlist.query.startswith("q="), watchlist
        way, mark, word = watchlist.matches.partition(":")
        assert way in (WITH_WORD if mark else WITHOUT_WORD), watchlist
        assert bool(word) == bool(mark)


def test_something_does_what_a_watchlist_of_processes_looks_for() -> None:
    programs = [
        program
        for os in ("windows", "linux", "osx")
        for program in load(os).programs + load(os).malware
    ]
    done = {
        "filemod": [text for program in programs for text in program.files],
        "regmod": [text for program in programs for text in program.keys],
        "cmdline": [text.lower() for program in programs for text in program.commands],
        "path": [program.path for program in programs],
        "netconn": [str(way.port) for program in programs for way in program.connections],
        "childproc": [program.path for program in programs],
    }
    for watchlist in watchlists():
        way, _, word = watchlist.matches.partition(":")
        if word:
            assert any(word in text for text in done[way]), watchlist
