"""Why an expectation was not met, in words."""

from __future__ import annotations

from collections.abc import Sequence

from cbsim.catalog import NOTIFICATIONS, ServerVersion, id_in_key
from cbsim.checks import Comparison

__all__ = ["explained", "missed"]


def explained(found: Comparison, *, strict: bool) -> str:
    """What an output has that it should not, and lacks; of duplicates and order, if `strict`."""
    sent = sum(counts.sent for counts in found.names.values())
    lines = [f"of {sent} messages that were sent, the output"]
    for kind, words in (("lost", "lacks"), ("corrupted", "has damaged"),
                        ("duplicated", "has twice"), ("unexpected", "has besides")):  # fmt: skip
        count = found.total(kind) if strict or kind != "duplicated" else 0
        if count:
            first = next((one for one in found.differences if one.kind == kind), None)
            lines.append(f"  {words} {count}; the first: {first}")
    if strict and (late := sum(found.disordered.values())):
        lines.append(f"  has {late} after a later one of the same sensor")
    if found.perished:
        lines.append(f"  lacks {found.perished} that may have been lost with the broker")
    if count := found.total("unmatchable"):
        lines.append(f"  cannot be held against {count}: they have nothing that was mapped")
    return "\n".join(lines)


def missed(
    asked: str, found: Comparison, keys: Sequence[str], got: int, sent: int, version: ServerVersion
) -> str:
    """Why fewer messages came than were asked for."""
    said = f"expected {asked}, got {got}"
    if found.lost:
        more = found.total("lost") - 1
        return f"{said}; missing: {found.lost[0]}" + (f" and {more} more" if more else "")
    said += f"; of the {sent} that were sent, these keys match {found.total('sent')}"
    for key in keys:
        entry = NOTIFICATIONS.get(key)
        if entry is not None and id_in_key(entry, version):
            head, _, tail = key.partition(".")
            return f"{said}: a {version} server publishes under {head}.<id>.{tail}"
    return said
