"""Wakes a thread that polls."""

from __future__ import annotations

import os
import select
from contextlib import suppress

__all__ = ["Bell"]


class Bell:
    """Wakes a thread that polls; rung and hushed with the publisher's lock held."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._poll = select.poll()
        self._poll.register(self._read, select.POLLIN)
        self._open, self._ringing = True, False

    def fileno(self) -> int:
        """For a poll."""
        return self._read

    def ring(self) -> None:
        """Wake who polls, if it has not been rung already."""
        if self._open and not self._ringing:
            self._ringing = True
            os.write(self._write, b"!")

    def hush(self) -> None:
        """So that it can be rung again."""
        if self._ringing:
            self._ringing = False
            with suppress(BlockingIOError):
                os.read(self._read, 4096)

    def rung(self, patience: float) -> None:
        """Wait for it, that many seconds."""
        self._poll.poll(patience * 1000)

    def close(self) -> None:
        """It can be rung on, without any effect."""
        self._open = False
        os.close(self._read)
        os.close(self._write)
