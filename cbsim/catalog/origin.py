"""Where each field of a notification is known from: table, example, capture, sample or guess.

A test reads the specification's examples and the captures, and compares.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache

__all__ = ["Origin", "origins"]


class Origin(StrEnum):
    """What tells of a field."""

    TABLE = "table"
    """A table of the specification."""
    EXAMPLE = "example"
    """An example printed in the specification."""
    CAPTURE = "capture"
    """Captured traffic."""
    SAMPLE = "published sample"
    """A message, or what a consumer made of it, that somebody published."""
    GUESS = "guess"
    """Nothing: it is what others of its kind have."""


def origins(
    notification: str, name: str, document: str | None, *, table: bool, guessed: bool
) -> tuple[Origin, ...]:
    """Where a field of a notification, or of its documents, is known from, the best first."""
    if guessed:
        return (Origin.GUESS,)
    inside = int(document is not None)
    known = [Origin.TABLE] if table else []
    known += [
        origin
        for origin, told in ((Origin.EXAMPLE, _EXAMPLES), (Origin.CAPTURE, _CAPTURES))
        if name in _read(told).get(notification, ((), ()))[inside]
    ]
    if not known:
        known = [Origin.SAMPLE if _sampled(notification, name, inside) else Origin.GUESS]
    return tuple(known)


@cache
def _read(told: str) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """By notification the fields of the message and of its documents."""
    read = {}
    for entry in told.strip().replace("\n    ", " ").splitlines():
        name, _, listed = entry.partition(": ")
        fields, _, documents = listed.partition(" / ")
        read[name] = frozenset(fields.split()), frozenset(documents.split())
    return read


def _sampled(notification: str, name: str, inside: int) -> bool:
    """Whether somebody published a sample that has it (wire: What 6.x and 7.x add; cases)."""
    if notification in ("alert.status.updated", "alert.watchlist.hit.feedsearch.bin"):
        return True
    return any(
        notification.startswith(prefix) and inside == within and name in names.split()
        for prefix, within, names in _SAMPLES
    )


_SAMPLES = (
    # Notifications whose name begins so, whether in a document, fields.
    ("feed.ingress.", 0, "from_feed_search os_type group report_score"),
    ("feed.storage.", 0, "group report_score"),
    ("feed.storage.hit.process", 1, "alliance_score_<feed> alliance_link_<feed> "
     "alliance_data_<feed>"),
    ("binary", 0, "sha256"),
    ("alert.watchlist.hit.query.", 0, "assigned_to resolved_time ioc_value_facet ioc_value sha256 "
     "process_unique_id alliance_score_<feed>"),
    ("", 1, "filtering_known_dlls emet_config last_server_update terminated "
     "process_sha256 parent_sha256 parent_id"),
    ("", 1, "sha256 facet_id event_partition_id watchlists"),
)  # fmt: skip

_EXAMPLES = """
watchlist.hit.process: cb_version docs event_timestamp server_name watchlist_id watchlist_name
    / childproc_count cmdline filemod_count group host_type hostname id last_update modload_count
    netconn_count os_type parent_md5 parent_name parent_pid parent_unique_id path process_md5
    process_name process_pid regmod_count segment_id sensor_id start unique_id username
watchlist.hit.binary: cb_version docs event_timestamp server_name watchlist_id watchlist_name
    / company_name copied_mod_len digsig_publisher digsig_result digsig_result_code
    digsig_sign_time endpoint file_desc file_version group internal_name is_64bit
    is_executable_image legal_copyright md5 observed_filename orig_mod_len original_filename
    os_type product_name product_version server_added_timestamp signed timestamp
feed.ingress.hit.process: cb_version event_timestamp feed_id feed_name hostname ioc_attr
    ioc_type ioc_value process_id report_id sensor_id server_name
feed.ingress.hit.binary: cb_version event_timestamp feed_id feed_name hostname ioc_attr
    ioc_type ioc_value md5 report_id sensor_id server_name
feed.storage.hit.process: cb_version docs event_timestamp feed_id feed_name hostname ioc_attr
    ioc_type ioc_value process_id report_id segment_id sensor_id server_name / childproc_count
    cmdline filemod_count group host_type last_update modload_count netconn_count os_type
    parent_md5 parent_name parent_pid parent_unique_id path process_md5 process_name process_pid
    regmod_count start unique_id username
feed.storage.hit.binary: cb_version docs event_timestamp feed_id feed_name hostname ioc_attr
    ioc_type ioc_value md5 report_id sensor_id server_name / alliance_score_<feed> company_name
    copied_mod_len digsig_publisher digsig_result digsig_result_code digsig_sign_time endpoint
    file_desc file_version group internal_name is_64bit is_executable_image legal_copyright md5
    observed_filename orig_mod_len original_filename os_type product_name product_version
    server_added_timestamp
