"""A strategy for each notification of the catalog, under its name with underscores.

Written by `python -m cbsim.strategies.source`; do not edit. All of them raise StrategyError for an
argument that they cannot honour.
"""

from __future__ import annotations

from hypothesis.strategies import SearchStrategy

from cbsim.strategies.argument import DialectName, Docs, IocType
from cbsim.strategies.form import JsonObject
from cbsim.strategies.notification import declared

__all__ = [
    "alert_status_updated",
    "alert_watchlist_hit_feedsearch_bin",
    "alert_watchlist_hit_feedsearch_binary",
    "alert_watchlist_hit_ingress_binary",
    "alert_watchlist_hit_ingress_host",
    "alert_watchlist_hit_ingress_process",
    "alert_watchlist_hit_query_binary",
    "alert_watchlist_hit_query_process",
    "binaryinfo_group_observed",
    "binaryinfo_host_observed",
    "binaryinfo_observed",
    "binarystore_file_added",
    "cmd_feed_synchronize",
    "events_partition_created",
    "events_partition_creating",
    "events_partition_deleted",
    "events_partition_mounted",
    "events_partition_purged",
    "events_partition_unmounted",
    "feed_ingress_hit_binary",
    "feed_ingress_hit_host",
    "feed_ingress_hit_process",
    "feed_query_hit_binary",
    "feed_query_hit_process",
    "feed_storage_hit_binary",
    "feed_storage_hit_process",
    "feed_synchronized",
    "task_error_logged",
    "watchlist_hit_binary",
    "watchlist_hit_ingress_binary",
    "watchlist_hit_process",
    "watchlist_storage_hit_binary",
    "watchlist_storage_hit_process",
]


def alert_status_updated(
    *,
    server: str = "6.x",
    dialect: DialectName = "observed",
    ioc_type: IocType | SearchStrategy[str] | None = None,
) -> SearchStrategy[JsonObject]:
    """Somebody resolved alerts. From 6.x on."""
    return declared("alert.status.updated", server=server, dialect=dialect, ioc_type=ioc_type)


def alert_watchlist_hit_feedsearch_bin(
    *,
    server: str = "6.x",
    dialect: DialectName = "observed",
    hostname: str | SearchStrategy[str] | None = None,
    md5: str | SearchStrategy[str] | None = None,
    ioc_type: IocType | SearchStrategy[str] | None = None,
    watchlist_id: int | SearchStrategy[int] | None = None,
    feed_id: int | SearchStrategy[int] | None = None,
) -> SearchStrategy[JsonObject]:
    """An alert: a search for what a feed's report names found a binary. From 6.x on."""
    return declared(
        "alert.watchlist.hit.feedsearch.bin",
        server=server,
        dialect=dialect,
        hostname=hostname,
        md5=md5,
        ioc_type=ioc_type,
        watchlist_id=watchlist_id,
        feed_id=feed_id,
    )


def alert_watchlist_hit_feedsearch_binary(
    *,
    server: str = "6.x",
    dialect: DialectName = "observed",
    hostname: str | SearchStrategy[str] | None = None,
    md5: str | SearchStrategy[str] | None = None,
    ioc_type: IocType | SearchStrategy[str] | None = None,
    watchlist_id: int | SearchStrategy[int] | None = None,
    feed_id: int | SearchStrategy[int] | None = None,
) -> SearchStrategy[JsonObject]:
    """An alert: a search for what a feed's report names found a binary. From 6.x on."""
    return declared(
        "alert.watchlist.hit.feedsearch.binary",
        server=server,
        dialect=dialect,
        hostname=hostname,
        md5=md5,
        ioc_type=ioc_type,
        watchlist_id=watchlist_id,
        feed_id=feed_id,
    )


def alert_watchlist_hit_ingress_binary(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    hostname: str | SearchStrategy[str] | None = None,
    md5: str | SearchStrategy[str] | None = None,
    ioc_type: IocType | SearchStrategy[str] | None = None,
    watchlist_id: int | SearchStrategy[int] | None = None,
    feed_id: int | SearchStrategy[int] | None = None,
) -> SearchStrategy[JsonObject]:
    """An alert: a binary is one that a feed's report names. From 5.2 on."""
    return declared(
        "alert.watchlist.hit.ingress.binary",
        server=server,
        dialect=dialect,
        hostname=hostname,
        md5=md5,
        ioc_type=ioc_type,
        watchlist_id=watchlist_id,
        feed_id=feed_id,
    )


