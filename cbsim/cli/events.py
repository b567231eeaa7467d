"""`cbsim events`: the catalog as a table."""

from __future__ import annotations

import click

from cbsim.catalog import NOTIFICATIONS, RAW_EVENTS, ServerVersion, lookup, names

__all__ = ["command"]


@click.command("events", short_help="Show everything the server can say.")
@click.argument("name", required=False)
@click.option("--server", metavar="VERSION", help="Only what that version sends.")
def command(name: str | None, server: str | None) -> None:
    """Show the catalog: every notification and raw event, or the fields of NAME."""
    from rich.table import Table

    from cbsim.report.page import Page

    table = Table(box=None, pad_edge=False)
    if name is None:
        known = names(ServerVersion.parse(server)) if server else (*NOTIFICATIONS, *RAW_EVENTS)
        for title in ("name", "since", "format", "meaning"):
            table.add_column(title, no_wrap=title != "meaning")
        for one in known:
            entry = lookup(one)
            body = entry.content_type.removeprefix("application/")
            table.add_row(one, entry.since, body, entry.meaning)
    elif name in NOTIFICATIONS:
        for title in ("field", "table", "documented", "observed", "meaning"):
            table.add_column(title, no_wrap=title == "field")
        form = NOTIFICATIONS[name].forms[0]
        rows = [("", field) for field in form.fields] + [("docs.", it) for it in form.documents]
        for prefix, field in rows:
            table.add_row(
                prefix + field.name, field.table_type or "", field.documented or "",
                " or ".join(field.observed), field.meaning,
            )  # fmt: skip
    else:
        entry = lookup(name)
        for title in ("field", "captured events that set it"):
            table.add_column(title)
        for path, often in RAW_EVENTS[entry.name].presence:
            table.add_row(path, f"{often:.0%}" if often >= 0.01 else f"{often:.1%}")
    Page(highlight=False).print(table)
