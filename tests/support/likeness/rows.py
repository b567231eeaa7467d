"""What real traffic is like (wire: How real events follow one another), and how like it we must be.

Ages and lifetimes of long-lived processes depend on when a capture began: they have to be of the
same order of magnitude. What follows from how sensors and servers work has to be the same.
"""

from __future__ import annotations

from tests.support.likeness.row import Row, between, share, spread

__all__ = ["ROWS"]

_LIVES = (
    share("childproc and start share one time", 1.0, 0.02, anywhere=True),
    share("childproc and end share one time", 1.0, 0.0, anywhere=True),
    share("the first moduleload is the own image", 1.0, 0.02, anywhere=True),
    between("the first moduleload after the start, median", 0.0, 0.0, 0.02, anywhere=True),
    spread("age at a moduleload", (0, 0.02, 0.04, 0.25, 3.5), anywhere=True),
    # Long-lived processes: minutes to days.
    between("age at a filemod, median", 2054, 100, 40_000),
    between("age at a filemod, 95 %", 227_117, 5_000, 1_000_000),
    between("age at a regmod, 25 %", 5.2, 0.3, 200),
    between("age at a regmod, median", 1046, 5, 20_000),
    between("age at a netconn, median", 207, 10, 4_000),
    between("age of the parent at a childproc, median", 1066, 50, 40_000),
    between("age of the parent at a childproc, 5 %", 0.05, 0.0, 60),
    # Those of a run that is shorter than a life are cut.
    between("lifetime of those that ended, 5 %", 0.03, 0.005, 0.5),
    between("lifetime of those that ended, median", 6.8, 0.7, 30),
    between("lifetime of those that ended, 95 %", 334, 10, 3_000),
    spread("moduleloads of a started process", (0, 0, 20, 31, 64), 2, 4),
    spread("events of a process with start and end", (9, 28, 33, 40, 88), 2.5, 4),
    share("started without any moduleload", 0.32, 0.12),
    spread("kinds of event of a started process", (1, 2, 3, 4, 6), 1.5, 1),
    Row("share of the commonest kind, of 10 events or more", (0.54, 0.80, 0.90, 0.94, 0.97),
        ((0.3, 0.75), (0.6, 0.95), (0.75, 0.97), (0.85, 1.0), (0.9, 1.0))),
    spread("children of a parent that has any", (1, 1.8, 2, 4, 12), 2, 1),
    share("starts that begin process, moduleload, moduleload, moduleload", 0.56, 0.2),
    share("events after the process's end", 0.0, 0.0, anywhere=True),
    share("announced with creationobserved: false", 98 / 172, 0.25),
    between("age of who is announced, median", 993, 100, 100_000, anywhere=True),
    share("announced without a parent", 11 / 98, 0.1, anywhere=True),
    share("regmods of System", 204 / 1101, 0.12),
)  # fmt: skip

_TIME = (
    share("gaps within a process below 1 ms", 0.62, 0.15),
    share("gaps within a process above 10 s", 0.05, 0.05),
    between("events in a row of a process on a sensor", 7.2, 3.5, 15),
    between("events in a row of a kind on a sensor", 7.2, 3.5, 15),
    share("times that are no whole millisecond", 0.999, 0.01, anywhere=True),
    share("create times that are no whole millisecond", 0.999, 0.01, anywhere=True),
    between("steps of a sensor's moduleloads that go back", 199 / 2611, 0.002, 0.15),
    between("the furthest that a step goes back, in s", 1113, 0.02, 1200),
)

_MIX = tuple(
    between(f"share of {name}", share_of, share_of * 0.8 - 0.003, share_of * 1.25 + 0.003)
    for name, share_of in (
        ("filemod", 0.40), ("moduleload", 0.34), ("regmod", 0.14), ("crossprocopen", 0.038),
        ("childproc", 0.030), ("process", 0.022), ("netconn", 0.0135), ("procend", 0.009),
        ("remotethread", 0.008),
    )
)  # fmt: skip

_CHILDPROC = (
    share("created: true under its parent's guid", 1.0, 0.0, anywhere=True),
    share("created: false under guid 0", 1.0, 0.0, anywhere=True),
    share("created: false among childproc", 84 / 245, 0.15),
    share("suppressed ones with created: false", 1.0, 0.0, least=1, anywhere=True),
    share("suppressed ones without a state", 1.0, 0.0, least=1, anywhere=True),
    share("created: true with a whole MD5", 1.0, 0.0, anywhere=True),
    share("MD5s with a NUL byte that are cut there", 1.0, 0.5, least=1, anywhere=True),
    share("MD5s that are short and were cut at no NUL byte", 0.0, 0.0, least=1, anywhere=True),
)

_BINARIES = (
    share("host and group within 7 ms of observed", 1.0, 0.01, anywhere=True),
    share("watchlists in binaryinfo.host.observed", 0.08, 0.06),
    spread("compressed_size / size", (0.11, 0.32, 0.46, 0.55, 0.75), 1.6, 0.02, anywhere=True),
    share("documents of binaries copied in part", 51 / 377, 0.1, anywhere=True),
    share("modules copied in part", 57 / 408, 0.1, anywhere=True),
    share("last_seen after server_added_timestamp", 28 / 377, 0.07, anywhere=True),
    between("sign times for each ten products", 10, 5, 10, anywhere=True),
    share("PE timestamps in the past", 1.0, 0.0, anywhere=True),
)

_HITS = (
    between("watchlist_<id> before its storage hit, binary, median s", 15.3, 13, 18, anywhere=True),
    between("watchlist_<id> before its storage hit, process, median s", 100, 13, 150, least=10,
            anywhere=True),
    between("created_time before an alert, median s", 15, 13, 17, least=10, anywhere=True),
    share("query alerts on processes with a lower-case os_type", 1.0, 0.0, least=10, anywhere=True),
    share("severities as captured for their criticality", 1.0, 0.0, least=10, anywhere=True),
    between("highlights of an alert, at most", 3, 1, 3, least=10, anywhere=True),
    between("alliance_updated_<feed> before its hit, median days", 60, 2, 400, anywhere=True),
    share("alliance_data_<feed> that names an MD5 names the document's", 1.0, 0.0, least=10,
          anywhere=True),
)  # fmt: skip

_VALUES = (
    share("filemods that delete", 0.32, 0.08),
    between("filemods that are a last write", 0.003, 0.0, 0.02),
    share("regmods that write a value", 0.82, 0.08),
    share("netconns over UDP", 0.28, 0.1),
    share("netconns by a proxy", 0.0, 0.0, anywhere=True),
    share("crossprocopens for full access", 0.75, 0.1),
    between("access masks", 10, 5, 12, anywhere=True),
    share("remote threads of csrss or svchost", 0.9, 0.4, least=10),
    share("EMET ids from 1032 to 1050", 1.0, 0.0, least=1, anywhere=True),
)

ROWS = (*_LIVES, *_TIME, *_MIX, *_CHILDPROC, *_BINARIES, *_HITS, *_VALUES)
