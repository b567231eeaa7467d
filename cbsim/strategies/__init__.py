"""Hypothesis strategies for everything the server can say, right and wrong.

Each notification has one under its name with underscores, raw events have `raw_event`; `message`
gives them as the broker delivers them, `sequence` as stories, `odd` as hardly anybody expects them,
`malformed` broken on purpose.

>>> from hypothesis import given
>>> @given(watchlist_hit_process(docs=1, dialect="mixed"))
... def test(hit):
...     assert int(hit["docs"][0]["netconn_count"]) >= 0  # a number or, in storage hits, a string
>>> test()
"""

from __future__ import annotations

try:
    import hypothesis  # noqa: F401
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "cbsim.strategies needs Hypothesis: pip install 'cbsim[test]'", name="hypothesis"
    ) from None

from cbsim.strategies.argument import DialectName, Docs, IocType
from cbsim.strategies.delivery import bundle, message
from cbsim.strategies.event import raw_event
from cbsim.strategies.family import (
    command_line,
    digital_signature,
    filetime,
    hostname,
    ioc,
    md5,
    parent_md5,
    posix_path,
    process_guid,
    registry_path,
    sensor_id,
    unique_id,
    windows_path,
)
from cbsim.strategies.fault import FaultName, Malformed, Odd, OddityName
from cbsim.strategies.form import JsonObject
from cbsim.strategies.machine import ConsumerMachine
from cbsim.strategies.malformed import malformed
from cbsim.strategies.notification import binary_document, notification, process_document
from cbsim.strategies.notifications import *  # noqa: F403 - each notification, by name
from cbsim.strategies.notifications import __all__ as _notifications
from cbsim.strategies.odd import odd
from cbsim.strategies.story import sequence
from cbsim.wire.fault import Fault, Oddity

__all__ = [
    "ConsumerMachine",
    "DialectName",
    "Docs",
    "Fault",
    "FaultName",
    "IocType",
    "JsonObject",
    "Malformed",
    "Odd",
    "Oddity",
    "OddityName",
    "binary_document",
    "bundle",
    "command_line",
    "digital_signature",
    "filetime",
    "hostname",
    "ioc",
    "malformed",
    "md5",
    "message",
    "notification",
    "odd",
    "parent_md5",
    "posix_path",
    "process_document",
    "process_guid",
    "raw_event",
    "registry_path",
    "sensor_id",
    "sequence",
    "unique_id",
    "windows_path",
]
__all__ += _notifications
