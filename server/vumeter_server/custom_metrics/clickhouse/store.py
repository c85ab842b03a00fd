"""The store of custom metrics on ClickHouse."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, NoReturn, TypeVar

import pyarrow as pa

from vumeter_server.access.audit import AuditLog
from vumeter_server.clickhouse import ClickHouse
from vumeter_server.custom_metrics.clickhouse.conditions import Moment
from vumeter_server.custom_metrics.clickhouse.deletion import ClickHousePointDeletion
from vumeter_server.custom_metrics.clickhouse.export import export
from vumeter_server.custom_metrics.clickhouse.grouped import answer_grouped
from vumeter_server.custom_metrics.clickhouse.labels import (
    answer_metrics,
    answer_names,
    answer_tag_values,
    answer_tags,
)
from vumeter_server.custom_metrics.clickhouse.log import IsDeleted, MetricLog
from vumeter_server.custom_metrics.clickhouse.maintenance import ClickHouseMaintenance
from vumeter_server.custom_metrics.clickhouse.recording import earlier_answer, recording
from vumeter_server.custom_metrics.clickhouse.sessions import answer_session
from vumeter_server.custom_metrics.clickhouse.statements import Statement, ask
from vumeter_server.custom_metrics.clickhouse.sums import answer_sums
from vumeter_server.custom_metrics.clickhouse.timeseries import answer_timeseries
from vumeter_server.custom_metrics.clickhouse.usage import ClickHouseUsageStore
from vumeter_server.custom_metrics.model import Batch
from vumeter_server.custom_metrics.questions import (
    DeleteQuery,
    ExportedPoints,
    ExportQuery,
    GroupedQuery,
    MetricInfo,
    SessionMetric,
    SumQuery,
    Sums,
    TagValues,
    TagValuesQuery,
    Timeseries,
    TimeseriesQuery,
)
from vumeter_server.custom_metrics.store import AskGrouped, Idempotency
from vumeter_server.custom_metrics.validation import settle
from vumeter_server.errors import Unavailable
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.limits import DEFAULT_LIMITS, Limits

T = TypeVar("T")

MAX_EXPORTS: Final = 8
"""Each has a copy of what it reads."""
_THREADS: Final = 16


class ClickHouseMetricStore:
    """Implements MetricStore: what is recorded in the log, queries as statements."""

    def __init__(
        self,
        clickhouse: ClickHouse,
        clock: Clock,
        *,
        audit: AuditLog | None = None,
        retention_days: int = 400,
        deletion_us: Callable[[], int | None] | None = None,
        is_deleted: IsDeleted | None = None,
    ) -> None:
        """Take what it needs.

        `audit` notes the days that are dropped as too old; without it none is dropped.
        `deletion_us` gives the time by which old data may go, None while it is not trusted;
        `is_deleted` whether an organization is deleted, which may record nothing any more.
        """
        self._clickhouse = clickhouse
        self._clock = clock
        self.log = MetricLog(clickhouse, clock, is_deleted=is_deleted)
        self.usage = ClickHouseUsageStore(clickhouse, self.log)
        self.deletion = ClickHousePointDeletion(clickhouse, self.log, clock)
        self.maintenance = ClickHouseMaintenance(
            clickhouse,
            self.log,
            audit,
            clock,
            retention_days=retention_days,
            deletion_us=deletion_us,
        )
        self._threads = ThreadPoolExecutor(_THREADS, "queries")
        self._exports = 0

    async def record(
        self,
        organization_id: int,
        batch: Batch,
        *,
        idempotency: Idempotency | None,
        now_us: int,
        limits: Limits = DEFAULT_LIMITS,
    ) -> int:
        """Store a batch, all of it or nothing."""
        proposal = recording(
            batch, idempotency=idempotency, now_us=now_us, limits=limits, clock=self._clock
        )
        return await self.log.append(organization_id, proposal)

    async def check(
        self, organization_id: int, batch: Batch, *, idempotency: Idempotency | None, now_us: int
    ) -> int:
        """Return or raise what `record` would."""
        types, forgotten_at = await self.log.catalogs.use(
            organization_id, lambda catalog: (catalog.types(), catalog.forgotten_at)
        )
        if idempotency is not None:
            found = await self.log.find(organization_id, [idempotency.key], [], forgotten_at)
            earlier = earlier_answer(found, idempotency)
            if earlier is not None:
                return earlier
        settle(batch, types, now_us)
        return len(batch)

    async def delete_points(self, organization_id: int, query: DeleteQuery) -> int:
        """Delete points, all of them or none."""
        return await self.deletion.delete(organization_id, query)

    async def count_points(self, organization_id: int, query: DeleteQuery) -> int:
        """Return how many points `delete_points` would delete."""
        return await self.deletion.count(organization_id, query)

    async def forget_organization(self, organization_id: int) -> None:
        """Erase everything of an organization that is deleted."""
        await self.maintenance.forget_organization(organization_id)

    async def export_points(
        self, organization_id: int, query: ExportQuery
    ) -> AsyncGenerator[ExportedPoints, None]:
        """Yield points in order of time, from a copy."""
        if self._exports >= MAX_EXPORTS:
            raise Unavailable("Too many exports are under way")
        self._exports += 1
        try:
            moment = await self.log.catalogs.moment(organization_id)
            async with contextlib.aclosing(export(self._clickhouse, moment, query)) as exported:
                async for points in exported:
                    yield points
        finally:
            self._exports -= 1

    async def names(self, organization_id: int, agent_id: str | None) -> list[str]:
        """Return the names of metrics, sorted."""
        return await self.log.catalogs.use(
            organization_id, lambda catalog: answer_names(catalog, agent_id)
        )

    async def metrics(self, organization_id: int) -> list[MetricInfo]:
        """Return metrics with what is known of them, sorted by name."""
        return await self.log.catalogs.use(
            organization_id, lambda catalog: answer_metrics(catalog, are_used=True)
        )

    async def sums(self, organization_id: int, query: SumQuery) -> Sums:
        """Sum points by metric, group and period."""
        return await answer_sums(
            self._clickhouse, await self.log.catalogs.moment(organization_id), query
        )

    async def timeseries(self, organization_id: int, query: TimeseriesQuery) -> Timeseries:
        """Aggregate one metric by bucket."""
        moment = await self.log.catalogs.moment(organization_id)
        return await answer_timeseries(self._clickhouse, moment, query)

    async def at_one_moment(self, organization_id: int, work: Callable[[AskGrouped], T]) -> T:
        """Run `work` on a thread; what it asks is asked on the event loop."""
        moment = await self.log.catalogs.moment(organization_id)
        asking = _Asking(self._clickhouse, moment)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, work, asking.grouped)
        except asyncio.CancelledError:
            asking.end()
            raise

    async def tags(
        self, organization_id: int, metric_name: str | None, agent_id: str | None, limit: int
    ) -> dict[str, TagValues]:
        """Return user labels with their values."""
        return await self.log.catalogs.use(
            organization_id,
            lambda catalog: answer_tags(catalog, metric_name, agent_id, limit),
            on_thread=True,
        )

    async def tag_values(
        self, organization_id: int, query: TagValuesQuery
    ) -> list[tuple[str, str]]:
        """Return user labels as pairs of key and value."""
        return await self.log.catalogs.use(
            organization_id, lambda catalog: answer_tag_values(catalog, query), on_thread=True
        )

    async def session(self, organization_id: int, session_id: str) -> list[SessionMetric]:
        """Return what one session recorded."""
        moment = await self.log.catalogs.moment(organization_id)
        return await answer_session(self._clickhouse, moment, session_id)

    async def upgrade(self, on_progress: Callable[[int, int], None]) -> None:
        """There is nothing of an earlier version but its tables, which migrations change."""

    async def run(self) -> NoReturn:
        """Drop what is old, remove what is deleted, until cancelled."""
        await self.maintenance.run_forever()


class _Asking:
    """Asks for a thread, until whoever waits for it has gone."""

    def __init__(self, clickhouse: ClickHouse, moment: Moment) -> None:
        self._clickhouse = clickhouse
        self._moment = moment
        self._loop = asyncio.get_running_loop()
        self._asked: Future[pa.Table] | None = None
        self._is_over = False

    def grouped(self, query: GroupedQuery) -> Any:
        """Answer a query."""
        return answer_grouped(self._clickhouse, self._moment, query, self._ask)

    def end(self) -> None:
        """Cancel what is asked, and ask nothing more."""
        self._is_over = True
        if self._asked is not None:
            self._asked.cancel()

    def _ask(self, statement: Statement) -> pa.Table:
        if self._is_over:
            raise asyncio.CancelledError
        self._asked = asyncio.run_coroutine_threadsafe(ask(self._clickhouse, statement), self._loop)
        return self._asked.result()
