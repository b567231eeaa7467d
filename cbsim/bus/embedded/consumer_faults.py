"""Faults for whoever consumes: they leave our own publisher alone."""

from __future__ import annotations

from typing import Any

from cbsim.bus.embedded.faults import FAULTS, Faults

__all__ = ["ConsumerFaults"]

_SELECTORS = frozenset({"connection", "queue", "consumer"})


class ConsumerFaults:
    """Faults that spare connections without a consumer, unless they are for one by its name.

    `go_away` spares nobody.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults, self.active = faults, faults.active

    def apply(self, name: str, /, **parameters: Any) -> int:
        """As `Faults.apply`."""
        fault = FAULTS.get(name)
        selects = fault and "queue" in {parameter.name for parameter in fault.parameters}
        if selects and not _SELECTORS & parameters.keys():
            parameters["queue"] = "*"
        return self._faults.apply(name, **parameters)
