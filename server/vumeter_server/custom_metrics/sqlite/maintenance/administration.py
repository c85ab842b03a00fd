"""Metrics listed and deleted by the commands, beside a running server or without one."""

from __future__ import annotations

import time
from functools import partial

from vumeter_server.custom_metrics.questions import MetricInfo
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import read_state, write_state
from vumeter_server.custom_metrics.sqlite.query.labels import read_metric_infos
from vumeter_server.runtime.clock import system_clock
from vumeter_server.sqlite import Database, audit
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.organization_rows import (
    SECONDS_AT_ONCE,
    erase_some,
    organization_id_of,
)

# What is of one metric alone.
METRIC_TABLES = ("metric_columns", "metric_cells", "series_sums")


class SqliteMetricAdministration:
    """Implements MetricAdministration on a database file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list_metrics(self, organization: str) -> list[MetricInfo] | None:
        """Return the metrics of an organization, by name; None if there is no such organization."""

        def query(connection: sqlite3.Connection) -> list[MetricInfo] | None:
            organization_id = organization_id_of(connection, organization)
            if organization_id is None:
                return None
            return read_metric_infos(connection, organization_id)

        return self._database.read(query)

    def delete_metric(self, organization: str, name: str) -> bool:
        """Delete a metric and its points; False if there is none of that name.

        Queries no longer see it as soon as this begins, and the name is free for another type. Its
        rows go in steps between which others record.
        """

        def hide(connection: sqlite3.Connection) -> tuple[int, int] | None:
            organization_id = organization_id_of(connection, organization)
            if organization_id is None:
                return None
            metric_code = hide_metric(connection, organization_id, name)
            if metric_code is None:
                return None
            audit.append(
                connection,
                system_clock(),
                "metric.delete",
                organization_id=organization_id,
                target=name,
            )
            return organization_id, metric_code

        hidden = self._database.write(hide)
        if hidden is None:
            return False
        organization_id, metric_code = hidden
        for table in METRIC_TABLES:
            erase = partial(
                erase_some, table=table, organization_id=organization_id, metric_code=metric_code
            )
            while self._database.write(erase):
                # Whoever waits for the file looks again and again whether it is free.
                time.sleep(SECONDS_AT_ONCE)
        return True


def hide_metric(connection: sqlite3.Connection, organization_id: int, name: str) -> int | None:
    """Take a metric from the sight of queries, and free its name; None if there is none.

    Returns the code by which `METRIC_TABLES` still have rows of it. Nobody reads these any more;
    those that are not erased go when a day is compacted, or with retention.
    """
    found = connection.execute(
        "SELECT metric_code FROM metrics WHERE organization_id = ? AND name = ?",
        (organization_id, name),
    ).fetchone()
    if found is None:
        return None
    (metric_code,) = found
    connection.execute(
        "UPDATE metrics SET name = NULL WHERE organization_id = ? AND metric_code = ?",
        (organization_id, metric_code),
    )
    state = read_state(connection, organization_id)
    state.deletions += 1
    write_state(connection, organization_id, state)
    return int(metric_code)
