"""The README's commands run as printed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)
# A test file begins with its name: `# test_consumer.py`.
FILES = {
    name: (code, len(code.splitlines()) - 1)
    for code, name in re.findall(
        r"```python\n(# (test_\w+\.py)\b.*?)```", README.read_text(), re.DOTALL
    )
}


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_runs_as_printed(block: str, tmp_path: Path) -> None:
    assert len(block.splitlines()) < 10
    # As in a shell of somebody who has just installed it.
    environment = {name: it for name, it in os.environ.items() if not name.startswith("CBSIM_")}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    said = tmp_path / "said"
    with said.open("w") as file:
        shell = subprocess.Popen(
            ["sh", "-ec", block], cwd=tmp_path, env=environment, stdout=file, stderr=file,
            start_new_session=True,
        )  # fmt: skip
    try:
        assert shell.wait(80) == 0, said.read_text()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
    assert "Traceback" not in said.read_text()


@pytest.mark.parametrize(
    ("name", "limit"), [("test_consumer.py", 15), ("test_parser.py", 20), ("test_recovery.py", 30)]
)
@pytest.mark.parametrize("where", ["embedded", "RabbitMQ"])
def test_a_test_file_passes_as_printed(
    name: str, limit: int, where: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    assert name in FILES, f"README.md has no ```python block that begins with `# {name}`"
    code, lines = FILES[name]
    assert lines < limit
    if where != "embedded" and "faults" in code:
        pytest.skip("a RabbitMQ has no faults on demand")
    (tmp_path / name).write_text(code)
    shutil.copy(README.parent / "examples" / "forwarder.py", tmp_path)
    broker = where if where == "embedded" else request.getfixturevalue("broker")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-Werror", "-pno:cacheprovider",
         f"--cbsim-broker={broker}", name],
        cwd=tmp_path, capture_output=True, text=True, timeout=80, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert f"{code.count(chr(10) + 'def test_')} passed" in done.stdout
