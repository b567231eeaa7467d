"""`cbsim serve` while it runs, and what it printed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support import command

__all__ = ["Served", "cbsim", "serving"]


class Served:
    """A running `cbsim serve`, and what it printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.lines = process, dict[str, str]()
        assert process.stdout is not None
        for line in process.stdout:
            name, _, text = line.strip().partition(" ")
            self.lines[name] = text.strip()
            if name == "subscribe":
                return
        pytest.fail("it ended: " + str(process.stderr and process.stderr.read()))

    @property
    def endpoint(self) -> str:
        return self.lines["health"].removesuffix("/health")

    def health(self) -> dict[str, object]:
        with urllib.request.urlopen(self.lines["health"]) as answer:
            return dict(json.load(answer))

    def fault(self, *args: str) -> subprocess.CompletedProcess[str]:
        return cbsim("fault", "--at", self.endpoint, *args)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> str:
        self.process.send_signal(how)
        _, errors = self.process.communicate(timeout=30)
        return errors


def cbsim(*args: str, **more: str) -> subprocess.CompletedProcess[str]:
    return command.cbsim(*args, timeout=60, env=os.environ | more)


@contextmanager
def serving(*args: str, **more: str) -> Iterator[Served]:
    environment = {name: it for name, it in os.environ.items() if not name.startswith("CBSIM_")}
    process = subprocess.Popen(
        [*command.CBSIM, "serve", *args], text=True, env=environment | more,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Served(process)
    finally:
        process.kill()
        process.communicate()
