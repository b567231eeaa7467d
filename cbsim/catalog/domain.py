"""What a field means: the values it may hold, whatever JSON type a server writes them as."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cbsim.errors import CatalogError

__all__ = ["DIGSIG_RESULTS", "IOC_TYPES", "PROCESS_KEY", "Domain", "Kind", "domain_of"]

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

DIGSIG_RESULTS = {
    "Signed": 0,
    "Unsigned": 0x800B0100,
    "Bad Signature": 0x80096010,
    "Invalid Signature": 0x80096001,
    "Expired": 0x800B0101,
    "Invalid Chain": 0x800B010A,
    "Untrusted Root": 0x800B0109,
    "Explicit Distrust": 0x800B0111,
}
"""The eight values of digsig_result (spec: Binary Watchlist Hit, Notes) and the Windows trust
provider's code for each; 0 and 0x800B0100 are in the examples, the rest is our choice."""

IOC_TYPES = ("md5", "dns", "ipv4", "query")


class Kind(StrEnum):
    """The kind of value, before a server chooses how to write it."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    TRUTH = "truth"
    OBJECT = "object"
    DOCUMENTS = "documents"
    HIGHLIGHTS = "highlights"
    RECORDS = "records"
    """A list of objects, whose keys and values are the domain's `entries`."""


@dataclass(frozen=True, slots=True)
class Domain:
    """The values one field may hold. `pattern` is an ECMA 262 regular expression, anchored."""

    name: str
    kind: Kind
    meaning: str
    example: object
    pattern: str | None = None
    format: str | None = None
    """The JSON Schema format that the pattern narrows down."""
    choices: tuple[str, ...] = ()
    closed: bool = False
    """Whether the specification lists every choice; if not, servers may have others."""
    minimum: int | None = None
    maximum: int | None = None
    unit: str | None = None
    entries: tuple[tuple[str, Domain], ...] = ()
    """Of an object: the keys it may have (`<...>` stands for any word) and their values."""


def _text(name: str, meaning: str, example: str, pattern: str | None = None) -> Domain:
    return Domain(name, Kind.TEXT, meaning, example, pattern=pattern)


def _choice(name: str, meaning: str, *choices: str, closed: bool = False) -> Domain:
    return Domain(name, Kind.TEXT, meaning, choices[0], choices=choices, closed=closed)


def _int(
    name: str, meaning: str, example: int, low: int = INT32_MIN, high: int = INT32_MAX
) -> Domain:
    return Domain(name, Kind.INTEGER, meaning, example, minimum=low, maximum=high)


_KEY = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_IPV4 = r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z"

