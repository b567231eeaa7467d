"""The specification's tables, to the letter: every row a field, its type and its meaning.

Misprints of the specification are mended: `in32`, `legal_trademarkt`, and the row `sensor_id string`
that stands beside `sensor_id int32` in Process Query Feed Hit, whose words are kept with the latter.
"""

# ruff: noqa: E501 - the rows are the specification's, one a line.

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DOCUMENTS", "MESSAGES", "Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: the field's name, the table's word for its type, and its meaning."""

    name: str
    type: str
    meaning: str


def _rows(table: str) -> tuple[Row, ...]:
    return tuple(Row(*line.split(" ", 2)) for line in table.strip().splitlines())


MESSAGES: dict[str, tuple[Row, ...]] = {
    "watchlist.hit.process": _rows("""
cb_version string Carbon Black server version
event_timestamp string Timestamp when event was published
watchlist_id int32 Identifier of the watchlist that matched
watchlist_name string Name of watchlist that matched
server_name string Name of the Carbon Black Server
docs list List of one or more matching process documents; see next table
"""),
    "watchlist.hit.binary": _rows("""
cb_version string Carbon Black server version
event_timestamp string Timestamp when event was published
watchlist_id int32 Identifier of the watchlist that matched
watchlist_name string Name of watchlist that matched
server_name string Name of the Carbon Black Server
docs list List of one or more matching process documents; see next table
"""),
    "feed.ingress.hit.process": _rows("""
process_id string CB process key. See Notes.
report_id string Identifier of the report which included the matching IOC. See notes.
ioc_type string One of "md5", "dns", "ipv4"
ioc_value string The matching IOC.
ioc_attr JSON Key value pairs of additional attributes related to the hit (if present).
sensor_id int32 Sensor Id of the endpoint on which the event matching the feed occurred.
hostname string Hostname of the endpoint on which the event matching the feed occurred
cb_version string Carbon Black server version.
server_name string Name of Carbon Black server.
feed_id int32 Identifier of the feed that included the matching report. See notes.
feed_name string The name of the feed that included the matching report.
event_timestamp float Timestamp of the feed match, measured in number of seconds since the epoch
"""),
    "feed.ingress.hit.binary": _rows("""
md5 string MD5 of the binary.
report_id string Identifier of the report which included the matching IOC.
ioc_type string One of "md5", "dns", "ipv4"
ioc_value string The matching IOC.
ioc_attr JSON Key value pairs of additional attributes related to the hit (if present).
sensor_id int32 Sensor Id of the endpoint on which the event matching the feed occurred
hostname string Hostname of the endpoint on which the event matching the feed occurred
cb_version string Carbon Black server version.
server_name string Name of Carbon Black server.
feed_id int32 Identifier of the feed that included the matching report.
feed_name string The name of the feed that included the matching report.
event_timestamp float Timestamp of the feed match, measured in number of seconds since the epoch
"""),
    "feed.storage.hit.process": _rows("""
process_id string CB process key. See Notes.
segment_id int32 Process segment identifier. See Notes.
report_id string Identifier of the report which included the matching IOC. See notes.
ioc_type string One of "md5", "dns", "ipv4"
ioc_value string The matching IOC.
ioc_attr JSON Key value pairs of additional attributes related to the hit (if present).
sensor_id int32 Sensor Id of the endpoint on which the event matching the feed occurred
hostname string Hostname of the endpoint on which the event matching the feed occurred
cb_version string Carbon Black server version.
server_name string Name of Carbon Black server.
feed_id int32 Identifier of the feed that included the matching report. See notes.
feed_name string The name of the feed that included the matching report.
event_timestamp float Timestamp of the feed match, measured in number of seconds since the epoch
docs list List of one or more matching process documents; see next table
"""),
    "feed.storage.hit.binary": _rows("""
