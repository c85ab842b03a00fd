"""Custom metrics in SQLite: a write-ahead log of batches, flushed into column segments."""

from vumeter_server.custom_metrics.sqlite.maintenance.administration import (
    SqliteMetricAdministration,
)
from vumeter_server.custom_metrics.sqlite.store import SqliteMetricStore

__all__ = ["SqliteMetricAdministration", "SqliteMetricStore"]