TEXT = _text("text", "Free text.", "")
NAME = _text("name", "A name that somebody gave.", "Default Group")
HOSTNAME = _text("hostname", "The name of an endpoint.", "WIN8-TEST")
USERNAME = _text("username", "A user, with the domain or computer before it.", "win8-test\\admin")
PATH = _text("path", "A path on the endpoint, lower-case on Windows.", "c:\\windows\\explorer.exe")
FILENAME = _text("filename", "A file's name without its folder.", "explorer.exe")
COMMAND_LINE = _text("command line", "The command line of a process.", "notepad")
VERSION = _text("version", "A server's full build number.", "5.2.0.161004.1206", r"^\d+(?:\.\d+)+$")
REPORT = _text("report id", "A threat report's id within its feed.", "TOR-Node-38.229.70.52")
URL = _text("URL", "A link.", "https://example.com/")
MD5_UPPER = _text(
    "MD5, upper case", "32 hex digits.", "9E4B0E7472B4CEBA9E17F440B8CB0AB8", "^[0-9A-F]{32}$"
)
SHA256_UPPER = _text(
    "SHA-256, upper case",
    "64 hex digits; nothing where the sensor did not say.",
    "A54BA074D509E36B1A27A4E9BD35AABB3CBE1194D95114291C721EB52F25A635",
    "^(?:[0-9A-F]{64})?$",
)
SHA256_LOWER = _text(
    "SHA-256, lower case",
    "64 hex digits; nothing where the sensor did not say.",
    "7afb56dd48565c3c9804f683c80ef47e5333f847f2d3211ec11ed13ad36061e1",
    "^(?:[0-9a-f]{64})?$",
)
MD5_LOWER = _text(
    "MD5, lower case", "32 hex digits.", "a3ccfd0aa0b17fd23aa9fd0d84b86c05", "^[0-9a-f]{32}$"
)
PARENT_MD5 = _text(
    "MD5 of a parent",
    "32 hex digits; 30 zeros when the parent is not known.",
    "332feab1435662fc6c672e25beb37be3",
    "^(?:[0-9a-f]{32}|0{30})$",
)
PROCESS_KEY = _text(
    "process key",
    "Sensor id, pid and create time (FILETIME) as 36 characters.",
    "00000001-0000-afbc-01cf-b31b9e83777f",
    f"^{_KEY}$",
)
UNIQUE_ID = _text(
    "unique id",
    "A process key and a segment of 8 hex digits (12 from 6.x on).",
    "00000001-0000-afbc-01cf-b31b9e83777f-00000001",
    f"^{_KEY}-(?:[0-9a-f]{{8}}|[0-9a-f]{{12}})$",
)
UUID = _text("UUID", "A random UUID.", "3327ea85-6758-46f8-bf8c-648d7dc646b4", f"^{_KEY}$")
TIME = Domain("time", Kind.TEXT, "ISO 8601, UTC.", "2014-08-08T15:15:47.544Z",
              pattern=f"^{_ISO}$", format="date-time")  # fmt: skip
ENDPOINT = _text(
    "endpoint", "Hostname and sensor id, with a bar between.", "WIN8-TEST|1", r"^[^|]*\|\d+$"
)
DOTTED = _text("IPv4", "Four numbers, or nothing.", "172.22.5.141", f"^(?:{_IPV4})?$")
STORE_PATH = _text(
    "module store path",
    "Derived from the MD5.",
    "/var/cb/data/modulestore/FE2/AFA/FE2AFACC396DC37F51421DE4A08DA8A7.zip",
    r"^/var/cb/data/modulestore/[0-9A-F]{3}/[0-9A-F]{3}/[0-9A-F]{32}\.zip$",
)
HOST_TYPE = _choice("host type", "", "workstation", "server", "domain_controller")
OS_PROCESS = _choice("operating system", "", "windows", "linux", "osx")
OS_BINARY = _choice("operating system", "", "Windows", "Linux", "Osx")
DIGSIG = _choice("signature result", "", *DIGSIG_RESULTS, closed=True)
SIGNED = _choice("signed", "", *DIGSIG_RESULTS, closed=True)
IOC_TYPE = _choice("IOC type", "", "md5", "dns", "ipv4", closed=True)
QUERY_TYPE = _choice("IOC type", "", "query", closed=True)
ANY_IOC_TYPE = _choice("IOC type", "", *IOC_TYPES, closed=True)
IOC_VALUE = _text("IOC", "The MD5, domain name, address or query that matched.", "38.229.70.52")
QUERY = _text("query", "A query as the server's search takes it.", "q=process_name%3Anotepad.exe")
STATUS = _choice("alert status", "", "Unresolved", "In Progress", "Resolved", "False Positive")
RESOLUTION = _choice("alert resolution", "", "false_positive", "resolved")
RESOLVED = _text("time of resolution", "ISO 8601, UTC; nothing while it is open.", "",
                 f"^(?:{_ISO})?$")  # fmt: skip
SEGMENT = _int("segment id", "Counted from 1; from 6.x on the segment's time in ms since 1970.", 1,
               0, INT64_MAX)  # fmt: skip