feed.query.hit.process: docs event_timestamp feed_id feed_name hostname ioc_attrs ioc_type
    ioc_value process_id report_id segment_id sensor_id / childproc_count cmdline crossproc_count
    filemod_count group host_type hostname last_update modload_count netconn_count os_type
    parent_md5 parent_name parent_pid parent_unique_id path process_md5 process_name process_pid
    regmod_count start unique_id username
feed.query.hit.binary: docs event_timestamp feed_id feed_name hostname ioc_type ioc_value md5
    report_id sensor_id / company_name copied_mod_len digsig_result digsig_result_code endpoint
    file_desc file_version group host_count internal_name is_64bit is_executable_image last_seen
    legal_copyright md5 observed_filename orig_mod_len original_filename os_type product_name
    product_version server_added_timestamp signed timestamp
binaryinfo.observed: event_timestamp md5 scores
binaryinfo.host.observed: event_timestamp hostname md5 scores sensor_id watchlists
binaryinfo.group.observed: event_timestamp group md5 scores watchlists
binarystore.file.added: compressed_size event_timestamp file_path md5 size
"""

_CAPTURES = """
alert.watchlist.hit.query.binary: alert_severity alert_type created_time digsig_result
    event_timestamp feed_id feed_name feed_rating host_count hostname ioc_confidence ioc_type md5
    observed_filename observed_filename_total_count os_type other_hostnames report_score
    sensor_criticality status unique_id watchlist_id watchlist_name
alert.watchlist.hit.query.process: alert_severity alert_type childproc_count comms_ip
    created_time crossproc_count event_timestamp feed_id feed_name feed_rating filemod_count group
    hostname interface_ip ioc_attr ioc_confidence ioc_type md5 modload_count netconn_count os_type
    process_id process_name process_path regmod_count report_score segment_id sensor_criticality
    sensor_id status unique_id username watchlist_id watchlist_name
binaryinfo.group.observed: event_timestamp group md5 scores watchlists
binaryinfo.host.observed: event_timestamp hostname md5 scores sensor_id watchlists
binaryinfo.observed: event_timestamp md5 scores watchlists
binarystore.file.added: compressed_size event_timestamp file_path md5 node_id size
cmd.feed.synchronize: event_timestamp feed_id full_sync
feed.query.hit.process: comms_ip docs event_timestamp feed_id feed_name group hostname
    interface_ip ioc_attrs ioc_type ioc_value process_id report_id report_score segment_id
    sensor_id / childproc_count cmdline crossproc_count emet_count filemod_count host_type
    last_update modload_count netconn_count os_type parent_md5 parent_name parent_pid
    parent_unique_id path process_md5 process_name process_pid processblock_count regmod_count
    start unique_id username
feed.synchronized: event_timestamp feed_id feed_name feed_update_time scan_start_time
watchlist.hit.binary: cb_version docs event_timestamp highlights server_name watchlist_id
    watchlist_name / alliance_data_<feed> alliance_link_<feed> alliance_score_<feed>
    alliance_updated_<feed> cb_version comments company_name copied_mod_len digsig_issuer
    digsig_prog_name digsig_publisher digsig_result digsig_result_code digsig_sign_time
    digsig_subject endpoint file_desc file_version group host_count internal_name is_64bit
    is_executable_image last_seen legal_copyright md5 observed_filename orig_mod_len
    original_filename os_type private_build product_name product_version server_added_timestamp
    signed timestamp
watchlist.hit.process: cb_version docs event_timestamp highlights server_name watchlist_id
    watchlist_name / alliance_data_<feed> alliance_link_<feed> alliance_score_<feed>
    alliance_updated_<feed> childproc_count cmdline comms_ip crossproc_count emet_count
    filemod_count group host_type hostname id interface_ip last_update modload_count netconn_count
    os_type parent_md5 parent_name parent_pid parent_unique_id path process_md5 process_name
    process_pid processblock_count regmod_count segment_id sensor_id start unique_id username
watchlist.storage.hit.binary: cb_version docs event_timestamp highlights md5 server_name
    watchlist_id watchlist_name / alliance_data_<feed> alliance_link_<feed> alliance_score_<feed>
    alliance_updated_<feed> cb_version comments company_name copied_mod_len digsig_issuer
    digsig_prog_name digsig_publisher digsig_result digsig_result_code digsig_sign_time
    digsig_subject endpoint file_desc file_version group host_count internal_name is_64bit
    is_executable_image last_seen legal_copyright md5 observed_filename orig_mod_len
    original_filename os_type private_build product_name product_version server_added_timestamp
    watchlist_<id>
watchlist.storage.hit.process: cb_version docs event_timestamp highlights process_id
    server_name watchlist_id watchlist_name / alliance_data_<feed> alliance_link_<feed>
    alliance_score_<feed> alliance_updated_<feed> childproc_count cmdline crossproc_count
    filemod_count host_type last_update modload_count netconn_count os_type parent_id parent_name
    parent_pid parent_unique_id path process_md5 process_name process_pid regmod_count start
    unique_id username watchlist_<id>
"""