md5 string MD5 of the binary.
report_id string Identifier of the report which included the matching IOC.
ioc_type string One of "md5", "dns", "ipv4"
ioc_value string The matching IOC.
ioc_attr JSON Key value pairs of additional attributes related to the hit (if present).
sensor_id int32 Sensor Id of the endpoint on which the event matching the feed occurred
hostname string Hostname of the endpoint on which the event matching the feed occurred
cb_version string Carbon Black server version.
server_name string Name of Carbon Black server.
feed_id int32 Identifier of the feed that included the matching report.
feed_name string The name of the feed that included the matching report.
event_timestamp float Timestamp of the feed match, measured in number of seconds since the epoch
docs list List of one or more matching process documents; see next table
"""),
    "feed.query.hit.process": _rows("""
process_id string CB process key. See Notes.
segment_id int32 Process segment identifier. See Notes.
report_id string Identifier of the report which included the matching IOC. See notes.
ioc_type string Always the value "query"
ioc_value string The query string used to look for matches
ioc_attr JSON Key value pairs of additional attributes related to the hit (if present).
sensor_id int32 Sensor Id of the endpoint on which the event matching the feed occurred. Always 0 for event. See process document for matching values.
hostname string Hostname of the endpoint on which the event matching the feed occurred
cb_version string Carbon Black server version.
server_name string Name of Carbon Black server.
feed_id int32 Identifier of the feed that included the matching report. See notes.
feed_name string The name of the feed that included the matching report.
event_timestamp float Timestamp of the feed match, measured in number of seconds since the epoch
docs list List of one or more matching process documents; see next table
"""),
    "feed.query.hit.binary": _rows("""
md5 string MD5 of the binary.
report_id string Identifier of the report which included the matching IOC.
ioc_type string Always the value "query"
ioc_value string The query string used to look for matches
ioc_attr JSON Key value pairs of additional attributes related to the hit (if present).
sensor_id int32 Sensor Id of the endpoint on which the event matching the feed occurred
hostname string Hostname of the endpoint on which the event matching the feed occurred
cb_version string Carbon Black server version.
server_name string Name of Carbon Black server.
feed_id int32 Identifier of the feed that included the matching report.
feed_name string The name of the feed that included the matching report.
event_timestamp float Timestamp of the feed match, measured in number of seconds since the epoch
docs list List of one or more matching process documents; see next table
"""),
    "binaryinfo.observed": _rows("""
md5 string MD5 of the binary
event_timestamp float Timestamp of the feed match, measured in number of seconds since the epoch
scores dict Dictionary of Alliance feed scores
"""),
    "binaryinfo.host.observed": _rows("""
md5 string MD5 of the binary.
hostname string Hostname of endpoint on which binary was observed
sensor_id int32 Sensor Id of endpoint on which binary was observed
event_timestamp float Timestamp of the feed match, measured in number of seconds since the epoch
scores dict Dictionary of Alliance feed scores
watchlists dict Dictionary of already-matched watchlists
"""),
    "binaryinfo.group.observed": _rows("""
md5 string MD5 of the binary
group string Sensor group name on which the binary was observed
event_timestamp float Timestamp of the feed match, measured in number of seconds since the epoch
scores dict Dictionary of Alliance feed scores
watchlists dict Dictionary of already-matched watchlists
"""),
    "binarystore.file.added": _rows("""
md5 string MD5 sum of the binary file.
size int32 Size of the original binary, in bytes.
compressed_size int32 Size of the zip archive containing the binary file on the Carbon Black server
event_timestamp float Timestamp of the binary file addtion, measured in number of seconds since the epoch
file_path string Path, on the server disk, of the copied binary file (zipped).
"""),
}
"""The fields of each notification itself."""

DOCUMENTS: dict[str, tuple[Row, ...]] = {
    "watchlist.hit.process": _rows("""