NUMBER64 = _int("int64", "", 106568300363776, 0, INT64_MAX)
COUNT = _int("count", "", 1, 0)
SENSOR_ID = _int("sensor id", "", 1, 0)
PID = _int("pid", "", 44988, 0)
DATABASE_ID = _int("database id", "", 10, -1)
SIZE = Domain("size", Kind.INTEGER, "", 320000, minimum=0, maximum=INT32_MAX, unit="bytes")
SCORE = _int("score", "A feed's score.", 100, -100, 100)
SIGNED_IPV4 = _int("IPv4 as int32", "The address, big-endian, as a signed number.", -1407246848)
PARENT_ID = _int("parent id", "For internal use.", 2211398595607011599, INT64_MIN, INT64_MAX)
RESULT_CODE = _int("result code", "", 2148204800, INT32_MIN, 2**32 - 1)
EPOCH = Domain("timestamp", Kind.NUMBER, "Seconds since 1970, with ms.", 1407362104.19, minimum=0,
               unit="seconds")  # fmt: skip
START = _int("timestamp", "Seconds since 1970.", 1447711247, 0)
RATING = Domain("rating", Kind.NUMBER, "", 3.0, minimum=0)
BOOLEAN = Domain("boolean", Kind.TRUTH, "", True)
IOC_ATTR = Domain(
    "IOC attributes", Kind.OBJECT, "What the endpoint did.", {"port": 22, "protocol": "TCP"},
    entries=(
        ("port", _int("port", "", 22, 0, 65535)),
        ("remote_port", _int("port", "", 22, 0, 65535)),
        ("local_port", _int("port", "", 49224, 0, 65535)),
        ("protocol", _choice("protocol", "", "TCP", "UDP")),
        ("direction", _choice("direction", "", "Outbound", "Inbound")),
        ("local_ip", DOTTED),
        ("remote_ip", DOTTED),
        ("dns_name", HOSTNAME),
        ("highlights", Domain("highlights", Kind.HIGHLIGHTS, "", ["PREPREPREaPOSTPOSTPOST"])),
    ),
)  # fmt: skip
SCORES = Domain("scores", Kind.OBJECT, "", {"alliance_score_virustotal": 16},
                entries=(("alliance_score_<feed>", SCORE),))  # fmt: skip
MATCHED = Domain(
    "watchlists", Kind.RECORDS, "The watchlists that found the binary, and when.", [],
    entries=(
        ("wid", _text("watchlist id", "A number as a string.", "4", "^[0-9]+$")),
        ("value", TIME),
    ),
)  # fmt: skip
WATCHLISTS = Domain("watchlists", Kind.OBJECT, "", {"watchlist_7": "2014-02-13T00:30:11.247Z"},
                    entries=(("watchlist_<id>", TIME),))  # fmt: skip
HIGHLIGHTS = Domain("highlights", Kind.HIGHLIGHTS, "Where the query matched.", [])
DOCS = Domain("documents", Kind.DOCUMENTS, "The matching documents.", [])

