"""The command line, run as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

__all__ = ["CBSIM", "cbsim", "piped"]

CBSIM = [sys.executable, "-m", "cbsim"]


def cbsim(*words: str, timeout: float = 120, **settings: Any) -> subprocess.CompletedProcess[str]:
    """A command that has ended, with text; `settings` are those of `subprocess.run`."""
    return subprocess.run(
        [*CBSIM, *words], capture_output=True, text=True, timeout=timeout, check=False, **settings
    )


def piped(*words: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """A command in a pipe, with bytes, and without a broker in its environment."""
    return subprocess.run(
        [*CBSIM, *map(str, words)], input=stdin, capture_output=True, check=False,
        env={name: value for name, value in os.environ.items() if name != "CBSIM_BROKER_URL"},
    )  # fmt: skip
