"""What the specification's examples and captured traffic show, field by field.

Each line: name, JSON shapes (the usual one first), how often (`always`: in every example and
every captured message), and the first server version when it is not 4.2. The figures are those of
captured traffic, rounded; where nothing was captured, the example decides.

A time is a `string` where it has three decimals (the data store's own form), `trimmed` where zeros
at its end are left out (as searches write it), `seconds` where it has none, `micros` where six.
"""

from __future__ import annotations

__all__ = ["DOCUMENTS", "MESSAGES"]

_WATCHLIST_HIT = """
cb_version string always
event_timestamp number|integer always
watchlist_id integer always
watchlist_name string always
server_name string always
docs array always
highlights array 0.9 5.2
"""

_FEED_HIT = """
report_id string always
ioc_type string always
ioc_value string always
hostname string always
sensor_id integer always
feed_id integer always
feed_name string always
event_timestamp number|integer always
"""

_QUERY_HIT = _FEED_HIT.replace("ioc_value string", "ioc_value json|string")

_PROCESS = """
process_md5 string always
modload_count integer always
parent_unique_id string always
cmdline string always
filemod_count integer always
parent_name string always
last_update string always
start string always
regmod_count integer always
process_pid integer always
username string always
process_name string always
path string always
netconn_count integer always
parent_pid integer always
host_type string always
os_type string always
childproc_count integer always
unique_id string always
"""

_SCORES = """
alliance_score_<feed> integer|digits {often} 5.2
alliance_link_<feed> string {often} 5.2
alliance_data_<feed> array|string {often} 5.2
alliance_updated_<feed> seconds|string {often} 5.2
"""

_SCORES_AS_STORED = _SCORES.replace("seconds|string", "string|seconds")

_BINARY = """
digsig_result string always
digsig_result_code digits always
digsig_publisher string 0.9
digsig_sign_time string 0.9
digsig_issuer string 0.36
digsig_subject string 0.36
digsig_prog_name string 0.36 5.2
is_executable_image boolean always
is_64bit boolean always
md5 string always
orig_mod_len integer always
copied_mod_len integer always
os_type string always
server_added_timestamp string always
file_version string 0.99
product_name string 0.99
product_version string 0.99
company_name string 0.99
internal_name string 0.99
original_filename string 0.99
file_desc string 0.99
legal_copyright string 0.99
comments string 0.1
private_build string 0.06
"""

_AS_SEARCHED = _BINARY.replace("sign_time string", "sign_time seconds").replace(
    "server_added_timestamp string", "server_added_timestamp trimmed"
)

_PROCESS_AS_SEARCHED = _PROCESS.replace("start string", "start trimmed").replace(
    "last_update string", "last_update trimmed"
)

_BINARY_AS_SEARCHED = f"""
{_AS_SEARCHED.strip()}
signed string always
timestamp trimmed always
observed_filename array always
group array always
endpoint array always
"""

_ALERT = """
alert_severity digits always
alert_type string always
created_time micros always
event_timestamp number|integer always
feed_id digits always
feed_name string always
feed_rating digits always
hostname string always
ioc_confidence digits always
ioc_type string always
os_type string always
report_score digits always
sensor_criticality digits always
status string always
unique_id string always
watchlist_id digits always
watchlist_name string always
"""

_ALERT_PROCESS = f"""
{_ALERT.strip()}
childproc_count digits always
comms_ip string always
crossproc_count digits always
filemod_count digits always
group string always
interface_ip string always
ioc_attr json always
md5 string always
modload_count digits always
netconn_count digits always
process_id string always
process_name string always
process_path string always
regmod_count digits always
segment_id digits always
sensor_id digits always
username string always
"""

_ALERT_BINARY = f"""
{_ALERT.strip()}
digsig_result string always
host_count digits always
md5 string always
observed_filename array always
observed_filename_total_count digits always
other_hostnames array always
"""

_INGRESS = f"""
{_FEED_HIT.strip()}
ioc_attr object always
cb_version string always
server_name string always
report_score integer 0.5 5.2
group string 0.5 5.2
"""