def alert_watchlist_hit_ingress_host(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    sensor_id: int | SearchStrategy[int] | None = None,
    hostname: str | SearchStrategy[str] | None = None,
    ioc_type: IocType | SearchStrategy[str] | None = None,
    watchlist_id: int | SearchStrategy[int] | None = None,
    feed_id: int | SearchStrategy[int] | None = None,
) -> SearchStrategy[JsonObject]:
    """An alert: an endpoint did what a feed's report names. From 5.2 on."""
    return declared(
        "alert.watchlist.hit.ingress.host",
        server=server,
        dialect=dialect,
        sensor_id=sensor_id,
        hostname=hostname,
        ioc_type=ioc_type,
        watchlist_id=watchlist_id,
        feed_id=feed_id,
    )


def alert_watchlist_hit_ingress_process(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    sensor_id: int | SearchStrategy[int] | None = None,
    hostname: str | SearchStrategy[str] | None = None,
    md5: str | SearchStrategy[str] | None = None,
    ioc_type: IocType | SearchStrategy[str] | None = None,
    watchlist_id: int | SearchStrategy[int] | None = None,
    feed_id: int | SearchStrategy[int] | None = None,
) -> SearchStrategy[JsonObject]:
    """An alert: a process did what a feed's report names. From 5.2 on."""
    return declared(
        "alert.watchlist.hit.ingress.process",
        server=server,
        dialect=dialect,
        sensor_id=sensor_id,
        hostname=hostname,
        md5=md5,
        ioc_type=ioc_type,
        watchlist_id=watchlist_id,
        feed_id=feed_id,
    )


def alert_watchlist_hit_query_binary(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    hostname: str | SearchStrategy[str] | None = None,
    md5: str | SearchStrategy[str] | None = None,
    watchlist_id: int | SearchStrategy[int] | None = None,
    feed_id: int | SearchStrategy[int] | None = None,
) -> SearchStrategy[JsonObject]:
    """An alert: a binary matched a watchlist's query. From 5.2 on."""
    return declared(
        "alert.watchlist.hit.query.binary",
        server=server,
        dialect=dialect,
        hostname=hostname,
        md5=md5,
        watchlist_id=watchlist_id,
        feed_id=feed_id,
    )


def alert_watchlist_hit_query_process(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    sensor_id: int | SearchStrategy[int] | None = None,
    hostname: str | SearchStrategy[str] | None = None,
    md5: str | SearchStrategy[str] | None = None,
    watchlist_id: int | SearchStrategy[int] | None = None,
    feed_id: int | SearchStrategy[int] | None = None,
) -> SearchStrategy[JsonObject]:
    """An alert: a process matched a watchlist's query. From 5.2 on."""
    return declared(
        "alert.watchlist.hit.query.process",
        server=server,
        dialect=dialect,
        sensor_id=sensor_id,
        hostname=hostname,
        md5=md5,
        watchlist_id=watchlist_id,
        feed_id=feed_id,
    )


def binaryinfo_group_observed(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    md5: str | SearchStrategy[str] | None = None,
) -> SearchStrategy[JsonObject]:
    """A binary was seen for the first time in this sensor group."""
    return declared("binaryinfo.group.observed", server=server, dialect=dialect, md5=md5)


def binaryinfo_host_observed(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    sensor_id: int | SearchStrategy[int] | None = None,
    hostname: str | SearchStrategy[str] | None = None,
    md5: str | SearchStrategy[str] | None = None,
) -> SearchStrategy[JsonObject]:
    """A binary was seen for the first time on this endpoint."""
    return declared(
        "binaryinfo.host.observed",
        server=server,
        dialect=dialect,
        sensor_id=sensor_id,
        hostname=hostname,
        md5=md5,
    )


def binaryinfo_observed(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    md5: str | SearchStrategy[str] | None = None,
) -> SearchStrategy[JsonObject]:
    """A binary was seen for the first time on any endpoint."""
    return declared("binaryinfo.observed", server=server, dialect=dialect, md5=md5)


def binarystore_file_added(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    md5: str | SearchStrategy[str] | None = None,
) -> SearchStrategy[JsonObject]:
    """The server has a copy of a binary."""
    return declared("binarystore.file.added", server=server, dialect=dialect, md5=md5)


def cmd_feed_synchronize(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    feed_id: int | SearchStrategy[int] | None = None,
) -> SearchStrategy[JsonObject]:
    """The server was told to fetch a feed's reports. From 5.2 on."""
    return declared("cmd.feed.synchronize", server=server, dialect=dialect, feed_id=feed_id)


def events_partition_created(
    *,
    server: str = "6.x",
    dialect: DialectName = "observed",
) -> SearchStrategy[JsonObject]:
    """A partition of the server's event store was made. From 6.x on."""
    return declared("events.partition.created", server=server, dialect=dialect)


def events_partition_creating(
    *,
    server: str = "6.x",
    dialect: DialectName = "observed",
) -> SearchStrategy[JsonObject]:
    """A partition of the server's event store is being made. From 6.x on."""
    return declared("events.partition.creating", server=server, dialect=dialect)


