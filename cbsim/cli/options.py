"""Options that several commands share, one by one."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from cbsim.wire.binding import ALL

__all__ = ["HEALTH_PORT", "bind_option", "moment", "passive_option"]

HEALTH_PORT = 15004
"""Of a served bus, when nothing else is said: its port, 5004, plus 10000."""

bind_option = click.option(
    "--bind",
    "keys",
    multiple=True,
    default=(ALL,),
    metavar="KEY|EXCHANGE[/KEY]",
    help="What the queue is bound to: watchlist.#, api.rawsensordata (the bundles), or "
    "my.exchange/key; as often as you like.  [default: #, all there is]",
)
"""`--bind`, of those who consume and of those who check what was consumed."""

passive_option = click.option(
    "--passive", is_flag=True, help="Declare nothing; the exchanges must be there."
)


def moment(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """An ISO 8601 time, UTC unless it says otherwise."""
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r}: expected a time such as 2024-01-01T09:00:00Z", ctx, param
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
