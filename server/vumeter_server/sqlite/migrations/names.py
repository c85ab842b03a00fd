"""Which migrations there are, and which of them a database has.

Apart from the migrations themselves: these are read at each start of a command, and run seldom.
"""

from __future__ import annotations

from typing import Final

from vumeter_server.sqlite.library import sqlite3

NAMES: Final = (
    "m0001_access",
    "m0002_custom_metrics",
    "m0003_live_metrics",
    "m0004_simulation",
    "m0005_metric_sums",
    "m0006_demo",
    "m0007_clock",
    "m0008_roles",
    "m0009_extremes",
    "m0010_distributions",
    "m0011_deletions",
    "m0012_outcomes",
    "m0013_tenant_of_key",
    "m0014_otlp",
    "m0020_limits",
    "m0021_deletions",
    "m0022_audit",
    "m0023_sign_in",
    "m0024_labels_and_starts",
    "m0025_dropped_days",
)
"""The modules of this package that migrate, in order."""
MIGRATION_SET: Final = "vumeter"
_TABLE: Final = "_sqlite_migrations"


def applied_names(connection: sqlite3.Connection) -> list[str]:
    """Return the names of the migrations that a database has; none if it is no one of vumeter."""
    has_any = connection.execute(
        "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (_TABLE,)
    ).fetchone()
    if not has_any:
        return []
    rows = connection.execute(
        "SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (MIGRATION_SET,)
    )
    return [name for (name,) in rows]


def holds_other_tables(connection: sqlite3.Connection) -> bool:
    """Whether there is more than what a first start makes before its first migration."""
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE tbl_name != ?", (_TABLE,))
    return found.fetchone() is not None