def events_partition_deleted(
    *,
    server: str = "6.x",
    dialect: DialectName = "observed",
) -> SearchStrategy[JsonObject]:
    """A partition of the server's event store is gone. From 6.x on."""
    return declared("events.partition.deleted", server=server, dialect=dialect)


def events_partition_mounted(
    *,
    server: str = "6.x",
    dialect: DialectName = "observed",
) -> SearchStrategy[JsonObject]:
    """A partition of the server's event store can be searched. From 6.x on."""
    return declared("events.partition.mounted", server=server, dialect=dialect)


def events_partition_purged(
    *,
    server: str = "6.x",
    dialect: DialectName = "observed",
) -> SearchStrategy[JsonObject]:
    """A partition of the server's event store was emptied. From 6.x on."""
    return declared("events.partition.purged", server=server, dialect=dialect)


def events_partition_unmounted(
    *,
    server: str = "6.x",
    dialect: DialectName = "observed",
) -> SearchStrategy[JsonObject]:
    """A partition of the server's event store can no longer be searched. From 6.x on."""
    return declared("events.partition.unmounted", server=server, dialect=dialect)


def feed_ingress_hit_binary(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    sensor_id: int | SearchStrategy[int] | None = None,
    hostname: str | SearchStrategy[str] | None = None,
    md5: str | SearchStrategy[str] | None = None,
    ioc_type: IocType | SearchStrategy[str] | None = None,
    feed_id: int | SearchStrategy[int] | None = None,
) -> SearchStrategy[JsonObject]:
    """A binary is one that a feed's report names, told as the data arrives."""
    return declared(
        "feed.ingress.hit.binary",
        server=server,
        dialect=dialect,
        sensor_id=sensor_id,
        hostname=hostname,
        md5=md5,
        ioc_type=ioc_type,
        feed_id=feed_id,
    )


def feed_ingress_hit_host(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    sensor_id: int | SearchStrategy[int] | None = None,
    hostname: str | SearchStrategy[str] | None = None,
    ioc_type: IocType | SearchStrategy[str] | None = None,
    feed_id: int | SearchStrategy[int] | None = None,
) -> SearchStrategy[JsonObject]:
    """An endpoint did what a feed's report names, and no process is known. From 5.2 on."""
    return declared(
        "feed.ingress.hit.host",
        server=server,
        dialect=dialect,
        sensor_id=sensor_id,
        hostname=hostname,
        ioc_type=ioc_type,
        feed_id=feed_id,
    )


def feed_ingress_hit_process(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    sensor_id: int | SearchStrategy[int] | None = None,
    hostname: str | SearchStrategy[str] | None = None,
    ioc_type: IocType | SearchStrategy[str] | None = None,
    feed_id: int | SearchStrategy[int] | None = None,
) -> SearchStrategy[JsonObject]:
    """A process did what a feed's report names, told as the data arrives."""
    return declared(
        "feed.ingress.hit.process",
        server=server,
        dialect=dialect,
        sensor_id=sensor_id,
        hostname=hostname,
        ioc_type=ioc_type,
        feed_id=feed_id,
    )


def feed_query_hit_binary(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    sensor_id: int | SearchStrategy[int] | None = None,
    hostname: str | SearchStrategy[str] | None = None,
    md5: str | SearchStrategy[str] | None = None,
    feed_id: int | SearchStrategy[int] | None = None,
    docs: Docs | None = None,
) -> SearchStrategy[JsonObject]:
    """A binary matched a feed's query."""
    return declared(
        "feed.query.hit.binary",
        server=server,
        dialect=dialect,
        sensor_id=sensor_id,
        hostname=hostname,
        md5=md5,
        feed_id=feed_id,
        docs=docs,
    )


def feed_query_hit_process(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    sensor_id: int | SearchStrategy[int] | None = None,
    hostname: str | SearchStrategy[str] | None = None,
    md5: str | SearchStrategy[str] | None = None,
    feed_id: int | SearchStrategy[int] | None = None,
    docs: Docs | None = None,
) -> SearchStrategy[JsonObject]:
    """A process matched a feed's query."""
    return declared(
        "feed.query.hit.process",
        server=server,
        dialect=dialect,
        sensor_id=sensor_id,
        hostname=hostname,
        md5=md5,
        feed_id=feed_id,
        docs=docs,
    )


def feed_storage_hit_binary(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    sensor_id: int | SearchStrategy[int] | None = None,
    hostname: str | SearchStrategy[str] | None = None,
    md5: str | SearchStrategy[str] | None = None,
    ioc_type: IocType | SearchStrategy[str] | None = None,
    feed_id: int | SearchStrategy[int] | None = None,
    docs: Docs | None = None,
) -> SearchStrategy[JsonObject]:
    """A binary that a feed's report names can be searched for."""
    return declared(
        "feed.storage.hit.binary",
        server=server,
        dialect=dialect,
        sensor_id=sensor_id,
        hostname=hostname,
        md5=md5,
        ioc_type=ioc_type,
        feed_id=feed_id,
        docs=docs,
    )


