"""The tables of programs say what can be, and only in the words of the interface."""

from __future__ import annotations

import ntpath
import posixpath
import re
from collections.abc import Iterable

import pytest

from cbsim.world.vocabulary import OSES, PLACEHOLDERS, Program, Vocabulary, load

ACCOUNTS = {"user", "system", "local service", "network service"}


@pytest.fixture(params=OSES)
def vocabulary(request: pytest.FixtureRequest) -> Vocabulary:
    return load(request.param)


def file_name(path: str) -> str:
    return posixpath.basename(ntpath.basename(path))


def all_programs(vocabulary: Vocabulary) -> tuple[Program, ...]:
    return vocabulary.programs + vocabulary.malware


def names(vocabulary: Vocabulary) -> set[str]:
    return {file_name(program.path) for program in vocabulary.programs}


def texts(program: Program) -> Iterable[str]:
    yield program.path
    yield from program.commands
    yield from program.libraries
    yield from program.files
    yield from program.keys


SIZES = {"windows": (250, 60, 6), "linux": (130, 40, 4), "osx": (100, 40, 4)}
KINDS = set(
    """browser office shell compiler service updater installer utility agent server database script
    mail chat media system""".split()
)


def test_there_is_enough_of_everything(vocabulary: Vocabulary) -> None:
    programs, arrivals, malware = SIZES[vocabulary.os]
    assert len({program.path for program in vocabulary.programs}) >= programs
    assert len(vocabulary.arrivals) >= arrivals
    assert len(vocabulary.malware) >= malware
    assert {program.kind for program in vocabulary.programs} <= KINDS


def test_malware_is_of_the_kinds_that_feeds_know(vocabulary: Vocabulary) -> None:
    kinds = {program.kind: program for program in vocabulary.malware}
    assert {"ransomware", "miner", "beacon", "dropper"} <= set(kinds)
    ports = {kind: {way.port for way in kinds[kind].connections} for kind in ("miner", "beacon")}
    assert ports["miner"] == {3333, 4444, 14444}
    assert {443, 8443, 8080} <= ports["beacon"]


def test_the_path_stands_in_command_lines_already(vocabulary: Vocabulary) -> None:
    assert not [
        text for program in all_programs(vocabulary) for text in texts(program) if "{path}" in text
    ]


def test_every_parent_is_a_program(vocabulary: Vocabulary) -> None:
    started = {parent for program in all_programs(vocabulary) for parent in program.parents}
    assert started <= names(vocabulary)


def test_every_program_descends_from_the_first(vocabulary: Vocabulary) -> None:
    reached = {file_name(found.path) for found in vocabulary.programs if not found.parents}
    assert len(reached) <= 2
    while more := {
        file_name(found.path)
        for found in vocabulary.programs
        if reached & set(found.parents) and file_name(found.path) not in reached
    }:
        reached |= more
    assert names(vocabulary) - reached == set()


def test_every_publisher_is_known(vocabulary: Vocabulary) -> None:
    makers = {found.publisher for found in all_programs(vocabulary)}
    makers |= {arrival.publisher for arrival in vocabulary.arrivals}
    assert makers <= set(vocabulary.publishers)
    for publisher in vocabulary.publishers.values():
        assert publisher.signs == bool(publisher.issuer), publisher


def test_braces_hold_known_placeholders_only(vocabulary: Vocabulary) -> None:
    for program in all_programs(vocabulary):
        for text in texts(program):
            assert set(re.findall(r"\{(.*?)\}", text)) <= set(PLACEHOLDERS), text
            assert re.fullmatch(r"([^{}]|\{\w+\})*", text), text
    for arrival in vocabulary.arrivals:
        assert set(re.findall(r"\{(.*?)\}", arrival.path)) <= {
            "user",
            "hex",
            "number",
            "guid",
            "date",
            "word",
        }


def test_a_host_is_named_only_where_there_is_one(vocabulary: Vocabulary) -> None:
    for program in all_programs(vocabulary):
        if any("{host}" in text for text in texts(program)):
            assert any(host for way in program.connections for host in way.hosts), program.path


