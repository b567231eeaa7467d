"""A long run at half the broker's limit: it takes no more and comes no later as it goes on."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from cbsim.bus.connection import connect
from cbsim.bus.topology import STANDARD, declare
from tests.support.command import CBSIM

_EVERY = 2.0
"""Seconds between looks at the process."""
_GROWTH = 8 << 20
"""Bytes by which the median may grow from the first third after the first minute to the last."""

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc"),
]


class Taken(NamedTuple):
    """What a process takes at some moment."""

    memory: int
    descriptors: int
    threads: int


@pytest.fixture
def bound(broker: str) -> Iterator[None]:
    """A queue that gets everything, and keeps the last thousand."""
    connection = connect(broker)
    channel = connection.channel()
    declare(channel, STANDARD, broker)
    queue = f"soak-{uuid.uuid4().hex}"
    channel.queue_declare(queue, arguments={"x-max-length": 1000})
    channel.queue_bind(queue, STANDARD.events, "#")
    connection.close()
    yield
    connection = connect(broker)
    connection.channel().queue_delete(queue)
    connection.close()


def limit(broker: str) -> float:
    """Messages a second that the broker confirms, about."""
    done = subprocess.run(
        [*CBSIM, "run", "soak", "--broker", broker, "--rate", "max", "--count", "60000"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = re.search(r"confirmed in .* \(([\d,]+)/s\)", done.stderr)
    assert found, done.stderr
    return float(found[1].replace(",", ""))


def taken(process: subprocess.Popen[str]) -> Taken:
    status = Path(f"/proc/{process.pid}/status").read_text()
    fields = dict(re.findall(r"(\w+):\s+(\d+)", status))
    descriptors = len([*Path(f"/proc/{process.pid}/fd").iterdir()])
    return Taken(int(fields["VmRSS"]) << 10, descriptors, int(fields["Threads"]))


def median(numbers: list[int]) -> int:
    return sorted(numbers)[len(numbers) // 2]


def test_five_minutes_at_half_the_limit(
    broker: str, bound: None, tmp_path: Path, long: bool
) -> None:
    if not long:
        pytest.skip("it takes five minutes: --long")
    rate, told = limit(broker) / 2, tmp_path / "told"
    with told.open("w") as err:
        process = subprocess.Popen(
            [*CBSIM, "run", "soak", "--broker", broker, "--rate", f"{rate:.0f}/s",
             "--duration", "5m"], stderr=err, text=True,
        )  # fmt: skip
        looks: list[Taken] = []
        began = time.monotonic()
        while process.poll() is None:
            if time.monotonic() - began > 60:
                looks.append(taken(process))
            time.sleep(_EVERY)
    said = told.read_text()
    assert process.returncode == 0, said[-1000:]
    # Others may need the machine for a moment; what was late has been made up for.
    behind = re.search(r"could not keep up: ([\d.]+) s behind schedule at the end", said)
    assert behind is None or float(behind[1]) < 1, behind
    # The process may end while it is looked at.
    looks = [look for look in looks if look.memory][:-1]
    third = len(looks) // 3
    memory = [look.memory for look in looks]
    grown = median(memory[-third:]) - median(memory[:third])
    sys.stdout.write(f"{rate:,.0f}/s: {memory[0] >> 20} MiB, {grown / 2**20:+.1f} MiB\n")
    assert grown < _GROWTH
    assert len({look.descriptors for look in looks}) == 1
    assert len({look.threads for look in looks}) == 1
