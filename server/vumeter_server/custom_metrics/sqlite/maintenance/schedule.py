"""The background work of a store: flush, compaction, retention, vacuum, and when each is due."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, NoReturn, TypeVar

import structlog

from vumeter_server.custom_metrics.sqlite.cache.snapshots import Snapshots
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US
from vumeter_server.custom_metrics.sqlite.formats.segments import SegmentRange
from vumeter_server.custom_metrics.sqlite.maintenance import compaction, erasure, flush, retention
from vumeter_server.custom_metrics.sqlite.maintenance.deletion_work import PointDeletions
from vumeter_server.custom_metrics.sqlite.maintenance.flush_lag import FlushLag
from vumeter_server.custom_metrics.sqlite.maintenance.retention_work import Retention
from vumeter_server.custom_metrics.sqlite.rollups import compacted
from vumeter_server.custom_metrics.store import IDEMPOTENCY_KEYS_KEPT_US
from vumeter_server.errors import StorageDamaged
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.periodic import run_periodically
from vumeter_server.sqlite import Readers, Writer
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.organization_rows import erase_some

T = TypeVar("T")

CHECK_EVERY_SECONDS = 1.0
# What changes only with days and with flushes is checked as often as this.
MAINTAIN_EVERY_US = 600 * 1_000_000
IDEMPOTENCY_KEYS_AT_ONCE = 10_000

# A log that grows fast may become this many times as long as one that is flushed at once: a flush
# takes time from recording, and less per point the more points it takes together.
LONG_TIMES = 8

_log = structlog.get_logger(__name__)


class MetricMaintenance:
    """The background work on a database of custom metrics; one process does it."""

    def __init__(
        self,
        writer: Writer,
        readers: Readers,
        snapshots: Snapshots,
        clock: Clock,
        *,
        retention_days: int,
        flush_at_points: int,
        forget_sessions: Callable[[int], None],
        deletion_us: Callable[[], int | None] | None = None,
    ) -> None:
        """Take what the work needs.

        `deletion_us` returns the time by which old data may be deleted, None while the machine's
        clock is not trusted; without it that is `clock`.
        """
        self._writer = writer
        self._readers = readers
        self._snapshots = snapshots
        self._clock = clock
        self._deletion_us = deletion_us or self._now_us
        self._flush_at_points = flush_at_points
        self._forget_sessions = forget_sessions
        self._maintained_us = 0
        self.deletions = PointDeletions(
            writer,
            readers,
            snapshots,
            clock,
            flush_log=self._flush_batches,
            flush_long_logs=self._flush_long_logs,
            forget_sessions=forget_sessions,
        )
        self._retention = Retention(
            writer,
            readers,
            days_kept=retention_days,
            deletion_us=self._deletion_us,
            lock=self.deletions.lock,
            forget_sessions=forget_sessions,
        )
        self._logs: dict[int, tuple[int, int]] = {}
        self.lag = FlushLag()
        self._damage: StorageDamaged | None = None

    def _now_us(self) -> int | None:
        return self._clock()

    async def run_forever(self) -> NoReturn:
        """Do what is due until cancelled."""
        await run_periodically(
            "custom_metrics", self.do_what_is_due, every_seconds=CHECK_EVERY_SECONDS
        )

    async def do_what_is_due(self) -> None:
        """Flush, compact and drop whatever is due now.

        Raises StorageDamaged at its end if a part of it met damage; the other parts are done.
        """
        now_us = self._clock()
        await self._past_damage(self._retention.finish_all())
        await self._past_damage(self.deletions.finish_all())
        # Once a day short logs are flushed too, so that retention can drop what they hold.
        is_new_day = now_us // DAY_US != self._maintained_us // DAY_US
        flushed = await self._flush_logs(everything=is_new_day and self._maintained_us > 0)
        if flushed or abs(now_us - self._maintained_us) >= MAINTAIN_EVERY_US:
            await self._compact(everything=False)
        if abs(now_us - self._maintained_us) >= MAINTAIN_EVERY_US:
            await self.drop_expired()
            await self.vacuum()
            await self._drop_idempotency_keys()
            self._maintained_us = now_us
        self._tell_damage()

    async def flush(self, *, everything: bool = False) -> None:
        """Flush the logs that are long, compact the days that have many segments, compute rollups.

        With `everything` all logs are flushed, and every day becomes as few segments as there may
        be. Raises StorageDamaged at its end, as `do_what_is_due` does.
        """
        await self._past_damage(self._retention.finish_all())
        await self._past_damage(self.deletions.finish_all())
        await self._flush_logs(everything=everything)
        await self._compact(everything=everything)
        if everything:
            await self.vacuum()
        self._tell_damage()

    async def upgrade(self, on_progress: Callable[[int, int], None]) -> None:
        """Compute rollups of the days that an earlier version flushed, one transaction per segment.

        `on_progress` gets how many of how many days are done. What was done is not done again.
        """
        due = await self._readers.run(partial(compaction.due, segments=None), heavy=True)
        for done, segments in enumerate(due):
            on_progress(done, len(due))
            await self._compact_segments(segments)
        if due:
            on_progress(len(due), len(due))

    async def drop_expired(self) -> None:
        """Drop the days that are older than they are kept."""
        await self._retention.drop_expired()

    async def erase(self, organization_id: int, forget_symbols: Callable[[int], None]) -> None:
        """Erase everything of an organization, in steps; the writer's thread forgets it last."""
        async with self.deletions.lock:
            await self._writer.run(partial(erasure.hide, organization_id=organization_id))
            while await self._writer.run(
                partial(erasure.erase_some_sessions, organization_id=organization_id)
            ):
                pass
            for table in erasure.TABLES:
                while await self._writer.run(
                    partial(erase_some, table=table, organization_id=organization_id)
                ):
                    pass
            await self._writer.run(
                partial(
                    erasure.forget, organization_id=organization_id, forget_symbols=forget_symbols
                )
            )
        await self.vacuum()

    async def vacuum(self) -> None:
        """Return the free pages of the file to the file system."""
        more = True
        while more:
            # Each step is a transaction of its own, between which others write.
            more = await self._writer.run(retention.vacuum_some)

    async def _flush_logs(self, *, everything: bool) -> bool:
        at_points = 0 if everything else self._flush_at_points
        logs = await self._readers.run(partial(flush.due, at_points=at_points))
        before, self._logs = self._logs, logs
        if not everything:
            self.lag.note({each: points for each, (points, _) in logs.items()})
        due = [each for each in logs if everything or not self._waits(logs[each], before.get(each))]
        for organization_id in due:
            await self._past_damage(self._flush_log(organization_id))
        return bool(due)

    async def _flush_long_logs(self) -> None:
        """Flush the logs that are so long that they should not wait for anything."""
        logs = await self._readers.run(
            partial(flush.due, at_points=LONG_TIMES * self._flush_at_points)
        )
        for organization_id in logs:
            await self._flush_batches(organization_id, None)

    def _waits(self, log: tuple[int, int], before: tuple[int, int] | None) -> bool:
        """Whether a log is better flushed when recording has become quiet, or the log very long."""
        points, batches = log
        at_points = self._flush_at_points
        if points > LONG_TIMES * at_points or batches > LONG_TIMES * flush.FLUSH_AT_BATCHES:
            return False
        return points - (before[0] if before else 0) > at_points // 2

    async def _flush_log(self, organization_id: int) -> None:
        async with self.deletions.lock:
            await self._flush_batches(organization_id, None)
        self.lag.done(organization_id)

    async def _flush_batches(self, organization_id: int, through: int | None) -> None:
        """Flush the log up to a batch, or all that is in it now."""
        while prepared := await self._query(
            organization_id, partial(flush.prepare, through=through, now_us=self._clock())
        ):
            # What is recorded meanwhile waits for the next time.
            through = prepared.through
            await self._writer.run(partial(flush.apply, flush=prepared))

    async def _compact(self, *, everything: bool) -> None:
        read = self._readers.run
        at_segments = 2 if everything else compaction.COMPACT_AT_SEGMENTS
        for segments in await read(partial(compaction.due, segments=at_segments)):
            await self._past_damage(self._compact_segments(segments))
        today = self._clock() // DAY_US
        for organization_id, level, block in await read(partial(compacted.due, today=today)):
            await self._past_damage(self._compact_rollups(organization_id, level, block))

    async def _compact_rollups(self, organization_id: int, level: int, block: int) -> None:
        async with self.deletions.lock:
            new = await self._query(
                organization_id, partial(compaction.prepare_rollup, level=level, block=block)
            )
            if new is not None:
                await self._writer.run(partial(compacted.write, new=new))

    async def _compact_segments(self, segments: SegmentRange) -> None:
        async with self.deletions.lock:
            compacted_segments = await self._query(
                segments.organization_id, partial(compaction.prepare, segments=segments)
            )
            if compacted_segments is not None:
                await self._writer.run(
                    partial(compaction.apply, compacted_segments=compacted_segments)
                )

    async def _past_damage(self, work: Coroutine[Any, Any, None]) -> None:
        """Do one part of the work; what is damaged there keeps no other part from being done."""
        try:
            await work
        except StorageDamaged as error:
            self._damage = error

    def _tell_damage(self) -> None:
        damage, self._damage = self._damage, None
        if damage is not None:
            raise damage

    async def _query(self, organization_id: int, query: Callable[[Snapshot], T]) -> T:
        return await self._readers.run(
            lambda connection: query(self._snapshots.take(connection, organization_id)), heavy=True
        )

    async def _drop_idempotency_keys(self) -> None:
        now_us = self._deletion_us()
        if now_us is None:
            return
        before_us = now_us - IDEMPOTENCY_KEYS_KEPT_US

        def drop(connection: sqlite3.Connection) -> int:
            return connection.execute(
                "DELETE FROM idempotency_keys WHERE (organization_id, idempotency_key) IN ("
                " SELECT organization_id, idempotency_key FROM idempotency_keys"
                " WHERE created_us < ? LIMIT ?)",
                (before_us, IDEMPOTENCY_KEYS_AT_ONCE),
            ).rowcount

        dropped = IDEMPOTENCY_KEYS_AT_ONCE
        while dropped == IDEMPOTENCY_KEYS_AT_ONCE:
            dropped = await self._writer.run(drop)
