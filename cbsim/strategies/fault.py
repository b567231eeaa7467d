"""A broken message with its label, and the names of the faults for type checkers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from cbsim.wire.fault import Fault
from cbsim.wire.message import Message

__all__ = ["FaultName", "Malformed"]


FaultName = Literal[
    "truncated-json", "truncated-protobuf", "empty-body", "not-an-object", "wrong-content-type",
    "wrong-type", "missing-field", "unknown-field", "duplicate-key", "deep-nesting",
    "not-a-number", "invalid-utf8", "lone-surrogate", "oversized-body", "wrong-length",
    "corrupt-zip", "zip-bomb",
]  # fmt: skip
"""The values of Fault."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A broken message and what is wrong with it."""

    message: Message
    fault: Fault
    detail: str
    """What was done, such as `cut after 17 of 230 bytes`."""
    pointer: str | None = None
    """Of a fault in a field: a JSON pointer to it."""

    @property
    def labelled(self) -> Message:
        """The message, which says itself then how it is broken: a ledger does not expect it."""
        return self.message._replace(broken=str(self))

    def __str__(self) -> str:
        return f"{self.fault}: {self.detail}"

    def __repr__(self) -> str:
        body = self.message.body
        shown = repr(body) if len(body) <= 2000 else f"{body[:60]!r}... of {len(body)} bytes"
        return f"<{self}; {self.message.routing_key or self.message.exchange} {shown}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """How Hypothesis shows it."""
        printer.text("<...>" if cycle else repr(self))
