"""RabbitMQ PerfTest, fetched through Maven once and run in Java."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

__all__ = ["PerfTest", "UnavailableError"]

_HERE = Path(__file__).parent
_JARS = _HERE.parent / "build" / "perftest"
_RATE = re.compile(r"sending rate avg: ([\d,]+) msg/s")


class UnavailableError(Exception):
    """PerfTest cannot run here; the text says what is missing."""


class PerfTest:
    """Ready to run. Raises UnavailableError without java, or without what fetches it."""

    def __init__(self) -> None:
        if shutil.which("java") is None:
            raise UnavailableError("no java")
        if not list(_JARS.glob("perf-test-*.jar")):
            if shutil.which("mvn") is None:
                raise UnavailableError("no mvn to fetch it with")
            fetch = ["mvn", "-q", "-B", "-f", str(_HERE / "pom.xml"),
                     "dependency:copy-dependencies", f"-DoutputDirectory={_JARS}"]  # fmt: skip
            if subprocess.run(fetch, capture_output=True, check=False).returncode:
                raise UnavailableError("mvn could not fetch it")
        self.version = next(_JARS.glob("perf-test-*.jar")).stem.removeprefix("perf-test-")

    def publish(
        self, url: str, exchange: str, key: str, *, size: int, count: int, window: int
    ) -> float:
        """Publish to an exchange that is there; returns the messages a second it reports."""
        # To Java's client a path of "/" is a virtual host without a name.
        uri = url.removesuffix("/")
        done = subprocess.run(
            ["java", "-cp", f"{_JARS}/*", "com.rabbitmq.perf.PerfTest", "--uri", uri,
             "--exchange", exchange, "--type", "topic", "--routing-key", key, "--predeclared",
             "--producers", "1", "--consumers", "0", "--size", str(size),
             "--confirm", str(window), "--pmessages", str(count)],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        found = _RATE.findall(done.stdout)
        if not found:
            said = (done.stdout + done.stderr).strip().splitlines() or ["nothing"]
            raise UnavailableError(f"it failed: {said[-1]}")
        return float(found[-1].replace(",", ""))