MESSAGES: dict[str, tuple[str, ...]] = {
    "watchlist.hit.process": (_WATCHLIST_HIT,),
    "watchlist.hit.binary": (_WATCHLIST_HIT,),
    "watchlist.storage.hit.process": (_WATCHLIST_HIT + "process_id string always",),
    "watchlist.storage.hit.binary": (_WATCHLIST_HIT + "md5 string always",),
    "feed.ingress.hit.process": (
        _INGRESS + "process_id string always",
        """
        cb_server string always 5.2
        cb_version string always
        computer_name string always 5.2
        feed_id integer always
        feed_name string always
        group string always 5.2
        hostname string always
        ioc_attr object always
        ioc_type string always
        ioc_value string always
        os_type string always 5.2
        process_guid string always 5.2
        report_id string always
        report_score integer always 5.2
        sensor_id integer always
        server_name string always
        timestamp number|integer always 5.2
        type string always 5.2
        """,
    ),
    "feed.ingress.hit.binary": (_INGRESS + "md5 string always",),
    "feed.ingress.hit.host": (_INGRESS,),
    "feed.storage.hit.process": (
        _FEED_HIT
        + """
process_id string always
segment_id integer always
docs array always
ioc_attr texts|object always
cb_version string always
server_name string always
report_score integer 0.5 5.2
group string 0.5 5.2
""",
    ),
    "feed.storage.hit.binary": (
        _FEED_HIT
        + """
md5 string always
docs array always
ioc_attr texts|object always
cb_version string always
server_name string always
report_score integer 0.5 5.2
group string 0.5 5.2
""",
    ),
    "feed.query.hit.process": (
        _QUERY_HIT
        + """
process_id string always
segment_id integer always
docs array always
ioc_attrs object always
group string 0.8 5.2
report_score integer 0.8 5.2
comms_ip string 0.8 5.2
interface_ip string 0.8 5.2
""",
    ),
    "feed.query.hit.binary": (
        _QUERY_HIT
        + """
md5 string always
docs array always
group string 0.8 5.2
report_score integer 0.8 5.2
""",
    ),
    "feed.synchronized": (
        """
        feed_id integer always
        feed_name string always
        feed_update_time seconds always
        scan_start_time integer|null always
        event_timestamp number|integer always
        """,
    ),
    "cmd.feed.synchronize": (
        """
        feed_id integer always
        full_sync boolean always
        event_timestamp number|integer always
        """,
    ),
    "binaryinfo.observed": (
        """
        md5 string always
        event_timestamp number|integer always
        scores object always
        watchlists object 0.99
        """,
    ),
    "binaryinfo.host.observed": (
        """
        md5 string always
        hostname string always
        sensor_id integer always
        event_timestamp number|integer always
        scores object always
        watchlists object always
        """,
    ),
    "binaryinfo.group.observed": (
        """
        md5 string always
        group string always
        event_timestamp number|integer always
        scores object always
        watchlists object always
        """,
    ),
    "binarystore.file.added": (
        """
        md5 string always
        size integer always
        compressed_size integer always
        event_timestamp number|integer always
        file_path string always
        node_id integer 0.99 5.2
        """,
    ),
    "alert.watchlist.hit.query.process": (_ALERT_PROCESS,),
    "alert.watchlist.hit.query.binary": (_ALERT_BINARY,),
    "alert.watchlist.hit.ingress.process": (_ALERT_PROCESS + "ioc_value string always",),
    "alert.watchlist.hit.ingress.binary": (_ALERT_BINARY + "ioc_value string always",),
    "alert.watchlist.hit.ingress.host": (
        _ALERT
        + """
ioc_attr json always
ioc_value string always
group string always
sensor_id digits always
""",
    ),
}
"""For each notification the forms it was seen in, the usual one first."""

DOCUMENTS: dict[str, str] = {
    "watchlist.hit.process": _PROCESS_AS_SEARCHED
    + """
id string always
sensor_id integer always
hostname string always
group string always
segment_id integer always
parent_md5 string always
comms_ip integer 0.9 5.2
interface_ip integer 0.9 5.2
crossproc_count integer 0.9 5.2
emet_count integer 0.17 5.2
processblock_count integer 0.17 5.2
"""
    + _SCORES.format(often=0.75).strip(),
    "watchlist.storage.hit.process": _PROCESS
    + """
crossproc_count integer always
parent_id integer always
watchlist_<id> micros 0.99
"""
    + _SCORES_AS_STORED.format(often=0.8).strip(),
    "feed.storage.hit.process": _PROCESS.replace(
        "netconn_count integer", "netconn_count digits|integer"
    )
    .replace("process_pid integer", "process_pid digits|integer")
    .replace("parent_pid integer", "parent_pid digits|integer")
    .replace("count integer", "count integer|digits")
    + """
parent_md5 string 0.99
group string 0.99
""",
    "feed.query.hit.process": _PROCESS_AS_SEARCHED
    + """
crossproc_count integer always
parent_md5 string always
emet_count integer 0.8 5.2
processblock_count integer 0.8 5.2
group string 0.2
hostname string 0.2
""",
    "watchlist.hit.binary": _BINARY_AS_SEARCHED
    + """
host_count integer 0.97 5.2
last_seen trimmed 0.97 5.2
cb_version integer 0.97 5.2
"""
    + _SCORES.format(often=0.003).strip(),
    "watchlist.storage.hit.binary": _BINARY
    + """
observed_filename string always
group string always
endpoint string always
host_count integer always
last_seen string always
cb_version integer always
watchlist_<id> micros 0.99
"""
    + _SCORES_AS_STORED.format(often=0.003).strip(),
    "feed.storage.hit.binary": _BINARY.replace("boolean", "truth")
    .replace("_mod_len integer", "_mod_len digits")
    .replace("server_added_timestamp string", "server_added_timestamp string|display")
    + """
observed_filename array|string always
group string|array always
endpoint string|array always
host_count integer|digits 0.5 5.2
cb_version digits 0.5 5.2
"""
    + _SCORES_AS_STORED.format(often=0.5).replace("integer|digits", "digits|integer").strip(),
    "feed.query.hit.binary": _BINARY_AS_SEARCHED
    + """
host_count integer always
last_seen trimmed always
cb_version integer 0.5 5.2
"""
    + _SCORES.format(often=0.1).strip(),
}
"""The documents in `docs`."""
