"""Metrics listed and deleted by the commands, beside a running server or without one."""

from __future__ import annotations

from vumeter_server.custom_metrics.questions import MetricInfo
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import read_state, write_state
from vumeter_server.custom_metrics.sqlite.query.labels import read_metric_infos
from vumeter_server.runtime.clock import system_clock
from vumeter_server.sqlite import Database, audit
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.organization_rows import organization_id_of


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

        Queries no longer see it once this returns, and the name is free for another type.
        """

        def job(connection: sqlite3.Connection) -> bool:
            organization_id = organization_id_of(connection, organization)
            if organization_id is None or not forget_metric(connection, organization_id, name):
                return False
            audit.append(
                connection,
                system_clock(),
                "metric.delete",
                organization_id=organization_id,
                target=name,
            )
            return True

        return self._database.write(job)


def forget_metric(connection: sqlite3.Connection, organization_id: int, name: str) -> bool:
    """Delete a metric with its points and its type; False if there is none of that name."""
    found = connection.execute(
        "SELECT metric_code FROM metrics WHERE organization_id = ? AND name = ?",
        (organization_id, name),
    ).fetchone()
    if found is None:
        return False
    where = (organization_id, found[0])
    for sql in (
        "UPDATE metrics SET name = NULL WHERE organization_id = ? AND metric_code = ?",
        "DELETE FROM metric_columns WHERE organization_id = ? AND metric_code = ?",
        "DELETE FROM metric_cells WHERE organization_id = ? AND metric_code = ?",
        "DELETE FROM series_sums WHERE organization_id = ? AND metric_code = ?",
    ):
        connection.execute(sql, where)
    state = read_state(connection, organization_id)
    state.deletions += 1
    write_state(connection, organization_id, state)
    return True
