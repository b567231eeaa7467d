"""Draws docs/session.svg: commands that are run, and what they show: `make picture`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).parent
COUNT = 20_000
TAP = f"cbsim tap --out tap.ndjson --count {COUNT} &"
SESSION = (
    f"cbsim run tor-beacon --rate max --count {COUNT} --ledger run.ledger",
    "cbsim verify --ledger run.ledger tap.ndjson",
    "sed -i 40,42d tap.ndjson; cbsim verify --ledger run.ledger tap.ndjson | tail -5",
    "cbsim validate tap.ndjson",
)


def main() -> None:
    """Run the session and write the picture."""
    console = Console(record=True, width=124, file=Path(os.devnull).open("w"))  # noqa: SIM115
    with tempfile.TemporaryDirectory() as folder:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = os.environ | {"PATH": path, "COLUMNS": "124"}
        tap = subprocess.Popen(
            TAP.removesuffix(" &").split(), cwd=folder, env=environment,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert tap.stderr is not None
        tap.stderr.readline()
        _show(console, TAP, "")
        for command in SESSION:
            done = subprocess.run(
                ["sh", "-c", command], cwd=folder, env=environment,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            )  # fmt: skip
            if command is SESSION[0]:
                tap.wait(60)
            _show(console, command, _shortened(done.stdout))
    console.save_svg(str(HERE / "session.svg"), title="cbsim")


def _show(console: Console, command: str, output: str) -> None:
    console.print(Text("$ ", "bold green") + Text(command, "bold"))
    console.print(Text(output.rstrip("\n")) if output else Text(""))
    if output:
        console.print()


def _shortened(output: str, head: int = 5, tail: int = 4) -> str:
    """The first and the last lines, where there are many."""
    lines = [line.partition("@127.0.0.1")[0] + "@localhost/" if "amqp://" in line else line
             for line in output.splitlines()]  # fmt: skip
    if len(lines) > head + tail + 2:
        lines = [*lines[:head], "...", *lines[-tail:]]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
