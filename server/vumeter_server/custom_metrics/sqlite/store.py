"""The store of custom metrics in SQLite: recording through the one writer, queries on snapshots."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from enum import Enum, auto
from typing import TypeVar

from vumeter_server.custom_metrics.model import Batch, MetricType, settle
from vumeter_server.custom_metrics.sqlite.cache.snapshots import NotAtHand, Snapshot, Snapshots
from vumeter_server.custom_metrics.sqlite.ingest.batches import Recorder, earlier_answer
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import read_version
from vumeter_server.custom_metrics.sqlite.maintenance.flush import SEAL_AT_POINTS
from vumeter_server.custom_metrics.sqlite.maintenance.schedule import Upkeep
from vumeter_server.custom_metrics.sqlite.query.labels import (
    query_names,
    query_tag_values,
    query_tags,
)
from vumeter_server.custom_metrics.sqlite.query.sessions import query_session
from vumeter_server.custom_metrics.sqlite.query.sums import query_sums
from vumeter_server.custom_metrics.sqlite.query.timeseries import query_timeseries
from vumeter_server.custom_metrics.sqlite.rollups.intervals import CELL_US
from vumeter_server.custom_metrics.store import (
    Idempotency,
    SessionMetric,
    SumQuery,
    Sums,
    TagValues,
    TagValuesQuery,
    Timeseries,
    TimeseriesQuery,
)
from vumeter_server.runtime.clock import Clock
from vumeter_server.sqlite import Readers, Writer

T = TypeVar("T")


class Cost(Enum):
    """What answering a query takes, which decides where it is answered."""

    AT_HAND = auto()
    """Some arithmetic on arrays in memory: less than handing it to a thread. It is answered where
    it is asked if the arrays are up to date, and quickly otherwise."""
    ROWS = auto()
    """A few rows read: answered as AT_HAND while they are likely in memory, else as QUICK."""
    QUICK = auto()
    """A few rows read, or some more arithmetic."""
    HEAVY = auto()
    """Points read, maybe many."""


# Queries of more periods than this are not answered at hand, where nothing else goes on meanwhile.
MAX_PERIODS_AT_HAND = 400


def _cost_of_sums(query: SumQuery) -> Cost:
    if query.selection.filters or query.group_by:
        return Cost.HEAVY
    return Cost.AT_HAND if len(query.bounds_us or ()) <= MAX_PERIODS_AT_HAND else Cost.QUICK


def _cost_of_timeseries(query: TimeseriesQuery, known_type: MetricType | None) -> Cost:
    if (
        query.selection.filters
        or query.step_us % CELL_US
        or known_type in (None, MetricType.HISTOGRAM)
    ):
        return Cost.HEAVY
    periods = (query.selection.end_us - query.selection.start_us) // query.step_us
    return Cost.AT_HAND if periods <= MAX_PERIODS_AT_HAND else Cost.QUICK


class SqliteMetricStore:
    """Implements MetricStore on a database's writer and readers."""

    def __init__(
        self,
        writer: Writer,
        readers: Readers,
        clock: Clock,
        *,
        retention_days: int = 400,
        seal_at_points: int = SEAL_AT_POINTS,
    ) -> None:
        self._writer = writer
        self._readers = readers
        self._recorder = Recorder()
        self._snapshots = Snapshots()
        self.upkeep = Upkeep(
            writer,
            readers,
            self._snapshots,
            clock,
            retention_days=retention_days,
            seal_at_points=seal_at_points,
            forget_sessions=self._recorder.forget_sessions,
        )

    async def record(
        self, organization_id: int, batch: Batch, *, idempotency: Idempotency | None, now_us: int
    ) -> int:
        """Store a batch, all of it or nothing."""
        return await self._writer.run(
            lambda connection: self._recorder.record(
                connection, organization_id, batch, idempotency, now_us
            ),
            rolled_back=lambda: self._recorder.forget(organization_id),
        )

    async def check(
        self, organization_id: int, batch: Batch, *, idempotency: Idempotency | None, now_us: int
    ) -> int:
        """Return or raise what `record` would."""

        def query(snapshot: Snapshot) -> int:
            if idempotency is not None:
                earlier = earlier_answer(snapshot.connection, organization_id, idempotency)
                if earlier is not None:
                    return earlier
            metrics = snapshot.metrics
            settle(
                batch, {name: metrics.types[code] for name, code in metrics.codes.items()}, now_us
            )
            return len(batch)

        return await self._query(organization_id, query, Cost.QUICK)

    async def names(self, organization_id: int, agent_id: str | None) -> list[str]:
        """Return the names of metrics, sorted."""
        return await self._query(
            organization_id, lambda snapshot: query_names(snapshot, agent_id), Cost.AT_HAND
        )

    async def sums(self, organization_id: int, query: SumQuery) -> Sums:
        """Sum points by metric, group and period."""
        return await self._query(
            organization_id, lambda snapshot: query_sums(snapshot, query), _cost_of_sums(query)
        )

    async def timeseries(self, organization_id: int, query: TimeseriesQuery) -> Timeseries:
        """Aggregate one metric by bucket."""
        known_type = self._snapshots.known_type(organization_id, query.metric_name)
        return await self._query(
            organization_id,
            lambda snapshot: query_timeseries(snapshot, query),
            _cost_of_timeseries(query, known_type),
        )

    async def tags(
        self, organization_id: int, metric_name: str | None, agent_id: str | None, limit: int
    ) -> dict[str, TagValues]:
        """Return user labels with their values."""
        return await self._query(
            organization_id,
            lambda snapshot: query_tags(snapshot, metric_name, agent_id, limit),
            Cost.AT_HAND,
        )

    async def tag_values(
        self, organization_id: int, query: TagValuesQuery
    ) -> list[tuple[str, str]]:
        """Return user labels as pairs of key and value."""
        return await self._query(
            organization_id, lambda snapshot: query_tag_values(snapshot, query), Cost.HEAVY
        )

    async def session(self, organization_id: int, session_id: str) -> list[SessionMetric]:
        """Return what one session recorded."""
        return await self._query(
            organization_id, lambda snapshot: query_session(snapshot, session_id), Cost.ROWS
        )

    async def _query(self, organization_id: int, query: Callable[[Snapshot], T], cost: Cost) -> T:
        if cost is Cost.AT_HAND:
            version = self._readers.peek(lambda c: read_version(c, organization_id))
            with contextlib.suppress(NotAtHand):
                return self._snapshots.at_hand(version, organization_id, query)
        elif cost is Cost.ROWS and self._readers.can_peek_at_rows():
            with contextlib.suppress(NotAtHand):
                return self._readers.peek_at_rows(
                    lambda c: self._snapshots.at_hand(
                        read_version(c, organization_id), organization_id, query, c
                    )
                )
        return await self._readers.run(
            lambda connection: query(self._snapshots.take(connection, organization_id)),
            heavy=cost is Cost.HEAVY,
        )
