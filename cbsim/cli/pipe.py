"""Standard output when it takes no more: its reader is gone, or the disk is full."""

from __future__ import annotations

import os
import sys

__all__ = ["let_go"]


def let_go() -> None:
    """Write what is left, and all that follows, nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
