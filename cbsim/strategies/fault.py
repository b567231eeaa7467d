"""Messages with labels, broken ones and odd ones, and the names of the labels for type checkers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from cbsim.wire.fault import Fault, Oddity
from cbsim.wire.message import Message

__all__ = ["FaultName", "Labelled", "Malformed", "Odd", "OddityName"]


FaultName = Literal[
    "truncated-json", "truncated-protobuf", "empty-body", "not-an-object", "wrong-content-type",
    "wrong-type", "missing-field", "duplicate-key", "deep-nesting", "not-a-number", "invalid-utf8",
    "lone-surrogate", "oversized-body", "wrong-length", "corrupt-zip", "zip-bomb",
]  # fmt: skip
"""The values of Fault."""
OddityName = Literal["empty-docs", "unknown-field", "unknown-routing-key", "null"]
"""The values of Oddity."""


@dataclass(frozen=True, slots=True, repr=False)
class Labelled:
    """A message that is not as most are, and why."""

    message: Message

    @property
    def labelled(self) -> Message:
        """The message, which says itself then how it is broken or odd, for the ledger to know."""
        return self.message._replace(broken=str(self))

    def __repr__(self) -> str:
        body = self.message.body
        shown = repr(body) if len(body) <= 2000 else f"{body[:60]!r}... of {len(body)} bytes"
        return f"<{self}; {self.message.routing_key or self.message.exchange} {shown}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """How Hypothesis shows it."""
        printer.text("<...>" if cycle else repr(self))


@dataclass(frozen=True, slots=True, repr=False)
class Malformed(Labelled):
    """A broken message and what is wrong with it."""

    fault: Fault
    detail: str
    """What was done, such as `cut after 17 of 230 bytes`."""
    pointer: str | None = None
    """Of a fault in a field: a JSON pointer to it."""

    def __str__(self) -> str:
        return f"{self.fault}: {self.detail}"


@dataclass(frozen=True, slots=True, repr=False)
class Odd(Labelled):
    """A legal message and what is odd of it."""

    oddity: Oddity
    detail: str
    """What was done, such as `'severity' is new`."""
    pointer: str | None = None
    """Of an odd field: a JSON pointer to it."""

    def __str__(self) -> str:
        return f"{self.oddity.label}: {self.detail}"
