"""What examples, captured traffic and samples show of the documents in the `docs` of hits.

The lines are as in `observed`: name, JSON shapes, how often, and the first server version when it
is not 4.2.
"""

from __future__ import annotations

__all__ = ["DOCUMENTS"]

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
filtering_known_dlls boolean ~0.5 5.2
emet_config string ~0.5 6.x
last_server_update trimmed|millis@7.x ~0.5 6.x
terminated boolean ~0.5 6.x
process_sha256 string ~0.9 6.x
parent_sha256 string ~0.5 6.x
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
sha256 string ~0.9 6.x
facet_id integer ~0.5 6.x
event_partition_id array ~0.5 6.x
watchlists array ~0.9 6.x
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

DOCUMENTS: dict[str, str] = {
    "watchlist.hit.process": _PROCESS_AS_SEARCHED
    + """
id string always
sensor_id integer always
hostname string always
group string always
segment_id integer always
parent_md5 string always
parent_id key ~0.3 6.x
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
parent_id integer|key@6.x always
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
