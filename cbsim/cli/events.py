"""`cbsim events`: the catalog as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cbsim.catalog import (
    NOTIFICATIONS,
    RAW_EVENTS,
    Notification,
    RawEvent,
    ServerVersion,
    lookup,
)
from cbsim.catalog import names as sent_by
from cbsim.cli.completion import names, versions

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["command"]


@click.command("events", short_help="Show everything the server can say.")
@click.argument("name", required=False, shell_complete=names)
@click.option("--server", metavar="VERSION", shell_complete=versions,
              help="Only what that version sends.")  # fmt: skip
def command(name: str | None, server: str | None) -> None:
    """Show the catalog: every notification and raw event, or the fields of NAME.

    Of each field: its type in the specification's table, the JSON of both dialects, the version
    that began it, how often it is there, and where it is known from.
    """
    from cbsim.report.page import Page

    version = ServerVersion.parse(server) if server else None
    page = Page(highlight=False)
    if name is None:
        page.print(_everything(version))
        return
    entry = lookup(name)
    page.print(_of_notification(entry, version) if isinstance(entry, Notification) else
               _of_event(entry, version))  # fmt: skip
    if entry.note:
        page.print(f"\n{entry.note}")


def _table(*titles: str, fixed: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, no_wrap=title in fixed.split())
    return table


def _everything(version: ServerVersion | None) -> Table:
    table = _table("name", "since", "format", "meaning", fixed="name since format")
    for name in sent_by(version) if version else (*NOTIFICATIONS, *RAW_EVENTS):
        entry = lookup(name)
        body = entry.content_type.removeprefix("application/")
        guessed = isinstance(entry, Notification) and entry.guessed
        table.add_row(name, entry.since, body, entry.meaning + (" (body guessed)" * guessed))
    return table


def _of_notification(entry: Notification, version: ServerVersion | None) -> Table:
    table = _table("field", "table", "documented", "observed", "since", "in", "from", "meaning",
                   fixed="field since in")  # fmt: skip
    for prefix, fields in (("", entry.fields), ("docs.", entry.documents)):
        for field in fields:
            if version is None or version.includes(field.since):
                table.add_row(
                    prefix + field.name, field.table_type or "", field.documented or "",
                    " or ".join(field.observed), max(field.since, entry.since),
                    _share(field.frequency) if field.observed else "", ", ".join(field.origins),
                    field.meaning,
                )  # fmt: skip
    return table


def _of_event(entry: RawEvent, version: ServerVersion | None) -> Table:
    table = _table("field", "since", "captured events that set it", "from", fixed="field since")
    for path, often in entry.presence:
        table.add_row(path, entry.since, _share(often), "capture")
    for field in entry.uncaptured:
        if version is None or version.includes(field.since):
            table.add_row(field.path, max(field.since, entry.since), "", field.origin)
    return table


def _share(often: float) -> str:
    return f"{often:.0%}" if often >= 0.01 or not often else f"{often:.1%}"
