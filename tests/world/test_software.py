"""What the vocabulary says of programs is what the estate has of them."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime
from io import BytesIO
from random import Random

import pytest
from PIL import Image

from cbsim.catalog import DIGSIG_RESULTS, ServerVersion
from cbsim.scenario.loader import parse
from cbsim.scenario.stream import FIXED_START, messages
from cbsim.wire.clock import parse_iso_time
from cbsim.wire.event import decode
from cbsim.world import facts
from cbsim.world.account import service_account
from cbsim.world.estate import Estate
from cbsim.world.path import Paths
from cbsim.world.setting import EstateSize, OsMix
from cbsim.world.software import Software
from cbsim.world.vocabulary import OSES, PLACEHOLDERS, feeds, load, watchlists

SOFTWARE = Software(1)
ESTATE = Estate(EstateSize(sensors=40, os=OsMix(windows=1, linux=1, osx=1)), 1)
HOLES = re.compile("{(" + "|".join(PLACEHOLDERS) + ")}")
LATEST = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("os", OSES)
def test_a_path_is_one_file_however_many_programs_it_has(os: str) -> None:
    programs = SOFTWARE.programs[os]
    assert len(programs) == len(SOFTWARE.weights[os]) == len(load(os).programs)
    files: dict[str, set[tuple[bytes, bytes, int]]] = {}
    for binary in programs:
        assert binary.program is not None
        files.setdefault(binary.path, set()).add((binary.md5, binary.sha256, binary.size))
        assert SOFTWARE.named(os, binary.filename).filename == binary.filename
        loaded = SOFTWARE.loads(binary)
        assert loaded == tuple(SOFTWARE.file(os, path) for path in binary.program.libraries)
        assert binary.path not in {one.path for one in loaded}
    assert all(len(those) == 1 for those in files.values())
    assert len(files) < len(programs)


@pytest.mark.parametrize("os", OSES)
def test_any_run_of_new_binaries_has_every_result_of_a_signature(os: str) -> None:
    for first in (1, 10_000_000):
        new = [SOFTWARE.arriving(os, number) for number in range(first, first + 500)]
        assert len({binary.md5 for binary in new}) == 500
        assert {binary.product.executable for binary in new} == {False, True}
        results = Counter(binary.product.digsig for binary in new)
        assert results.keys() == ({"Unsigned"} if os == "linux" else {*DIGSIG_RESULTS})
        assert not [it.path for it in new if HOLES.search(it.at("ann"))]
    assert SOFTWARE.arriving(os, 5).path == Software(1, [os]).arriving(os, 5).path


def test_products_were_signed_and_files_built_before_the_stream() -> None:
    moments = set()
    for number in range(500):
        binary = SOFTWARE.arriving("windows", number)
        signed = datetime.fromtimestamp(binary.product.signed_at, UTC)
        assert datetime.fromtimestamp(binary.built_at, UTC) < signed < LATEST
        moments.add(signed)
        said = facts.of_product(binary.product, ServerVersion.V5_2).facts
        if binary.product.digsig != "Unsigned":
            assert said["digsig_sign_time"] == f"{signed:%Y-%m-%dT%H:%M:%S}.000Z".encode()
    assert len(moments) > 100


def test_modules_say_when_they_were_built_and_signed() -> None:
    scenario = parse("""
    estate: {sensors: 5, os: {windows: 1, linux: 0, osx: 0}}
    phases: [{count: 400, rate: 100/s, mix: {ingress.event.module: 1}}]
    """)
    icons, paths = set(), set()
    for _, message, _, _ in messages(scenario, FIXED_START):
        module = decode(message.body).module
        built = int.from_bytes(module.ImageFileHeader[4:8], "little")
        assert 2019 <= datetime.fromtimestamp(built, UTC).year <= 2023
        if said := module.utf8_DigSig_SignTime:
            signed = datetime.strptime(said, "%I:%M %p %m/%d/%Y").replace(tzinfo=UTC)
            assert built < signed.timestamp() < LATEST.timestamp()
        paths.add(module.utf8_OnDiskFilename)
        if module.Icon:
            icons.add(bytes(module.Icon))
    assert not [path for path in paths if HOLES.search(path) or "%s" in path]
    assert len(icons) > 5
    for icon in icons:
        with Image.open(BytesIO(icon)) as picture:
            assert picture.format in ("PNG", "ICO")
            picture.load()


@pytest.mark.parametrize("os", OSES)
def test_no_hole_is_left_in_what_programs_do(os: str) -> None:
    paths = Paths(Random(1))
    for program in load(os).programs:
        for file in paths.files(program.files, "ann", "S-1-5-21-7"):
            for _ in range(3):
                first, second, groups = file.draw()
                said = b"".join((file.entry, groups, file.guid, file.start, first, file.middle,
                                 second, file.end))  # fmt: skip
                (string,) = decode(b"\x0a\x02\x08\x04" + said).strings
                text = string.utf8string.decode()
                assert not HOLES.search(text), text


def test_programs_run_as_their_accounts() -> None:
    system, local = (service_account("windows", name) for name in ("system", "local service"))
    assert (system.account, system.sid) == ("NT AUTHORITY\\SYSTEM", "S-1-5-18")
    assert (local.account, local.sid) == ("NT AUTHORITY\\LOCAL SERVICE", "S-1-5-19")
    assert service_account("windows", "network service").sid == "S-1-5-20"
    assert service_account("linux", "root").sid == "0"
    for os in OSES:
        for program in (*load(os).programs, *load(os).malware):
            if program.account != "user":
                assert service_account(os, program.account).account


def test_programs_call_whom_the_vocabulary_says() -> None:
    assert ESTATE.calls(SOFTWARE.named("windows", "notepad.exe").program) == ()
    for os in OSES:
        for program in load(os).programs:
            calls = ESTATE.calls(program)
            assert {call.host for call in calls} == {
                host for connection in program.connections for host in connection.hosts
            }
            for call in calls:
                assert (call.host == "") == (call.address in {it.ip for it in ESTATE.sensors})
                assert not call.host or call.address == ESTATE.address(call.host)


def test_command_lines_are_whole() -> None:
    scenario = parse("""
    estate: {sensors: 50}
    phases: [{count: 3000, rate: 100/s, mix: {ingress.event.procstart: 1}}]
    """)
    said = set()
    for _, message, _, _ in messages(scenario, FIXED_START):
        event = decode(message.body)
        said.add(event.process.commandline.decode())
    assert not [line for line in said if HOLES.search(line)]
    assert len(said) > 500


def test_feeds_and_watchlists_are_the_vocabularys() -> None:
    assert [feed.name for feed in ESTATE.feeds] == [row.name for row in feeds()]
    for feed, row in zip(ESTATE.feeds, feeds(), strict=True):
        assert feed.ports == row.ports
        for report in feed.reports:
            assert report.title
            assert report.link
            assert "{" not in report.id + report.title + report.link + report.ioc_value
        assert feed.about("ab" * 16).ioc_value == "ab" * 16
    assert [(it.name, it.matches) for it in ESTATE.watchlists] == [
        (row.name, row.matches) for row in watchlists()
    ]


def test_the_server_has_binaries_as_sensors_copy_them() -> None:
    new = [SOFTWARE.arriving("windows", number) for number in range(2000)]
    part = [binary for binary in new if binary.copied != binary.size]
    assert all(0 <= binary.copied < binary.size for binary in part)
    assert len(part) / len(new) == pytest.approx(0.14, abs=0.03)
    shares = sorted(binary.compressed / binary.size for binary in new)
    captured = (0.11, 0.32, 0.46, 0.55, 0.75)
    for share, expected in zip((0.05, 0.25, 0.5, 0.75, 0.95), captured, strict=True):
        assert shares[int(share * len(shares))] == pytest.approx(expected, abs=0.05)


def test_a_report_was_brought_up_to_date_before_its_hit() -> None:
    for report in (report for feed in ESTATE.feeds for report in feed.reports):
        (feed,) = [feed for feed in ESTATE.feeds if report in feed.reports]
        updates = set()
        for days in range(0, 20, 5):
            now = 133_485_408_000_000_000 + days * 864_000_000_000
            said = facts.scores(feed, report, now)
            name = f"alliance_updated_{feed.name}"
            updated = json.loads(b"{%b}" % said["alliance_updated_<feed> string"][1:])[name]
            age = (now - parse_iso_time(updated)) / 864_000_000_000
            assert 1 <= age <= 182
            updates.add(updated)
            link = json.loads(b"{%b}" % said["alliance_link_<feed> string"][1:])
            assert link == {f"alliance_link_{feed.name}": report.link}
        assert len(updates) <= 2
