"""A RabbitMQ that can be killed, and started again with what it had on disk."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cbsim.bus import keeper, local
from cbsim.bus.connection import connect
from cbsim.errors import BrokerError
from tests.support.patience import until

__all__ = ["Killable", "killable"]


class Killable:
    """A node in a folder; its URL is that of guest, on loopback."""

    def __init__(self, home: Path) -> None:
        ports = local._Ports(*local._free_ports(3))
        self._environment = local._prepared(home, ports, "")
        definitions = json.dumps(local._definitions("cb", "killable", "/"))
        local._write(home / "definitions.json", definitions)
        self.url = f"amqp://cb:killable@127.0.0.1:{ports.amqp}/%2F"
        self._home, self._epmd = home, ports.epmd
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self._home / "output").open("ab") as out:
            self._process = subprocess.Popen(
                [local._server()], env=self._environment, stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        until(self._answers, patience=90)

    def kill(self) -> None:
        """SIGKILL to all of it."""
        assert self._process is not None
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._home / "output").read_text()
        try:
            connect(self.url).close()
        except BrokerError:
            return False
        return True


@contextmanager
def killable() -> Iterator[Killable]:
    home = Path(tempfile.mkdtemp(prefix="cbsim-killable-"))
    node = Killable(home)
    try:
        node.start()
        yield node
    finally:
        node.kill()
        keeper._end_port_mapper(node._epmd)
        shutil.rmtree(home, ignore_errors=True)
