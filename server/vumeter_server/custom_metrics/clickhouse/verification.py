"""What of an organization's data does not agree."""

from __future__ import annotations

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.custom_metrics.clickhouse.catalogs import rows_of
from vumeter_server.custom_metrics.clickhouse.conditions import Parameters
from vumeter_server.custom_metrics.clickhouse.rows import LogRowKind
from vumeter_server.custom_metrics.clickhouse.schema import POINTS
from vumeter_server.custom_metrics.clickhouse.store import ClickHouseMetricStore


async def find_problems(clickhouse: ClickHouse, store: ClickHouseMetricStore) -> list[str]:
    """Return doubles in logs, and points that came with no entry of a log."""
    points = clickhouse.layout.reads(POINTS)
    logs = await clickhouse.query(
        "SELECT organization, count(), uniqExact(time_us)"
        f" FROM {points} WHERE metric = '' AND kind = {int(LogRowKind.ENTRY)} GROUP BY organization"
    )
    problems = []
    for organization_id, count, distinct in rows_of(logs):
        if count != distinct:
            problems.append(f"organization {organization_id}: entries of its log are double")
        problems += await _of_points(clickhouse, store, organization_id)
    return problems


async def _of_points(
    clickhouse: ClickHouse, store: ClickHouseMetricStore, organization_id: int
) -> list[str]:
    points = clickhouse.layout.reads(POINTS)
    # Entries that say nothing of the catalog go after a while.
    entries = (
        f"FROM {points} WHERE organization = {organization_id}"
        f" AND metric = '' AND kind = {int(LogRowKind.ENTRY)}"
    )
    strays = await clickhouse.query(
        f"SELECT count() FROM {points} WHERE organization = {organization_id}"
        f" AND metric != '' AND seq GLOBAL IN (SELECT seq {entries})"
        f" AND (seq, entry) GLOBAL NOT IN (SELECT seq, entry {entries})"
    )
    (count,) = rows_of(strays)[0]
    problems = []
    if count:
        problems.append(f"organization {organization_id}: {count:,} points are of no entry")
    known = await store.log.catalogs.use(organization_id, lambda catalog: set(catalog.metrics))
    moment = await store.log.catalogs.moment(organization_id)
    parameters = Parameters()
    found = await clickhouse.query(
        f"SELECT DISTINCT metric FROM {points} WHERE {parameters.is_seen_at(moment)}",
        parameters.values,
    )
    problems += [
        f"organization {organization_id}: metric {name} has no type"
        for (name,) in rows_of(found)
        if name not in known
    ]
    return problems
