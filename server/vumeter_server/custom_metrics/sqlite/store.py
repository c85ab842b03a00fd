"""The store of custom metrics in SQLite: recording through the one writer, queries on snapshots."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import TypeVar

import structlog

from vumeter_server.clock import Clock
from vumeter_server.custom_metrics.batch import Batch, MetricType, settle
from vumeter_server.custom_metrics.sqlite import blocks, sealing
from vumeter_server.custom_metrics.sqlite.columns import DAY_US
from vumeter_server.custom_metrics.sqlite.dictionaries import read_version
from vumeter_server.custom_metrics.sqlite.labels import query_names, query_tags
from vumeter_server.custom_metrics.sqlite.recording import Recorder, earlier_answer
from vumeter_server.custom_metrics.sqlite.sessions import query_session
from vumeter_server.custom_metrics.sqlite.snapshots import NotAtHand, Snapshot, Snapshots
from vumeter_server.custom_metrics.sqlite.sums import query_sums
from vumeter_server.custom_metrics.sqlite.timeseries import query_timeseries
from vumeter_server.custom_metrics.sqlite.totals import CELL_US
from vumeter_server.custom_metrics.store import (
    Idempotency,
    SessionMetric,
    SumQuery,
    Sums,
    TagValues,
    Timeseries,
    TimeseriesQuery,
)
from vumeter_server.errors import Unavailable
from vumeter_server.storage import Readers, Writer

T = TypeVar("T")

SEALING_LOOKS_EVERY_SECONDS = 1.0
# Twice the 24 hours that callers are promised.
IDEMPOTENCY_KEYS_KEPT_US = 48 * 3_600 * 1_000_000
IDEMPOTENCY_KEYS_DROPPED_EVERY_US = 600 * 1_000_000
IDEMPOTENCY_KEYS_DROPPED_AT_ONCE = 10_000

_log = structlog.get_logger(__name__)


class Cost(Enum):
    """What answering a query takes, which decides where it is answered."""

    AT_HAND = auto()
    """Some arithmetic on arrays in memory: less than handing it to a thread. It is answered where
    it is asked if the arrays are up to date, and quickly otherwise."""
    QUICK = auto()
    """A few rows read."""
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

    def __init__(self, writer: Writer, readers: Readers, clock: Clock) -> None:
        self._writer = writer
        self._readers = readers
        self._clock = clock
        self._recorder = Recorder()
        self._snapshots = Snapshots()
        self._keys_dropped_us = 0

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

    async def session(self, organization_id: int, session_id: str) -> list[SessionMetric]:
        """Return what one session recorded."""
        return await self._query(
            organization_id, lambda snapshot: query_session(snapshot, session_id), Cost.QUICK
        )

    async def _query(self, organization_id: int, query: Callable[[Snapshot], T], cost: Cost) -> T:
        if cost is Cost.AT_HAND:
            version = self._readers.peek(lambda c: read_version(c, organization_id))
            with contextlib.suppress(NotAtHand):
                return self._snapshots.at_hand(version, organization_id, query)
        return await self._readers.run(
            lambda connection: query(self._snapshots.take(connection, organization_id)),
            heavy=cost is Cost.HEAVY,
        )

    async def keep_in_order(self) -> None:
        """Seal the log and drop old idempotency keys, until cancelled."""
        while True:
            try:
                await self.seal()
                await self._drop_idempotency_keys()
            except Unavailable:
                _log.warning("sealing_put_off")
            except Exception:
                _log.exception("sealing_failed")
            await asyncio.sleep(SEALING_LOOKS_EVERY_SECONDS)

    async def seal(self, *, everything: bool = False) -> None:
        """Seal the logs that are long, merge the days that have many parts, make blocks of days.

        With `everything` whatever is in a log is sealed, and every day becomes one part.
        """
        read, write = self._readers.run, self._writer.run
        for organization_id in await read(partial(sealing.due, everything=everything)):
            while prepared := await self._query(organization_id, sealing.prepare, Cost.HEAVY):
                await write(partial(sealing.apply, sealing=prepared))
                if not everything and organization_id not in await read(sealing.due):
                    break
        parts = 2 if everything else sealing.MERGE_AT_PARTS
        for organization_id, day in await read(partial(sealing.days_to_merge, parts=parts)):
            merge = await self._query(
                organization_id, partial(sealing.prepare_merge, day=day), Cost.HEAVY
            )
            await write(partial(sealing.apply_merge, merge=merge))
        today = self._clock() // DAY_US
        for organization_id, level, block in await read(partial(blocks.to_make, today=today)):
            new = await self._query(
                organization_id, partial(blocks.prepare, level=level, block=block), Cost.HEAVY
            )
            if new is not None:
                await write(partial(blocks.apply, new=new))

    async def _drop_idempotency_keys(self) -> None:
        now_us = self._clock()
        if now_us - self._keys_dropped_us < IDEMPOTENCY_KEYS_DROPPED_EVERY_US:
            return
        before_us = now_us - IDEMPOTENCY_KEYS_KEPT_US

        def drop(connection: sqlite3.Connection) -> int:
            return connection.execute(
                "DELETE FROM idempotency_keys WHERE (organization_id, idempotency_key) IN ("
                " SELECT organization_id, idempotency_key FROM idempotency_keys"
                " WHERE created_us < ? LIMIT ?)",
                (before_us, IDEMPOTENCY_KEYS_DROPPED_AT_ONCE),
            ).rowcount

        if await self._writer.run(drop) < IDEMPOTENCY_KEYS_DROPPED_AT_ONCE:
            self._keys_dropped_us = now_us
