"""Tables and lines on standard output, whose reader may be gone, as in `cbsim events | head`."""

from __future__ import annotations

from rich.console import Console

__all__ = ["Page"]


class Page(Console):
    """A console for what may go through a pipe: BrokenPipeError is for the caller to know."""

    def on_broken_pipe(self) -> None:
        """Rich calls this while it handles the error, and would end the program as a failure."""
        raise
