"""Events as they were reported, and how many a tenant has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vumeter_server.clickhouse import Parameter
from vumeter_server.live_metrics.clickhouse.history import row_counts
from vumeter_server.live_metrics.clickhouse.lookups import LiveTable
from vumeter_server.live_metrics.clickhouse.rows import (
    EVENT_COLUMNS,
    LOG,
    ROWS_OF_ENTRY,
    LiveRowKind,
    StoredEvent,
    read_events,
)
from vumeter_server.live_metrics.clickhouse.state import Visibility
from vumeter_server.live_metrics.store import EventsPage, EventsQuery

# So few that a message of them is never larger than what clients take.
EVENTS_A_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A page of events, as EventsPage."""

    events: Sequence[StoredEvent]
    after: int
    through: int
    share: float


async def read_page(
    table: LiveTable, visibility: Visibility, asked: EventsQuery, last_seq: int
) -> EventsPage:
    """Return the events of the next places, up to the entry `last_seq` if no end was said."""
    page = await read_stored(table, visibility, asked, last_seq)
    return EventsPage(
        events=[each.event for each in page.events],
        after=page.after,
        through=page.through,
        share=page.share,
    )


async def read_stored(
    table: LiveTable, visibility: Visibility, asked: EventsQuery, last_seq: int
) -> StoredPage:
    """Return the same with all that is stored of each."""
    through = (last_seq + 1) * ROWS_OF_ENTRY - 1 if asked.through is None else asked.through
    counts, values = row_counts(visibility, table, "tenant")
    of_tenant = "true"
    if asked.tenant_id is not None:
        of_tenant, values = "tenant = {tenant:String}", values | {"tenant": asked.tenant_id}
    found = await table.clickhouse.query(
        f"SELECT {EVENT_COLUMNS} FROM {table.name}"
        f" WHERE log = {LOG} AND kind = {LiveRowKind.EVENT:d} AND place > {{after:Int64}}"
        " AND place <= {through:Int64}"
        " AND occurred_us >= {start:Int64} AND occurred_us < {end:Int64}"
        f" AND {of_tenant} AND {counts} ORDER BY place LIMIT {EVENTS_A_PAGE}",
        values
        | {"after": asked.after, "through": through, "start": asked.start_us, "end": asked.end_us},
    )
    events = read_events(found)
    after = events[-1].place if len(events) == EVENTS_A_PAGE else through
    return StoredPage(
        events=events,
        after=after,
        through=through,
        share=1.0 if after == through else after / max(through, 1),
    )


async def has_received_before(table: LiveTable, visibility: Visibility, before_us: int) -> bool:
    """Return whether an event counts that was received before `before_us`."""
    counts, values = row_counts(visibility, table, "tenant")
    found = await table.clickhouse.query(
        f"SELECT 1 FROM {table.name} WHERE log = {LOG} AND kind = {LiveRowKind.EVENT:d}"
        f" AND received_us < {before_us:d} AND {counts} LIMIT 1",
        values,
    )
    return bool(found.num_rows)


async def calls_of(table: LiveTable, tenant_id: str) -> dict[str, int]:
    """Return the calls of a tenant with their numbers."""
    statement, values = _calls_of(table, table.name, tenant_id)
    found = await table.clickhouse.query(statement, values)
    columns = (found.column(name).to_pylist() for name in ("name", "at"))
    return dict(zip(*columns, strict=True))


async def count_events(table: LiveTable, visibility: Visibility, tenant_id: str) -> int:
    """Count the events of a tenant, and those of its calls."""
    counts, values = row_counts(visibility, table, "tenant")
    of_calls, of_tenant = _calls_of(table, table.local, tenant_id)
    found = await table.clickhouse.query(
        f"SELECT count() AS events FROM {table.name}"
        f" WHERE log = {LOG} AND kind = {LiveRowKind.EVENT:d} AND {counts}"
        f" AND (tenant = {{tenant:String}} OR call_no IN (SELECT at FROM ({of_calls})))",
        values | of_tenant,
    )
    number: int = found.column("events")[0].as_py()
    return number


def _calls_of(table: LiveTable, read: str, tenant_id: str) -> tuple[str, dict[str, Parameter]]:
    return (
        f"SELECT name, at FROM {read} FINAL"
        f" WHERE log = {LOG} AND kind = {LiveRowKind.CALL:d} AND tenant = {{tenant:String}}"
        f" AND at NOT IN (SELECT at FROM {table.local}"
        f" WHERE log = {LOG} AND kind = {LiveRowKind.GONE_CALL:d})",
        {"tenant": tenant_id},
    )