childproc_count int32 Total count of child processes created by this process
cmdline string Process command line
filemod_count int32 Total count of file modifications made by this process
group string Sensor group this sensor was assigned to at time of process execution
host_type string Type of the computer: server, workstation, domain controller
hostname string Hostname of the computer on which the process executed (at time of execution)
last_update string Last activity in this process is endpoint local time. Example: 2014-02-04T16:23:22.547Z
modload_count int32 Total count of module loads in this process.
netconn_count int32 Total count of network connections made and received by this process.
os_type string Operating system type of the endpoint, e.g. Windows, Linux, Osx.
parent_name string Name of the parent process.
parent_md5 string MD5 of the parent process.
parent_pid int32 PID of parent process.
parent_unique_id string Parent process unique identifer.
path string Full path to the executable file backing this process.
process_md5 string MD5 of the executable file backing this process.
process_name string Filename of the executable backing this process.
process_pid int32 PID of this process.
regmod_count int32 total count of registry modifications made by this process.
segment_id int32 For internal use
sensor_id int32 Endpoint identifier.
start string Start time of this process in endpoint local time. Example: 2014-02-04T16:23:22.516Z
unique_id string Process unique Id
username string User context in which the process executed.
"""),
    "watchlist.hit.binary": _rows("""
copied_mod_len int32 Number of bytes copied to server
endpoint string Hostname and sensor ID of the first endpoint on which this binary was observed.
group string First sensor group on which this binary was observed
digsig_issuer string If digitally signed, the issuer.
digsig_publisher string If digitally signed, the publisher.
digsig_result string If digitally signed, the human-readable status. See notes.
digsig_result_code int32 For internal use.
digsig_sign_time string If digitally signed, the sign time.
digsig_subject string If digitally signed, the subject.
is_executable_image bool True if the binary is a standalone executable (as compared to a library).
is_64bit bool True if architecture is x64 (versus x86)
md5 string MD5 of the binary
observed_filename string Full path to the executable backing the process
orig_mod_len int32 Size in bytes of the binary at the time of observation on the endpoint.
os_type string Operating system type, e.g. Windows, Linux, Osx.
server_added_timestamp string The time this binary was first seen by the server.
timestamp string Time binary was first observed (in endpoint time)
watchlists list List of matching watchlists.
file_version string File Version (Windows Only)
product_name string Product Name (Windows Only)
company_name string Company Name (Windows Only)
internal_name string Internal Name (Windows Only)
original_filename string Internal Original Filename (Windows Only)
file_desc string File Description (Windows only)
product_desc string Product Description (Windows only)
product_version string Product Description (Windows only)
comments string Comment String (Windows only)
legal_copyright string Legal copyright string (Windows only)
legal_trademark string Legal trademark string (Windows only)
private_build string Private build string (Windows only)
"""),
    "feed.storage.hit.process": _rows("""
childproc_count int32 Total count of child processes created by this process
cmdline string Process command line
filemod_count int32 Total count of file modifications made by this process
group string Sensor group this sensor was assigned to at time of process execution
host_type string Type of the computer: server, workstation, domain controller
last_update string Last activity in this process is endpoint local time. Example: 2014-02-04T16:23:22.547Z
modload_count int32 Total count of module loads in this process.
netconn_count int32 Total count of network connections made and received by this process.
os_type string Operating system type, e.g. Windows, Linux, Osx.
parent_name string Name of the parent process.
parent_md5 string MD5 of the parent process.
parent_pid int32 PID of parent process.
parent_unique_id string Parent process unique identifer.
path string Full path to the executable file backing this process.
process_md5 string MD5 of the executable file backing this process.
process_name string Filename of the executable backing this process.
process_pid int32 PID of this process.
regmod_count int32 total count of registry modifications made by this process.
segment_id int32 For internal use
start string Start time of this process in endpoint local time. Example: 2014-02-04T16:23:22.516Z
unique_id string Process unique Id
username string User context in which the process executed.
"""),
    "feed.storage.hit.binary": _rows("""
