"""What `vumeter db check` asks of deleted tenants: nothing of them is left but by a deletion."""

from __future__ import annotations

from collections.abc import Iterator

from vumeter_server.live_metrics.sqlite.timeline import ALL_TENANTS
from vumeter_server.sqlite.library import sqlite3

# What has rows of tenants, by their number.
TABLES = ("live_totals", "live_events", "live_calls", "live_marks", "live_cells")


def find_problems(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield what contradicts itself; a deletion that is under way is no problem."""
    for number, tenant_id, tenant_no, done_us in connection.execute(
        "SELECT deletion_no, tenant_id, tenant_no, done_us FROM live_deletions"
    ):
        # It waits for the tenant of an id, and is applied to that of a number.
        if done_us is None and (tenant_id is None) == (tenant_no is None):
            yield f"live_deletions: whether {number} is applied is told differently"
    known = (
        f"SELECT {ALL_TENANTS} UNION ALL SELECT tenant_no FROM live_tenants"
        " UNION ALL SELECT tenant_no FROM live_deletions"
        "  WHERE tenant_no IS NOT NULL AND done_us IS NULL"
    )
    for (tenant_no,) in connection.execute(
        "SELECT d.tenant_no FROM live_deletions AS d JOIN live_tenants USING (tenant_no)"
        " WHERE d.done_us IS NULL"
    ):
        yield f"live_tenants: {tenant_no} is deleted, and is there"
    for table in TABLES:
        (count,) = connection.execute(
            f"SELECT count(*) FROM {table} WHERE tenant_no NOT IN ({known})"
        ).fetchone()
        if count:
            yield f"{table}: {count:,} rows are of a tenant that there is not"
