"""What the specification's examples and captured traffic show, field by field.

Each line: name, JSON shapes (the usual one first), how often (`always`: in every example and
every captured message), and the first server version when it is not 4.2. The figures are those of
captured traffic, rounded; where nothing was captured, the example decides; what only published
samples of 6.x and 7.x servers show is sent as often as is sensible, with a `~` where it comes and
goes by chance.

A time is a `string` where it has three decimals (the data store's own form), `trimmed` where zeros
at its end are left out (as searches write it), `seconds` where it has none, `micros` where six.
"""

from __future__ import annotations

__all__ = ["MESSAGES"]

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
assigned_to null|string ~0.5 6.x
resolved_time null|string ~0.5 6.x
ioc_value_facet string ~0.5 6.x
"""

_ALERT_PROCESS = f"""
{_ALERT.strip()}
childproc_count digits always
comms_ip string always
crossproc_count digits always
filemod_count digits always
group string always
interface_ip string always
ioc_attr json ~0.9
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
process_unique_id string ~0.5 6.x
sha256 string ~0.5 6.x
alliance_score_<feed> digits|integer 0.1 6.x
"""

_ALERT_BINARY = f"""
{_ALERT.strip()}
digsig_result string always
host_count digits always
md5 string always
observed_filename array always
observed_filename_total_count digits always
other_hostnames array always
sha256 string ~0.9 6.x
"""

_ALERT_BY_SEARCH = """
alert_severity number always
alert_type string always
assigned_to string|null 0.9
created_time micros always
digsig_result string 0.9
event_timestamp number|integer always
feed_id integer always
feed_name string always
feed_rating number always
host_count integer 0.9
hostname string always
ioc_confidence number always
ioc_type string always
ioc_value string always
ioc_value_facet string 0.9
md5 string always
observed_filename array 0.9
observed_filename_total_count integer 0.9
os_type string always
other_hostnames array 0.9
report_score integer always
resolved_time string|null 0.9
segment_id integer 0.9
sensor_criticality number always
status string always
unique_id string always
watchlist_id string always
watchlist_name string always
"""

_INGRESS = f"""
{_FEED_HIT.strip()}
ioc_attr object always
cb_version string always
server_name string always
report_score integer 0.5 5.2
group string 0.5 5.2
from_feed_search boolean always 5.2
os_type string always 5.2
"""

_STORAGE = f"""
{_FEED_HIT.strip()}
docs array always
ioc_attr texts|object always
cb_version string always
server_name string always
report_score integer 0.5 5.2
group string 0.5 5.2
"""

_QUERY = f"""
{_FEED_HIT.replace("ioc_value string", "ioc_value json|string").strip()}
docs array always
group string 0.8 5.2
report_score integer 0.8 5.2
"""

_BINARYINFO = """
md5 string always
event_timestamp number|integer always
scores object always
sha256 string ~0.9 6.x
"""

_PARTITION = """
event_timestamp number always
partition string always
"""

MESSAGES: dict[str, str] = {
    "watchlist.hit.process": _WATCHLIST_HIT,
    "watchlist.hit.binary": _WATCHLIST_HIT,
    "watchlist.storage.hit.process": _WATCHLIST_HIT + "process_id string always",
    "watchlist.storage.hit.binary": _WATCHLIST_HIT + "md5 string always",
    "feed.ingress.hit.process": _INGRESS + "process_id string always",
    "feed.ingress.hit.binary": _INGRESS + "md5 string always",
    "feed.ingress.hit.host": _INGRESS,
    "feed.storage.hit.process": _STORAGE
    + """
        process_id string always
        segment_id integer always
        """,
    "feed.storage.hit.binary": _STORAGE + "md5 string always",
    "feed.query.hit.process": _QUERY
    + """
        process_id string always
        segment_id integer always
        ioc_attrs object always
        comms_ip string 0.8 5.2
        interface_ip string 0.8 5.2
        """,
    "feed.query.hit.binary": _QUERY + "md5 string always",
    "feed.synchronized": """
        feed_id integer always
        feed_name string always
        feed_update_time seconds always
        scan_start_time integer|null always
        event_timestamp number|integer always
        """,
    "cmd.feed.synchronize": """
        feed_id integer always
        full_sync boolean always
        event_timestamp number|integer always
        """,
    "binaryinfo.observed": _BINARYINFO + "watchlists object 0.99",
    "binaryinfo.host.observed": _BINARYINFO
    + """
        hostname string always
        sensor_id integer always
        watchlists object always
        """,
    "binaryinfo.group.observed": _BINARYINFO
    + """
        group string always
        watchlists object always
        """,
    "binarystore.file.added": """
        md5 string always
        size integer always
        compressed_size integer always
        event_timestamp number|integer always
        file_path string always
        node_id integer always 5.2
        sha256 string ~0.9 6.x
        """,
    "alert.watchlist.hit.query.process": _ALERT_PROCESS + "ioc_value json|string ~0.5 6.x",
    "alert.watchlist.hit.query.binary": _ALERT_BINARY + "ioc_value json|string ~0.5 6.x",
    "alert.watchlist.hit.ingress.process": _ALERT_PROCESS + "ioc_value string always",
    "alert.watchlist.hit.ingress.binary": _ALERT_BINARY + "ioc_value string always",
    "alert.watchlist.hit.ingress.host": _ALERT
    + """
        ioc_attr json ~0.9
        ioc_value string always
        group string always
        sensor_id digits always
        """,
    "alert.watchlist.hit.feedsearch.bin": _ALERT_BY_SEARCH,
    "alert.watchlist.hit.feedsearch.binary": _ALERT_BY_SEARCH,
    "alert.status.updated": """
        alert_resolution string always
        feed_name string always
        ioc_type string always
        ioc_value string always
        report_id array always
        event_timestamp number|integer always
        """,
    "watchlist.hit.ingress.binary": """
        cb_version string always
        event_timestamp number always
        hostname string always
        ioc_type string always
        ioc_value string always
        md5 string always
        sensor_id integer always
        server_name string always
        watchlist_id integer always
        watchlist_name string always
        """,
    "task.error.logged": """
        type string always
        event_timestamp number always
        task string always
        error string always
        """,
    **{
        f"events.partition.{state}": _PARTITION
        for state in ("creating", "created", "mounted", "unmounted", "purged", "deleted")
    },
}
"""The fields of each notification itself."""
