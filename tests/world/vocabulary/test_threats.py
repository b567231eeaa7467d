"""Feeds and watchlists are such as servers know, and something does what they look for."""

from __future__ import annotations

import ntpath
import posixpath
import re

from cbsim.world.vocabulary import OSES, Program, Watchlist, feeds, load, watchlists

ALONE = {"start", "binary", "unsigned", "executable", "library"}
WITH_WORD = {"filemod", "regmod", "cmdline", "netconn", "path", "childproc"}
PROGRAMS = [program for os in OSES for program in load(os).programs + load(os).malware]
BINARIES = [
    found.path for os in OSES for found in load(os).programs + load(os).arrivals + load(os).malware
]


def file_name(path: str) -> str:
    return posixpath.basename(ntpath.basename(path))


def children(program: Program) -> list[str]:
    name = file_name(program.path)
    return [file_name(found.path) for found in PROGRAMS if name in found.parents]


def does(program: Program, what: str, word: str) -> bool:
    """Whether a program does what a term of a query, or `matches`, says; case does not matter."""
    done = {
        "start": [""],
        "process_name": [file_name(program.path)],
        "path": [program.path],
        "cmdline": program.commands,
        "filemod": program.files,
        "regmod": program.keys,
    }
    if what in ("ipport", "netconn"):
        return int(word) in {way.port for way in program.connections}
    if what in ("childproc", "childproc_name"):
        return word in children(program)
    exact = what == "process_name" and word != "*"
    return any(
        word == text.lower() if exact else word.strip("*") in text.lower() for text in done[what]
    )


def terms(query: str) -> list[tuple[str, str]]:
    return [
        (match[1], match[2].strip())
        for match in re.finditer(r"(\w+):(.*?)(?= \w+:|$)", query.removeprefix("q="))
    ]


def satisfies(program: Program, query: str) -> bool:
    return all(does(program, field, word) for field, word in terms(query))


def of(index: str) -> list[Watchlist]:
    return [watchlist for watchlist in watchlists() if watchlist.index == index]


def test_there_are_as_many_as_a_server_has() -> None:
    assert len(feeds()) >= 10
    assert all(6 <= len(feed.reports) <= 15 for feed in feeds())
    assert len(of("process")) >= 12
    assert len(of("binary")) >= 8


def test_names_are_there_once() -> None:
    names = [feed.name for feed in feeds()]
    assert len(set(names)) == len(names)
    lists = [watchlist.name for watchlist in watchlists()]
    assert len(set(lists)) == len(lists)
    for feed in feeds():
        ids = [(report.id, report.title) for report in feed.reports]
        assert len(set(ids)) == len(ids), feed.name


def test_a_report_looks_for_what_its_feed_does() -> None:
    for feed in feeds():
        for report in feed.reports:
            assert 1 <= report.score <= 100
            names = set(re.findall(r"\{(.*?)\}", report.ioc))
            assert names <= {"ipv4", "dns", "md5"} & {feed.ioc_type}, report
            used = f"{report.id} {report.title} {report.link}"
            assert set(re.findall(r"\{(.*?)\}", used)) <= {"ioc"}, report
            assert report.ioc.startswith("q=") == (feed.ioc_type == "query"), report
            assert report.link.startswith(("http://", "https://")), report


def test_feeds_of_addresses_and_names_have_ports() -> None:
    for feed in feeds():
        assert bool(feed.ports) == (feed.ioc_type in ("ipv4", "dns")), feed.name
        assert all(0 < port < 65536 for port in feed.ports)


def test_ports_are_those_of_what_a_feed_is_about() -> None:
    ports = {feed.name: set(feed.ports) for feed in feeds()}
    assert ports["tor"] == {9001, 9030, 443}
    assert ports["cryptomining"] == {3333, 4444, 14444}
    assert ports["c2trackers"] == {443, 8443, 8080, 50050}


def test_a_domain_that_a_report_names_is_connected_to() -> None:
    hosts = {host for program in PROGRAMS for way in program.connections for host in way.hosts}
    for feed in feeds():
        for report in feed.reports:
            if feed.ioc_type == "dns" and "{" not in report.ioc:
                assert report.ioc in hosts, report


def test_the_queries_of_reports_find_something() -> None:
    for feed in feeds():
        for report in feed.reports:
            if feed.ioc_type == "query":
                assert any(satisfies(program, report.ioc) for program in PROGRAMS), report


def test_a_watchlist_matches_in_a_way_that_is_known() -> None:
    for watchlist in watchlists():
        assert watchlist.query.startswith("q="), watchlist
        way, mark, word = watchlist.matches.partition(":")
        assert way in (WITH_WORD if mark else ALONE), watchlist
        assert bool(word) == bool(mark)


def test_what_matches_a_watchlist_of_processes_is_what_its_query_finds() -> None:
    for watchlist in of("process"):
        way, _, word = watchlist.matches.partition(":")
        matching = [program for program in PROGRAMS if does(program, way, word)]
        assert matching, watchlist
        assert [found.path for found in matching if not satisfies(found, watchlist.query)] == []


def test_what_matches_a_watchlist_of_binaries_is_what_its_query_finds() -> None:
    alone = {
        "binary": ("md5", "*"),
        "unsigned": ("digsig_result", "Unsigned"),
        "executable": ("is_executable_image", "true"),
        "library": ("is_executable_image", "false"),
    }
    for watchlist in of("binary"):
        way, _, word = watchlist.matches.partition(":")
        assert terms(watchlist.query) == [alone.get(way, ("observed_filename", word))]
        assert not word or any(word in path for path in BINARIES), watchlist