def test_the_libraries_of_a_program_are_other_files_each_once(vocabulary: Vocabulary) -> None:
    for program in all_programs(vocabulary):
        assert len(set(program.libraries)) == len(program.libraries), program.path
        assert program.path not in program.libraries
    assert len(set(vocabulary.libraries)) == len(vocabulary.libraries)


def test_what_a_program_mainly_does_it_can_do(vocabulary: Vocabulary) -> None:
    parents = {parent for program in all_programs(vocabulary) for parent in program.parents}
    for program in all_programs(vocabulary):
        able = {
            "loads": bool(program.libraries),
            "files": bool(program.files),
            "keys": bool(program.keys),
            "connections": bool(program.connections),
            "processes": file_name(program.path) in parents,
        }
        assert able[program.mainly], (program.path, program.mainly)


def test_a_program_starts_now_and_then_with_a_command_line(vocabulary: Vocabulary) -> None:
    for program in all_programs(vocabulary):
        assert program.weight > 0, program.path
        assert program.commands, program.path


def test_programs_with_one_path_are_one_file_used_in_several_ways(vocabulary: Vocabulary) -> None:
    seen: dict[str, Program] = {}
    ways = [(found.path, found.account, found.commands) for found in vocabulary.programs]
    assert len(set(ways)) == len(ways)
    for found in vocabulary.programs:
        other = seen.setdefault(found.path, found)
        assert (found.publisher, found.product, found.version, found.description) == (
            other.publisher,
            other.product,
            other.version,
            other.description,
        )


def test_arrivals_are_written_by_programs(vocabulary: Vocabulary) -> None:
    assert {arrival.writer for arrival in vocabulary.arrivals} <= names(vocabulary)
    paths = [arrival.path for arrival in vocabulary.arrivals]
    assert len(set(paths)) == len(paths)


def test_malware_has_a_new_name_each_time(vocabulary: Vocabulary) -> None:
    assert all("{hex}" in program.path for program in vocabulary.malware)


def test_windows_paths_are_lower_case_and_others_absolute() -> None:
    for program in all_programs(load("windows")):
        for path in (program.path, *program.libraries):
            assert path == path.lower()
            assert path == "system" or re.match(r"[a-z]:\\", path), path
        for path in program.files:
            assert path == path.lower()
            assert re.match(r"[a-z]:\\", path), path
        for key in program.keys:
            assert key.startswith(("\\registry\\machine\\", "\\registry\\user\\")), key
            assert key == key.lower()
    for os in ("linux", "osx"):
        for program in all_programs(load(os)):
            assert program.keys == ()
            assert program.account not in ACCOUNTS - {"user"}
            for path in (program.path, *program.libraries, *program.files):
                assert path.startswith("/"), path


def test_windows_programs_run_as_an_account_that_windows_has() -> None:
    assert {program.account for program in all_programs(load("windows"))} == ACCOUNTS


def test_browsers_speak_http_over_tcp_and_quic(vocabulary: Vocabulary) -> None:
    ends = {
        (way.protocol, way.port)
        for found in vocabulary.programs
        if found.kind == "browser"
        for way in found.connections
    }
    assert {("tcp", 443), ("tcp", 80), ("udp", 443)} <= ends


def test_what_lives_shortest_does_little(vocabulary: Vocabulary) -> None:
    for found in vocabulary.programs:
        if found.lifetime == "instant":
            assert found.kind not in {"browser", "office", "service", "server", "agent", "chat"}


def test_editors_and_compilers_do_not_connect(vocabulary: Vocabulary) -> None:
    silent = [
        found
        for found in vocabulary.programs
        if found.kind == "compiler" or file_name(found.path) in {"notepad.exe", "nano", "TextEdit"}
    ]
    assert silent
    assert [found.path for found in silent if found.connections] == []


def test_the_name_service_of_windows_asks_as_network_service() -> None:
    (resolver,) = (
        found
        for found in load("windows").programs
        if any("Dnscache" in command for command in found.commands)
    )
    assert resolver.account == "network service"
    assert [(way.protocol, way.port) for way in resolver.connections][:1] == [("udp", 53)]
