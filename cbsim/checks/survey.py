"""Validates files piece by piece, by several processes at once where there is much to read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from cbsim.checks.crew import mapped
from cbsim.checks.source import Piece
from cbsim.checks.validation import Finding, Tally, Validation

__all__ = ["survey"]

_MESSAGE = 500
"""Bytes of a message, about."""


@dataclass(frozen=True, slots=True)
class _Portion:
    """What came of a piece."""

    tally: Tally
    findings: list[Finding]
    """The examples of each group, in order."""
    lines: int


def survey(
    validation: Validation, pieces: Sequence[Piece], advance: Callable[[int], object]
) -> Iterator[tuple[Finding, int]]:
    """What is wrong with the messages in some pieces, and how many findings were like it before.

    Where pieces are shared out to processes, only the first few of those that are alike come; the
    tally of the validation has all. `advance` is told how many bytes were read. Raises InputError.
    """
    size = sum(piece.size for piece in pieces if piece.end is not None)
    if len(pieces) < 2 or size < sum(piece.size for piece in pieces):
        yield from _in_turn(validation, pieces, advance)
        return
    work = partial(_portion, validation.again)
    lines = 0
    for piece, portion in zip(
        pieces, mapped(work, pieces, size // _MESSAGE, work, True), strict=True
    ):
        lines = lines if piece.start else 0
        for finding in portion.findings:
            record = replace(finding.record, line=finding.record.line + lines)
            finding = replace(finding, record=record)
            yield finding, validation.tally.add(finding)
        validation.tally.absorb(portion.tally)
        lines += portion.lines
        advance(piece.size)


class _Counted:
    """Lines, and how many there were so far."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines, self.count = lines, 0

    def __iter__(self) -> Iterator[bytes]:
        for line in self._lines:
            self.count += 1
            yield line


def _in_turn(
    validation: Validation, pieces: Sequence[Piece], advance: Callable[[int], object]
) -> Iterator[tuple[Finding, int]]:
    lines = 0
    for piece in pieces:
        if piece.end is None:
            for record in piece.records():
                for finding in validation.check(record):
                    yield finding, validation.tally.add(finding)
        else:
            lines = lines if piece.start else 0
            content = _Counted(piece.lines())
            for finding in validation.lines(piece.file, content, 1 + lines):
                yield finding, validation.tally.add(finding)
            lines += content.count
        advance(piece.size)


def _portion(again: Callable[[], Validation], piece: Piece) -> _Portion:
    """What came of a piece; lines are counted from its beginning."""
    validation, lines = again(), _Counted(piece.lines())
    findings = []
    for finding in validation.lines(piece.file, lines):
        validation.tally.add(finding)
        group = validation.tally.groups.get(finding.like)
        if group is not None and group.examples[-1] is finding:
            findings.append(finding)
    return _Portion(validation.tally, findings, lines.count)
