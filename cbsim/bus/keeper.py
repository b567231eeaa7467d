"""Keeps what must end with its parent, even when the parent crashes.

The parent holds a pipe to a keeper, a process in a session of its own. When the pipe closes, as it
does however the parent ends, the keeper ends what it keeps. As a program, `keeper.py FOLDER EPMD
COMMAND...` keeps a command whose files are in FOLDER, and the Erlang port mapper that it started
on port EPMD. It needs only the standard library, so that it starts at once.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["kept"]


@contextmanager
def kept(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a keeper, and waits for it to have ended what it keeps. Its output is in `stdout`."""
    keeper = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    try:
        yield keeper
    finally:
        keeper.stdin.close()
        keeper.wait(60)
        keeper.stdout.close()


def _keep(folder: str, epmd: int, command: Sequence[str]) -> None:
    output = Path(folder, "output")
    with output.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )

    def end(*_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # nothing of it is worth an orderly end

    def follow_parent() -> None:
        sys.stdin.buffer.read()
        end()

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=follow_parent, daemon=True).start()
    process.wait()
    end()
    said = output.read_text(errors="replace").strip().splitlines()
    _end_port_mapper(epmd)
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # a parent that crashed reads nothing
        sys.stdout.write(said[-1] if said else "")
        sys.stdout.flush()
    os._exit(0)  # the thread may hold standard input


def _end_port_mapper(port: int) -> None:
    # KILL_REQ of the port mapper's protocol: obeyed once it noticed that its last node is gone.
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as asked:
                asked.sendall(b"\x00\x01k")
                if asked.recv(2) == b"OK":
                    return
        except ConnectionRefusedError:
            return
        except OSError:
            pass
        time.sleep(0.05)


if __name__ == "__main__":
    _keep(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
