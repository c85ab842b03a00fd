"""Custom metrics in SQLite: a log of batches, sealed in the background into days of columns."""

from vumeter_server.custom_metrics.sqlite.maintenance.administration import (
    SqliteMetricAdministration,
)
from vumeter_server.custom_metrics.sqlite.store import SqliteMetricStore

__all__ = ["SqliteMetricAdministration", "SqliteMetricStore"]
