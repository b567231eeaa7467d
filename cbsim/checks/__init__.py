"""Checks of what is on the bus and of what a consumer made of it; none of them needs a broker.

>>> from cbsim.checks import iter_errors
>>> message = {"feed_id": 7, "full_sync": False, "event_timestamp": "yesterday"}
>>> [problem.pointer for problem in iter_errors(message, "cmd.feed.synchronize")]
['/event_timestamp']
"""

from __future__ import annotations

from cbsim.checks.comparison import compare
from cbsim.checks.ledger import Ledger
from cbsim.checks.ledger_sink import LedgerSink
from cbsim.checks.outcome import Comparison, Counts, Difference
from cbsim.checks.record import Record, files, records
from cbsim.checks.rules import RULES, Rule, broken
from cbsim.checks.validator import InvalidMessage, Problem, Validator, iter_errors, validate
from cbsim.wire.reading import Reading, decode

__all__ = [
    "RULES",
    "Comparison",
    "Counts",
    "Difference",
    "InvalidMessage",
    "Ledger",
    "LedgerSink",
    "Problem",
    "Reading",
    "Record",
    "Rule",
    "Validator",
    "broken",
    "compare",
    "decode",
    "files",
    "iter_errors",
    "records",
    "validate",
]
