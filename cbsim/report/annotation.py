"""Workflow commands that GitHub shows as annotations, beside the lines that they speak of."""

from __future__ import annotations

from cbsim.printable import printable

__all__ = ["annotation"]


def annotation(level: str, said: str, file: str = "", line: int = 0) -> str:
    """A line for the log of a workflow; `level` is `error`, `warning` or `notice`.

    >>> annotation("error", "100% lost", "a,b.ndjson", 7)
    '::error file=a%2Cb.ndjson,line=7::100%25 lost'
    """
    at = ""
    if file:
        at = " file=" + _escaped(printable(file, limit=1000)).replace(":", "%3A").replace(
            ",", "%2C"
        )
        at += f",line={line}" if line else ""
    return f"::{level}{at}::{_escaped(said)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
