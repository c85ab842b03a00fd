"""The store of custom metrics in SQLite: recording through the one writer, queries by plan."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import NoReturn, TypeVar

from vumeter_server.custom_metrics.model import Batch
from vumeter_server.custom_metrics.questions import (
    DeleteQuery,
    ExportedPoints,
    ExportQuery,
    MetricInfo,
    SessionMetric,
    SumQuery,
    Sums,
    TagValues,
    TagValuesQuery,
    Timeseries,
    TimeseriesQuery,
)
from vumeter_server.custom_metrics.sqlite.cache.organization import OrganizationCache
from vumeter_server.custom_metrics.sqlite.cache.snapshots import CacheSizes, Snapshots
from vumeter_server.custom_metrics.sqlite.cache.view import View
from vumeter_server.custom_metrics.sqlite.ingest.batches import Recorder, earlier_answer
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import read_version
from vumeter_server.custom_metrics.sqlite.maintenance.flush import FLUSH_AT_POINTS
from vumeter_server.custom_metrics.sqlite.maintenance.migration import SqliteMetricMigration
from vumeter_server.custom_metrics.sqlite.maintenance.schedule import MetricMaintenance
from vumeter_server.custom_metrics.sqlite.query.export import export
from vumeter_server.custom_metrics.sqlite.query.grouped import answer_grouped
from vumeter_server.custom_metrics.sqlite.query.labels import (
    answer_names,
    answer_tag_values,
    answer_tags,
    read_metric_infos,
)
from vumeter_server.custom_metrics.sqlite.query.plan import (
    MAX_SESSION_BYTES_ON_LOOP,
    Cost,
    NamesQuery,
    Plan,
    Query,
    SessionQuery,
    TagsQuery,
    plan,
)
from vumeter_server.custom_metrics.sqlite.query.sessions import (
    answer_session,
    metrics_of,
    read_stored,
)
from vumeter_server.custom_metrics.sqlite.query.sums import answer_sums
from vumeter_server.custom_metrics.sqlite.query.timeseries import answer_timeseries
from vumeter_server.custom_metrics.sqlite.query.usage import SqliteUsageStore
from vumeter_server.custom_metrics.store import AskGrouped, Idempotency
from vumeter_server.custom_metrics.validation import settle
from vumeter_server.errors import Unavailable
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.limits import DEFAULT_LIMITS, Limits
from vumeter_server.sqlite import Readers, Writer
from vumeter_server.sqlite.library import sqlite3

Q = TypeVar("Q", bound=Query)
T = TypeVar("T")
MAX_EXPORTS = 8
"""Each has a copy of what it reads."""
Answer = Callable[[Q, Plan, View, OrganizationCache], T]


class SqliteMetricStore:
    """Implements MetricStore on a database's writer and readers."""

    def __init__(
        self,
        writer: Writer,
        readers: Readers,
        clock: Clock,
        *,
        retention_days: int = 400,
        flush_at_points: int = FLUSH_AT_POINTS,
        deletion_us: Callable[[], int | None] | None = None,
    ) -> None:
        self._writer = writer
        self._readers = readers
        self._clock = clock
        self.recorder = Recorder()
        self._snapshots = Snapshots()
        self.usage = SqliteUsageStore(writer, readers, self._snapshots)
        self.migration = SqliteMetricMigration(readers, writer, self.recorder, self._snapshots)
        self._exports = 0
        self.maintenance = MetricMaintenance(
            writer,
            readers,
            self._snapshots,
            clock,
            retention_days=retention_days,
            flush_at_points=flush_at_points,
            forget_sessions=self.recorder.forget_sessions,
            deletion_us=deletion_us,
        )

    def cache_sizes(self) -> CacheSizes:
        """Return how much of all organizations is in memory; any thread may ask."""
        return self._snapshots.sizes()

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
        return await self._writer.run(
            lambda connection: self.recorder.record(
                connection, organization_id, batch, idempotency, now_us, limits
            ),
            rolled_back=lambda: self.recorder.forget(organization_id),
        )

    async def check(
        self, organization_id: int, batch: Batch, *, idempotency: Idempotency | None, now_us: int
    ) -> int:
        """Return or raise what `record` would."""

        def answer(connection: sqlite3.Connection) -> int:
            metrics = self._snapshots.take(connection, organization_id).metrics
            if idempotency is not None:
                earlier = earlier_answer(connection, organization_id, idempotency)
                if earlier is not None:
                    return earlier
            settle(
                batch, {name: metrics.types[code] for name, code in metrics.codes.items()}, now_us
            )
            return len(batch)

        return await self._readers.run(answer)

    async def delete_points(self, organization_id: int, query: DeleteQuery) -> int:
        """Delete points, all of them or none."""
        return await self.maintenance.deletions.delete(organization_id, query)

    async def count_points(self, organization_id: int, query: DeleteQuery) -> int:
        """Return how many points `delete_points` would delete."""
        return await self.maintenance.deletions.count(organization_id, query)

    async def forget_organization(self, organization_id: int) -> None:
        """Erase everything of an organization that is deleted."""
        await self.maintenance.erase(organization_id, self.recorder.forget)
        self._snapshots.forget(organization_id)

    async def export_points(
        self, organization_id: int, query: ExportQuery
    ) -> AsyncGenerator[ExportedPoints, None]:
        """Yield points in order of time, from a copy."""
        if self._exports >= MAX_EXPORTS:
            raise Unavailable("Too many exports are under way")
        self._exports += 1
        try:
            cache = self._snapshots.organization(organization_id)
            async with contextlib.aclosing(export(self._readers, cache, query)) as exported:
                async for points in exported:
                    yield points
        finally:
            self._exports -= 1

    async def names(self, organization_id: int, agent_id: str | None) -> list[str]:
        """Return the names of metrics, sorted."""
        return await self._answer(organization_id, NamesQuery(agent_id=agent_id), answer_names)

    async def metrics(self, organization_id: int) -> list[MetricInfo]:
        """Return metrics with what is known of them, sorted by name."""
        return await self._readers.run(
            lambda connection: read_metric_infos(connection, organization_id)
        )

    async def sums(self, organization_id: int, query: SumQuery) -> Sums:
        """Sum points by metric, group and period."""
        return await self._answer(organization_id, query, answer_sums)

    async def timeseries(self, organization_id: int, query: TimeseriesQuery) -> Timeseries:
        """Aggregate one metric by bucket."""
        return await self._answer(organization_id, query, answer_timeseries)

    async def at_one_moment(self, organization_id: int, work: Callable[[AskGrouped], T]) -> T:
        """Run `work`, whose queries see one snapshot, on a reader's thread."""
        cache = self._snapshots.organization(organization_id)

        def answer(connection: sqlite3.Connection) -> T:
            snapshot = cache.take(connection)
            return work(lambda query: answer_grouped(query, snapshot, cache))

        return await self._readers.run(answer, heavy=True)

    async def tags(
        self, organization_id: int, metric_name: str | None, agent_id: str | None, limit: int
    ) -> dict[str, TagValues]:
        """Return user labels with their values."""
        query = TagsQuery(metric_name=metric_name, agent_id=agent_id, limit=limit)
        return await self._answer(organization_id, query, answer_tags)

    async def tag_values(
        self, organization_id: int, query: TagValuesQuery
    ) -> list[tuple[str, str]]:
        """Return user labels as pairs of key and value."""
        return await self._answer(organization_id, query, answer_tag_values)

    async def session(self, organization_id: int, session_id: str) -> list[SessionMetric]:
        """Return what one session recorded."""
        if self._readers.can_peek_at_rows():
            found = self._readers.peek_at_rows(
                lambda connection: self._session_on_loop(connection, organization_id, session_id)
            )
            if found is not None:
                return found
        query = SessionQuery(session_id=session_id, stored_bytes=None)
        return await self._answer(organization_id, query, answer_session)

    def _session_on_loop(
        self, connection: sqlite3.Connection, organization_id: int, session_id: str
    ) -> list[SessionMetric] | None:
        stored = read_stored(connection, organization_id, session_id, MAX_SESSION_BYTES_ON_LOOP)
        if stored is None:
            return None
        query = SessionQuery(session_id=session_id, stored_bytes=sum(map(len, stored.columns)))
        version = read_version(connection, organization_id)
        cache = self._snapshots.organization(organization_id)
        view = cache.hold(version)
        try:
            is_on_loop = plan(query, view).cost is Cost.ON_LOOP
            return metrics_of(stored, view) if is_on_loop else None
        finally:
            cache.release(view)

    async def _answer(self, organization_id: int, query: Q, answer: Answer[Q, T]) -> T:
        """Plan a query, and answer it where its plan says."""
        version = self._readers.peek(lambda c: read_version(c, organization_id))
        cache = self._snapshots.organization(organization_id)
        view = cache.hold(version)
        try:
            planned = plan(query, view)
            if planned.cost is Cost.ON_LOOP:
                return answer(query, planned, view, cache)
        finally:
            cache.release(view)
        return await self._readers.run(
            lambda connection: _answer_in_pool(connection, cache, query, planned, answer),
            heavy=planned.cost is Cost.HEAVY,
        )

    async def upgrade(self, on_progress: Callable[[int, int], None]) -> None:
        """Sum the days that an earlier version flushed."""
        await self.maintenance.upgrade(on_progress)

    async def run(self) -> NoReturn:
        """Flush, compact, drop what is old, until cancelled."""
        await self.maintenance.run_forever()


def _answer_in_pool(
    connection: sqlite3.Connection,
    cache: OrganizationCache,
    query: Q,
    planned: Plan,
    answer: Answer[Q, T],
) -> T:
    snapshot = cache.take(connection)
    if not planned.holds_for(snapshot):
        # Metrics were deleted meanwhile, or none were known yet.
        planned = plan(query, snapshot)
    return answer(query, planned, snapshot, cache)
