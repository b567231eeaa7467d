"""Faults as data, for whoever offers them: a command, an HTTP endpoint."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from cbsim.errors import CbsimError

__all__ = ["Fault", "Limits", "Parameter", "fault_of"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a number may be, or the length of a string in bytes."""

    least: int = 0
    most: float = math.inf

    def __str__(self) -> str:
        return f"{self.least} or more" if self.most == math.inf else f"{self.least} to {self.most}"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a fault."""

    name: str
    type: type[str] | type[int] | type[float]
    doc: str
    default: Any
    required: bool
    optional: bool
    """Whether None is a value."""
    choices: tuple[str, ...] = ()
    limits: Limits = Limits()

    def read(self, value: Any, fault: str) -> Any:
        """The value as the fault takes it; raises CbsimError."""
        if value is None and self.optional:
            return None
        try:
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise ValueError
            if self.type is str and not isinstance(value, str):
                raise ValueError
            made = self.type(value)
            if made != value and not isinstance(value, str):
                raise ValueError
            size = len(made.encode()) if isinstance(made, str) else made
        except (ValueError, OverflowError):
            wanted = {str: "a string", int: "a whole number", float: "a number"}[self.type]
            raise CbsimError(f"fault {fault}: {self.name} {value!r}: expected {wanted}") from None
        if self.choices and made not in self.choices:
            raise CbsimError(
                f"fault {fault}: {self.name} {value!r}: expected {', '.join(self.choices)}"
            )
        limits, unit = self.limits, " bytes" if self.type is str else ""
        if not limits.least <= size <= limits.most or size == math.inf:
            raise CbsimError(f"fault {fault}: {self.name} {value!r}: expected {limits}{unit}")
        return made


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault's name, what it does, and what it takes."""

    name: str
    doc: str
    parameters: Sequence[Parameter]

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as the method takes them; raises CbsimError."""
        known = {one.name: one for one in self.parameters}
        for name in given:
            if name not in known:
                takes = ", ".join(known) or "nothing"
                raise CbsimError(f"fault {self.name}: no parameter {name!r}; it takes {takes}")
        for one in self.parameters:
            if one.required and one.name not in given:
                raise CbsimError(f"fault {self.name}: {one.name} is missing: {one.doc}")
        return {name: known[name].read(value, self.name) for name, value in given.items()}


def fault_of(method: Callable[..., int]) -> Fault:
    """The fault that a method is, from its signature.

    Each parameter is Annotated with its doc, and Limits where it has some of its own.
    """
    hints = get_type_hints(method, include_extras=True)
    parameters = []
    for name, parameter in inspect.signature(method).parameters.items():
        if name == "self":
            continue
        kind, doc, *limits = get_args(hints[name])
        choices: tuple[str, ...] = ()
        optional = get_origin(kind) in (Union, UnionType) and NoneType in get_args(kind)
        if optional:
            (kind,) = (one for one in get_args(kind) if one is not NoneType)
        if get_origin(kind) is Literal:
            choices, kind = get_args(kind), str
        required = parameter.default is inspect.Parameter.empty
        parameters.append(
            Parameter(
                name,
                kind,
                doc,
                None if required else parameter.default,
                required,
                optional,
                choices,
                *limits,
            )
        )
    return Fault(method.__name__, inspect.getdoc(method) or "", tuple(parameters))