copied_mod_len int32 Number of bytes copied to server
endpoint string Hostname and sensor ID of the endpoint on which this binary was observed.
group string First sensor group on which this binary was observed
digsig_issuer string If digitally signed, the issuer.
digsig_publisher string If digitally signed, the publisher.
digsig_result string If digitally signed, the human-readable status. See notes.
digsig_result_code int32 For internal use.
digsig_sign_time string If digitally signed, the sign time.
digsig_subject string If digitally signed, the subject.
is_executable_image bool True if the binary is a standalone executable (as compared to a library).
is_64bit bool True if architecture is x64 (versus x86)
md5 string MD5 of the binary
observed_filename string Full path to the executable backing the process
orig_mod_len int32 Size in bytes of the binary at the time of observation on the endpoint.
os_type string Operating system type of the endpoint, e.g. Windows, Linux, Osx.
server_added_timestamp string The time this binary was first seen by the server.
file_version string File Version (Windows Only)
product_name string Product Name (Windows Only)
company_name string Company Name (Windows Only)
internal_name string Internal Name (Windows Only)
original_filename string Internal Original Filename (Windows Only)
file_desc string File Description (Windows only)
product_desc string Product Description (Windows only)
product_version string Product Description (Windows only)
comments string Comment String (Windows only)
legal_copyright string Legal copyright string (Windows only)
legal_trademark string Legal trademark string (Windows only)
private_build string Private build string (Windows only)
"""),
    "feed.query.hit.process": _rows("""
childproc_count int32 Total count of child processes created by this process
cmdline string Process command line
filemod_count int32 Total count of file modifications made by this process
group string Sensor group this sensor was assigned to at time of process execution
host_type string Type of the computer: server, workstation, domain controller
hostname string Hostname of the endpoint on which the event matching the feed occurred
last_update string Last activity in this process is endpoint local time. Example: 2014-02-04T16:23:22.547Z
modload_count int32 Total count of module loads in this process.
netconn_count int32 Total count of network connections made and received by this process.
os_type string Operating system type, e.g. Windows, Linux, Osx.
parent_name string Name of the parent process.
parent_md5 string MD5 of the parent process.
parent_pid int32 PID of parent process.
parent_unique_id string Parent process unique identifer.
path string Full path to the executable file backing this process.
process_md5 string MD5 of the executable file backing this process.
process_name string Filename of the executable backing this process.
process_pid int32 PID of this process.
regmod_count int32 total count of registry modifications made by this process.
segment_id int32 For internal use
sensor_id int32 Endpoint identifier.
start string Start time of this process in endpoint local time. Example: 2014-02-04T16:23:22.516Z
unique_id string Process unique Id
username string User context in which the process executed.
"""),
    "feed.query.hit.binary": _rows("""
comments string Comment String (Windows only)
company_name string Company Name (Windows Only)
copied_mod_len int32 Number of bytes copied to server
endpoint string Hostname and sensor ID of the endpoint on which this binary was observed.
file_desc string File Description (Windows only)
file_version string File Version (Windows Only)
group string First sensor group on which this binary was observed
host_count int32 Number of hosts containing this file
digsig_issuer string If digitally signed, the issuer.
digsig_publisher string If digitally signed, the publisher.
digsig_result string If digitally signed, the human-readable status. See notes.
digsig_result_code int32 For internal use.
digsig_sign_time string If digitally signed, the sign time.
digsig_subject string If digitally signed, the subject.
internal_name string Internal Name (Windows Only)
is_executable_image bool True if the binary is a standalone executable (as compared to a library).
is_64bit bool True if architecture is x64 (versus x86)
last_seen string Time last seen
legal_copyright string Legal copyright string (Windows only)
legal_trademark string Legal trademark string (Windows only)
md5 string MD5 of the binary
observed_filename string Full path to the executable backing the process
orig_mod_len int32 Size in bytes of the binary at the time of observation on the endpoint.
original_filename string Internal Original Filename (Windows Only)
os_type string Operating system type of the endpoint, e.g. Windows, Linux, Osx.
private_build string Private build string (Windows only)
product_desc string Product Description (Windows only)
product_name string Product Name (Windows Only)
product_version string Product Description (Windows only)
server_added_timestamp string The time this binary was first seen by the server.
signed string If digitally signed
timestamp string The time this binary was first seen by the server.
"""),
}
"""The fields of each document in the `docs` of a notification."""
