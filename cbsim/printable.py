"""Text from outside, made safe to show: in a terminal, in a log, in an error, in a report."""

from __future__ import annotations

import json

__all__ = ["printable", "printable_json", "printable_lines"]


def printable(value: object, limit: int = 200) -> str:
    r"""One line of text in which nothing acts: whatever does not print is shown as an escape.

    That is control characters (and so escape sequences of terminals), line ends, marks that turn
    the direction of text, and lone surrogates. Bytes are taken as UTF-8. What is longer than
    `limit` characters is cut, and ends in three dots.

    >>> printable("name\x1b[2J\n\u202e")
    'name\\x1b[2J\\n\\u202e'
    >>> printable(b"\xffabc", limit=6)
    '\\xf...'
    """
    if isinstance(value, bytes):
        text = value[: 4 * limit].decode("utf-8", "backslashreplace")
    else:
        text = value if isinstance(value, str) else str(value)
    # No more than can be shown is looked at.
    text = text[: limit + 1]
    if not text.isprintable():
        text = "".join(map(_shown, text))
    return text if len(text) <= limit else text[: max(0, limit - 3)] + "..."


def printable_lines(value: object) -> str:
    """Text of several lines, each of them as `printable` shows it."""
    return "\n".join(printable(line, limit=2000) for line in str(value).split("\n"))


def printable_json(text: str) -> str:
    r"""A JSON text of the same meaning, in which nothing acts but its line ends.

    >>> print(printable_json('{"name": "\x9b2J"}'))
    {"name": "\u009b2J"}
    """
    if text.replace("\n", "").isprintable():
        return text
    return "".join(it if it.isprintable() or it == "\n" else json.dumps(it)[1:-1] for it in text)


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
