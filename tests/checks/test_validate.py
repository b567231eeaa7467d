"""`cbsim validate`: whatever it is given, it says what is wrong, where, and what was expected."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cbsim.bus.sink import as_line
from cbsim.catalog import Dialect, ServerVersion
from cbsim.checks import records
from cbsim.scenario.loader import parse
from cbsim.wire.bundle import join
from cbsim.wire.event import decode
from cbsim.wire.message import JSON_TYPE, PROTOBUF_TYPE, Message
from tests.support.command import CBSIM
from tests.support.command import piped as cbsim
from tests.support.stream import everything, sent


@pytest.fixture(scope="module")
def stream() -> list[Message]:
    return sent(everything(count=600))


def bodies(stream: list[Message], content_type: str) -> list[bytes]:
    return [message.body for message in stream if message.content_type == content_type]


def test_envelopes(tmp_path: Path, stream: list[Message]) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"".join(map(as_line, stream)))
    done = cbsim("validate", path)
    assert (done.returncode, done.stdout) == (0, b"600 messages: 600 valid, 0 invalid\n")
    done = cbsim("validate", "--dialect", "documented", "--format", "json", path)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["messages"] == 600
    assert report["valid"] + report["invalid"] == 600
    assert {group["name"] for group in report["groups"]} >= {"watchlist.hit.process"}


@pytest.mark.parametrize("form", ["lines", "array", "indented"])
def test_bare_json(tmp_path: Path, stream: list[Message], form: str) -> None:
    texts = [body.decode() for body in bodies(stream, JSON_TYPE)]
    path = tmp_path / "bare.json"
    path.write_text({
        "lines": "\n".join(texts) + "\n",
        "array": "[" + ",\n".join(texts) + "]",
        "indented": "\n".join(json.dumps(json.loads(text), indent=2) for text in texts) + "\n",
    }[form])  # fmt: skip
    done = cbsim("validate", path)
    assert done.stdout.decode() == f"{len(texts)} messages: {len(texts)} valid, 0 invalid\n"


@pytest.mark.parametrize("raw", ["bundles", "single"])
@pytest.mark.parametrize("zipped", ["true", "false"])
def test_raw_events_and_bundles(tmp_path: Path, raw: str, zipped: str) -> None:
    stream = sent(parse(f"""
    server: {{raw: {raw}, bundle: 20, zipped: {zipped}, version: 7.x}}
    estate: {{sensors: 3}}
    phases: [{{count: 200, rate: max, cover: true, mix: {{"ingress.event.*": 1}}}}]
    """))  # fmt: skip
    for number, message in enumerate(stream):
        tmp_path.joinpath(f"{number}.bin").write_bytes(message.body)
    done = cbsim("validate", tmp_path)
    assert done.stdout == b"200 messages: 200 valid, 0 invalid\n", done.stdout


@pytest.mark.parametrize("opening", [b"\n{", b"\n["])
@pytest.mark.parametrize("alone", [True, False])
def test_events_that_begin_as_json_does(
    tmp_path: Path, stream: list[Message], opening: bytes, alone: bool
) -> None:
    event = decode(bodies(stream, PROTOBUF_TYPE)[0])
    event.header.ClearField("process_path")
    event.header.process_path = "x" * (opening[1] - event.header.ByteSize() - 2)
    body = event.SerializeToString()
    assert body.startswith(opening)
    path = tmp_path / "event"
    path.write_bytes(body if alone else len(body).to_bytes(4, "little") + body)
    [record] = records(str(path))
    assert record.message is not None
    assert record.message.body == body


def test_a_run_of_events_on_standard_input(stream: list[Message]) -> None:
    events = bodies(stream, PROTOBUF_TYPE)
    done = cbsim("validate", "-", stdin=join(events))
    assert done.stdout.decode() == f"{len(events)} messages: {len(events)} valid, 0 invalid\n"
    done = cbsim("validate", "-", stdin=join(events)[:-3])
    assert done.returncode == 1
    assert b"-: (event" not in done.stdout
    assert b"is cut short" in done.stdout
    assert f"{len(events)} messages: {len(events) - 1} valid, 1 invalid" in done.stdout.decode()


def test_captures_are_valid_and_warned_of(shared: Path) -> None:
    done = cbsim("validate", shared / "captures")
    # One of them is a forwarder's line.
    assert done.returncode == 1, done.stdout
    assert b"/0.json:1: feed.ingress.hit.process the message: expected a message of the bus, " in (
        done.stdout
    )
    assert b", 1 invalid" in done.stdout
    assert b"warning: feed.query.hit.process /docs/0/start" in done.stdout
    quiet = cbsim("validate", "--no-semantic", shared / "captures")
    assert b"warning" not in quiet.stdout


BROKEN = [
    (b'{"md5": "x", "event_timestamp": 1447697628.6, "scores": {}}',
     'a.ndjson:1: binaryinfo.observed /md5: expected a string (MD5, upper case) such as '
     '"9E4B0E7472B4CEBA9E17F440B8CB0AB8", found "x" '
     '(specification: Scenario 1: Observed for the first time on any endpoint '
     '(table, example, capture))'),
    (b'{"md5": ', "a.ndjson:1: no JSON: unexpected end of data"),
    (b"[1, 2]", "a.ndjson (item 1): expected a JSON object, got one of type int"),
    (b'{"exchange": 1, "routing_key": "", "body": ""}',
     "a.ndjson:1: field 'exchange': expected a string, got 1"),
    (b'{"what": 1}', "a.ndjson:1: no notification has these fields; --as NAME says what it is"),
    (b"\xff\xff", "a.ndjson: no raw event"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "expected"), BROKEN)
def test_what_is_broken_is_told_in_a_sentence(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(content + b"\n")
    done = cbsim("validate", path)
    assert done.returncode == 1
    assert done.stderr == b""
    assert done.stdout.decode().replace(f"{tmp_path}/", "").startswith(expected)


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["no-such-file"], "cannot read no-such-file: No such file or directory"),
     ([], "nothing to validate: expected files, or --broker URL"),
     (["-", "--as", "watchlist.hit"], "routing key 'watchlist.hit' is of no kind that is known"),
     (["-", "--dialect", "spoken"], "unknown dialect 'spoken'")],
)  # fmt: skip
def test_wrong_usage(words: list[str], expected: str) -> None:
    done = cbsim("validate", *words)
    assert done.returncode == 2
    assert expected in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_nothing_is_no_success() -> None:
    done = cbsim("validate", "-")
    assert done.returncode == 1
    assert done.stderr == b"cbsim: there were no messages\n"


def test_alike_problems_are_grouped(tmp_path: Path, stream: list[Message]) -> None:
    path = tmp_path / "a.ndjson"
    first = next(one for one in stream if one.routing_key == "binaryinfo.observed")
    broke = first._replace(body=first.body.replace(b'"md5":"', b'"md5":"g'))
    path.write_bytes(as_line(broke) * 5000)
    done = cbsim("validate", path)
    lines = done.stdout.decode().splitlines()
    assert len(lines) == 5
    assert lines[3] == f"4,997 more like {path}:1: binaryinfo.observed /md5"
    assert lines[4] == "5,000 messages: 0 valid, 5,000 invalid"
    junit = ElementTree.fromstring(cbsim("validate", "--format", "junit", path).stdout)
    assert (junit.get("tests"), junit.get("failures")) == ("2", "1")
    failure = junit.find("testcase/failure")
    assert failure is not None
    assert failure.text is not None
    assert failure.text.startswith("5000 times")
    github = cbsim("validate", "--format", "github", path).stdout.decode().splitlines()
    assert len(github) == 4
    assert github[0].startswith(f"::error file={path},line=1::binaryinfo.observed /md5: expected")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to read a peak from")
def test_memory_does_not_grow_with_the_file(tmp_path: Path, stream: list[Message]) -> None:
    path = tmp_path / "long.ndjson"
    lines = b"".join(map(as_line, stream))
    # The peak of this process alone: getrusage would count the one it was forked from too.
    program = (
        "import re, sys; from cbsim.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "status = open('/proc/self/status').read()\n"
        "print(re.search(r'VmHWM:\\s*(\\d+)', status)[1], file=sys.stderr)"
    )
    used = []
    for times in (2, 60):
        path.write_bytes(lines * times)
        done = subprocess.run(
            [sys.executable, "-c", program, "validate", str(path)],
            capture_output=True, check=True,
        )  # fmt: skip
        used.append(int(done.stderr.split()[-1]))
    assert path.stat().st_size > 15_000_000
    assert used[1] - used[0] < 5_000, "KiB"


def test_live(broker: str) -> None:
    consumer = subprocess.Popen(
        [*CBSIM, "validate", "--broker", broker,
         "--count", "300", "--bind", "#"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert consumer.stderr is not None
    assert b"subscribed" in consumer.stderr.readline()
    cbsim("run", "quickstart", "--rate", "max", "--count", 400, "--broker", broker)
    out, _ = consumer.communicate(timeout=60)
    assert out == b"300 messages: 300 valid, 0 invalid\n"
    assert consumer.returncode == 0


@pytest.mark.parametrize("version", ServerVersion)
def test_generate_and_validate(version: ServerVersion) -> None:
    done = cbsim("generate", "feed.storage.hit.process", "--server", version, "--dialect",
                 Dialect.DOCUMENTED, "--count", 3)  # fmt: skip
    done = cbsim("validate", "-", "--dialect", "documented", stdin=done.stdout)
    assert done.stdout == b"3 messages: 3 valid, 0 invalid\n"
