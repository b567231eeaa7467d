"""What a shell completes: names, server versions, dialects, scenarios."""

from __future__ import annotations

from collections.abc import Callable

import click

__all__ = ["dialects", "names", "one_of", "scenarios", "versions"]

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def one_of(*words: str) -> Complete:
    """Completes one of these words."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete


def names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Completes the names of notifications and raw events."""
    from cbsim.catalog import NOTIFICATIONS, RAW_EVENTS

    return [name for name in (*NOTIFICATIONS, *RAW_EVENTS) if name.startswith(incomplete)]


def versions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Completes server versions."""
    from cbsim.catalog import ServerVersion

    return [str(version) for version in ServerVersion if version.startswith(incomplete)]


def dialects(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Completes dialects."""
    from cbsim.catalog import Dialect

    return [str(dialect) for dialect in Dialect if dialect.startswith(incomplete)]


def scenarios(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Completes the names of shipped scenarios."""
    from cbsim.scenario.loader import shipped

    return [name for name in shipped() if name.startswith(incomplete)]
