"""Writes `notifications.py`: a function with its own signature for each notification.

`python -m cbsim.strategies.source` writes it anew after a change of the catalog; a test compares.
"""

from __future__ import annotations

from pathlib import Path

from cbsim.catalog import NOTIFICATIONS, Notification, ServerVersion
from cbsim.strategies.notification import CONSTRAINTS

__all__ = ["PATH", "source"]

PATH = Path(__file__).with_name("notifications.py")

_HEAD = '''"""A strategy for each notification of the catalog, under its name with underscores.

Written by `python -m cbsim.strategies.source`; do not edit. All of them raise StrategyError for an
argument that they cannot honour.
"""

from __future__ import annotations

from hypothesis.strategies import SearchStrategy

from cbsim.strategies.argument import DialectName, Docs, IocType
from cbsim.strategies.form import JsonObject
from cbsim.strategies.notification import declared

__all__ = [
'''
_TYPES = {
    "sensor_id": "int | SearchStrategy[int]",
    "hostname": "str | SearchStrategy[str]",
    "md5": "str | SearchStrategy[str]",
    "ioc_type": "IocType | SearchStrategy[str]",
    "watchlist_id": "int | SearchStrategy[int]",
    "feed_id": "int | SearchStrategy[int]",
    "docs": "Docs",
}
# An endpoint's id and name are in a binary's `endpoint`, its id in a process's key.
_WITHIN = {
    "sensor_id": {"endpoint", "parent_unique_id", "process_id"},
    "hostname": {"endpoint"},
    "md5": {"process_md5"},
}


def source() -> str:
    """The module's text."""
    functions = sorted(NOTIFICATIONS.values(), key=lambda one: one.name)
    listed = "".join(f'    "{_function(one)}",\n' for one in functions)
    return _HEAD + listed + "]\n" + "".join(map(_definition, functions))


def _function(notification: Notification) -> str:
    return notification.name.replace(".", "_")


def _definition(notification: Notification) -> str:
    arguments = ["server", "dialect", *_constraints(notification)]
    usual = max(ServerVersion.V5_2, notification.since)
    signature = f'    server: str = "{usual}",\n    dialect: DialectName = "observed",\n'
    signature += "".join(f"    {name}: {_TYPES[name]} | None = None,\n" for name in arguments[2:])
    handed = [f'"{notification.name}"', *(f"{name}={name}" for name in arguments)]
    call = f"    return declared({', '.join(handed)})\n"
    if len(call) > 100:
        inner = f"        {', '.join(handed)}\n"
        if len(inner) > 100:
            inner = "".join(f"        {one},\n" for one in handed)
        call = f"    return declared(\n{inner}    )\n"
    since = f" From {notification.since} on." if notification.since.rank else ""
    return (
        f"\n\ndef {_function(notification)}(\n    *,\n{signature}) -> SearchStrategy[JsonObject]:\n"
        f'    """{notification.meaning}{since}"""\n{call}'
    )


def _constraints(notification: Notification) -> list[str]:
    fields = {field.name for field in notification.fields}
    fields |= {field.name for field in notification.documents}
    choices = [field.domain.choices for field in notification.fields if field.name == "ioc_type"]
    able = []
    for name in CONSTRAINTS:
        held = bool(({name} | _WITHIN.get(name, set())) & fields)
        if name == "ioc_type":
            held = held and len(choices[0]) > 1
        if held:
            able.append(name)
    return able


if __name__ == "__main__":
    PATH.write_text(source(), encoding="utf-8")
