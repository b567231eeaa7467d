"""Options that belong together: declared once, and one object for a command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from cbsim.errors import InputError

__all__ = ["given", "grouped", "refuse", "source_of"]

_F = TypeVar("_F", bound=Callable[..., Any])


def grouped(name: str, kind: type[Any], *options: Callable[[Any], Any]) -> Callable[[_F], _F]:
    """Has a command take these options, and its argument of that name be a `kind` of their values:
    a dataclass whose fields are called as the options are.
    """
    taken = [field.name for field in fields(kind)]

    def decorate(function: _F) -> _F:
        @wraps(function)
        def call(**values: Any) -> Any:
            part = {field: values.pop(field) for field in taken if field in values}
            return function(**values, **{name: kind(**part)})

        decorated: Any = call
        for option in reversed(options):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


def refuse(group: Any, why: str) -> None:
    """Raises InputError when options of a group stand on the command line."""
    for parameter in click.get_current_context().command.params:
        if parameter.name in {field.name for field in fields(group)} and given(parameter.name):
            raise InputError(f"{parameter.opts[0]} with {why}")


def source_of(option: str) -> ParameterSource | None:
    """Where the value of an option of the command that runs comes from."""
    return click.get_current_context().get_parameter_source(option)


def given(option: str) -> bool:
    """Whether an option stands on the command line."""
    return source_of(option) is ParameterSource.COMMANDLINE