_NAMES = (
    (COUNT, """childproc_count filemod_count modload_count netconn_count regmod_count
        crossproc_count emet_count processblock_count host_count observed_filename_total_count
        node_id"""),
    (PID, "process_pid parent_pid"),
    (SIZE, "copied_mod_len orig_mod_len size compressed_size"),
    (DATABASE_ID, "watchlist_id feed_id"),
    (SCORE, "report_score alliance_score_<feed>"),
    (EPOCH, "event_timestamp"),
    (RATING, "feed_rating sensor_criticality alert_severity ioc_confidence"),
    (BOOLEAN, """is_executable_image is_64bit full_sync from_feed_search filtering_known_dlls
        terminated"""),
    (IOC_ATTR, "ioc_attr ioc_attrs"),
    (TIME, """last_update start server_added_timestamp digsig_sign_time last_seen created_time
        last_server_update timestamp feed_update_time watchlist_<id> alliance_updated_<feed>"""),
    (NAME, "watchlist_name feed_name group server_name"),
    (HOSTNAME, "hostname other_hostnames"),
    (PATH, "path process_path observed_filename"),
    (FILENAME, "process_name parent_name original_filename internal_name"),
    (PROCESS_KEY, "process_id id"),
    (UNIQUE_ID, "unique_id parent_unique_id process_unique_id"),
    (SIGNED_IPV4, "interface_ip comms_ip"),
    (URL, "alliance_link_<feed>"),
    (TEXT, """digsig_issuer digsig_publisher digsig_subject digsig_prog_name file_version
        product_name company_name file_desc product_desc product_version comments legal_copyright
        legal_trademark private_build type alert_type alliance_data_<feed> assigned_to emet_config
        ioc_value_facet partition task error"""),
    (VERSION, "cb_version"), (MD5_UPPER, "md5"), (MD5_LOWER, "process_md5"),
    (PARENT_MD5, "parent_md5"), (COMMAND_LINE, "cmdline"), (USERNAME, "username"),
    (HOST_TYPE, "host_type"), (OS_BINARY, "os_type"), (SENSOR_ID, "sensor_id"),
    (SEGMENT, "segment_id"), (PARENT_ID, "parent_id"), (SHA256_UPPER, "sha256"),
    (SHA256_LOWER, "process_sha256 parent_sha256"), (RESOLUTION, "alert_resolution"),
    (RESOLVED, "resolved_time"), (NUMBER64, "facet_id event_partition_id"),
    (MATCHED, "watchlists"), (REPORT, "report_id"),
    (IOC_TYPE, "ioc_type"), (IOC_VALUE, "ioc_value"), (DIGSIG, "digsig_result"),
    (RESULT_CODE, "digsig_result_code"), (SIGNED, "signed"), (ENDPOINT, "endpoint"),
    (STATUS, "status"), (STORE_PATH, "file_path"), (SCORES, "scores"),
    (HIGHLIGHTS, "highlights"), (DOCS, "docs"), (START, "scan_start_time"),
)  # fmt: skip
_BY_NAME = {name: domain for domain, names in _NAMES for name in names.split()}

# Where one name means different things: (notification's prefix, in a document, name).
_EXCEPTIONS = {
    ("alert.watchlist.hit.feedsearch.", False, "watchlist_id"): REPORT,
    ("alert.watchlist.hit.feedsearch.", False, "os_type"): OS_PROCESS,
    ("binaryinfo.", False, "watchlists"): WATCHLISTS,
    ("feed.query.", False, "ioc_type"): QUERY_TYPE,
    ("feed.query.", False, "ioc_value"): QUERY,
    ("feed.query.", False, "interface_ip"): DOTTED,
    ("feed.query.", False, "comms_ip"): DOTTED,
    ("alert.watchlist.hit.query.", False, "ioc_type"): QUERY_TYPE,
    ("alert.watchlist.hit.query.", False, "ioc_value"): QUERY,
    ("alert.status.updated", False, "ioc_type"): ANY_IOC_TYPE,
    ("alert.", False, "interface_ip"): DOTTED,
    ("alert.", False, "comms_ip"): DOTTED,
    ("alert.", False, "unique_id"): UUID,
}


def domain_of(notification: str, name: str, document: str | None) -> Domain:
    """The domain of a field of a notification, or of its `process` or `binary` documents.

    Raises CatalogError for a name that has none.
    """
    if name == "os_type" and (document == "process" or notification.endswith("query.process")):
        return OS_PROCESS
    if name == "cb_version" and document is not None:
        return COUNT
    if name == "md5" and notification.startswith("alert.") and notification.endswith("process"):
        return MD5_LOWER
    for (prefix, in_document, exception), domain in _EXCEPTIONS.items():
        if exception == name and notification.startswith(prefix) and in_document == bool(document):
            return domain
    try:
        return _BY_NAME[name]
    except KeyError:
        raise CatalogError(f"field {name!r} of {notification} has no domain") from None