def feed_storage_hit_process(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    sensor_id: int | SearchStrategy[int] | None = None,
    hostname: str | SearchStrategy[str] | None = None,
    md5: str | SearchStrategy[str] | None = None,
    ioc_type: IocType | SearchStrategy[str] | None = None,
    feed_id: int | SearchStrategy[int] | None = None,
    docs: Docs | None = None,
) -> SearchStrategy[JsonObject]:
    """A process that a feed's report names can be searched for."""
    return declared(
        "feed.storage.hit.process",
        server=server,
        dialect=dialect,
        sensor_id=sensor_id,
        hostname=hostname,
        md5=md5,
        ioc_type=ioc_type,
        feed_id=feed_id,
        docs=docs,
    )


def feed_synchronized(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    feed_id: int | SearchStrategy[int] | None = None,
) -> SearchStrategy[JsonObject]:
    """A feed's reports were fetched anew. From 5.2 on."""
    return declared("feed.synchronized", server=server, dialect=dialect, feed_id=feed_id)


def task_error_logged(
    *,
    server: str = "7.x",
    dialect: DialectName = "observed",
) -> SearchStrategy[JsonObject]:
    """A task of the server failed. From 7.x on."""
    return declared("task.error.logged", server=server, dialect=dialect)


def watchlist_hit_binary(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    sensor_id: int | SearchStrategy[int] | None = None,
    hostname: str | SearchStrategy[str] | None = None,
    md5: str | SearchStrategy[str] | None = None,
    watchlist_id: int | SearchStrategy[int] | None = None,
    docs: Docs | None = None,
) -> SearchStrategy[JsonObject]:
    """A binary matched a watchlist."""
    return declared(
        "watchlist.hit.binary",
        server=server,
        dialect=dialect,
        sensor_id=sensor_id,
        hostname=hostname,
        md5=md5,
        watchlist_id=watchlist_id,
        docs=docs,
    )


def watchlist_hit_ingress_binary(
    *,
    server: str = "6.x",
    dialect: DialectName = "observed",
    sensor_id: int | SearchStrategy[int] | None = None,
    hostname: str | SearchStrategy[str] | None = None,
    md5: str | SearchStrategy[str] | None = None,
    ioc_type: IocType | SearchStrategy[str] | None = None,
    watchlist_id: int | SearchStrategy[int] | None = None,
) -> SearchStrategy[JsonObject]:
    """A binary matched as the data arrives. From 6.x on."""
    return declared(
        "watchlist.hit.ingress.binary",
        server=server,
        dialect=dialect,
        sensor_id=sensor_id,
        hostname=hostname,
        md5=md5,
        ioc_type=ioc_type,
        watchlist_id=watchlist_id,
    )


def watchlist_hit_process(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    sensor_id: int | SearchStrategy[int] | None = None,
    hostname: str | SearchStrategy[str] | None = None,
    md5: str | SearchStrategy[str] | None = None,
    watchlist_id: int | SearchStrategy[int] | None = None,
    docs: Docs | None = None,
) -> SearchStrategy[JsonObject]:
    """A process matched a watchlist."""
    return declared(
        "watchlist.hit.process",
        server=server,
        dialect=dialect,
        sensor_id=sensor_id,
        hostname=hostname,
        md5=md5,
        watchlist_id=watchlist_id,
        docs=docs,
    )


def watchlist_storage_hit_binary(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    sensor_id: int | SearchStrategy[int] | None = None,
    hostname: str | SearchStrategy[str] | None = None,
    md5: str | SearchStrategy[str] | None = None,
    watchlist_id: int | SearchStrategy[int] | None = None,
    docs: Docs | None = None,
) -> SearchStrategy[JsonObject]:
    """A binary was marked as matching a watchlist, in the data store. From 5.2 on."""
    return declared(
        "watchlist.storage.hit.binary",
        server=server,
        dialect=dialect,
        sensor_id=sensor_id,
        hostname=hostname,
        md5=md5,
        watchlist_id=watchlist_id,
        docs=docs,
    )


def watchlist_storage_hit_process(
    *,
    server: str = "5.2",
    dialect: DialectName = "observed",
    sensor_id: int | SearchStrategy[int] | None = None,
    md5: str | SearchStrategy[str] | None = None,
    watchlist_id: int | SearchStrategy[int] | None = None,
    docs: Docs | None = None,
) -> SearchStrategy[JsonObject]:
    """A process was marked as matching a watchlist, in the data store. From 5.2 on."""
    return declared(
        "watchlist.storage.hit.process",
        server=server,
        dialect=dialect,
        sensor_id=sensor_id,
        md5=md5,
        watchlist_id=watchlist_id,
        docs=docs,
    )
