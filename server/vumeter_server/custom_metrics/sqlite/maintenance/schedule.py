"""What a store does beside answering: seals, merges, sums blocks of days, drops what is old."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NoReturn, TypeVar

import structlog

from vumeter_server.custom_metrics.sqlite.cache.snapshots import Snapshot, Snapshots
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US
from vumeter_server.custom_metrics.sqlite.maintenance import flush, retention
from vumeter_server.custom_metrics.sqlite.rollups import compacted
from vumeter_server.custom_metrics.store import IDEMPOTENCY_KEYS_KEPT_US
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.periodic import run_periodically
from vumeter_server.sqlite import Readers, Writer
from vumeter_server.sqlite.library import sqlite3

T = TypeVar("T")

LOOKS_EVERY_SECONDS = 1.0
# What changes only with days and with sealings is looked at as often as this.
TIDIES_EVERY_US = 600 * 1_000_000
IDEMPOTENCY_KEYS_AT_ONCE = 10_000
EVERY_PART_COUNT = 2**31

# A log that grows fast may become this many times as long as one that is sealed at once, since
# sealing takes from recording what it needs, and less a point the more points it takes together.
LONG_TIMES = 8

_log = structlog.get_logger(__name__)


class Upkeep:
    """Keeps a database of custom metrics in order; one at a time."""

    def __init__(
        self,
        writer: Writer,
        readers: Readers,
        snapshots: Snapshots,
        clock: Clock,
        *,
        retention_days: int,
        seal_at_points: int,
        forget_sessions: Callable[[int], None],
    ) -> None:
        self._writer = writer
        self._readers = readers
        self._snapshots = snapshots
        self._clock = clock
        self._retention_days = retention_days
        self._seal_at_points = seal_at_points
        self._forget_sessions = forget_sessions
        self._tidied_us = 0
        self._logs: dict[int, tuple[int, int]] = {}

    async def keep_in_order(self) -> NoReturn:
        """Do what is due until cancelled."""
        await run_periodically(
            "custom_metrics", self.do_what_is_due, every_seconds=LOOKS_EVERY_SECONDS
        )

    async def do_what_is_due(self) -> None:
        """Flush, compact and drop whatever is due now."""
        now_us = self._clock()
        # Once a day the short logs are sealed too, so that what is in them grows old.
        is_new_day = now_us // DAY_US != self._tidied_us // DAY_US
        sealed = await self._seal_logs(everything=is_new_day and self._tidied_us > 0)
        if sealed or abs(now_us - self._tidied_us) >= TIDIES_EVERY_US:
            await self._lay_out(everything=False)
        if abs(now_us - self._tidied_us) >= TIDIES_EVERY_US:
            await self.drop_expired()
            await self.give_back()
            await self._drop_idempotency_keys()
            self._tidied_us = now_us

    async def seal(self, *, everything: bool = False) -> None:
        """Seal the logs that are long, merge the days that have many parts, make blocks of days.

        With `everything` whatever is in a log is sealed, and every day becomes one part.
        """
        await self._seal_logs(everything=everything)
        await self._lay_out(everything=everything)
        if everything:
            await self.give_back()

    async def upgrade(self, on_progress: Callable[[int, int], None]) -> None:
        """Sum the days that an earlier version sealed, a transaction a day.

        `on_progress` is told how many of how many days are done. What was done is not done again.
        """
        days = await self._readers.run(
            partial(flush.days_to_merge, parts=EVERY_PART_COUNT), heavy=True
        )
        for done, (organization_id, day) in enumerate(days):
            on_progress(done, len(days))
            await self._merge(organization_id, day)
        if days:
            on_progress(len(days), len(days))

    async def drop_expired(self) -> None:
        """Drop the days that are older than they are kept."""
        before_day = self._clock() // DAY_US - self._retention_days
        for organization_id in await self._readers.run(retention.organizations):
            days = await self._readers.run(
                partial(
                    retention.expired_days, organization_id=organization_id, before_day=before_day
                )
            )
            for day in days:
                await self._writer.run(
                    partial(
                        retention.drop_day,
                        organization_id=organization_id,
                        day=day,
                        forget_sessions=self._forget_sessions,
                    )
                )
            if days:
                _log.info("days_dropped", organization_id=organization_id, days=len(days))

    async def give_back(self) -> None:
        """Give what is free in the file back to the file system."""
        more = True
        while more:
            # Each step is a transaction of its own, between which others write.
            more = await self._writer.run(retention.give_back)

    async def _seal_logs(self, *, everything: bool) -> bool:
        at_points = 0 if everything else self._seal_at_points
        logs = await self._readers.run(partial(flush.due, at_points=at_points))
        before, self._logs = self._logs, logs
        due = [each for each in logs if everything or not self._waits(logs[each], before.get(each))]
        for organization_id in due:
            await self._seal_log(organization_id)
        return bool(due)

    def _waits(self, log: tuple[int, int], before: tuple[int, int] | None) -> bool:
        """Whether a log is better sealed when recording has become quiet, or the log very long."""
        points, batches = log
        at_points = self._seal_at_points
        if points > LONG_TIMES * at_points or batches > LONG_TIMES * flush.SEAL_AT_BATCHES:
            return False
        return points - (before[0] if before else 0) > at_points // 2

    async def _seal_log(self, organization_id: int) -> None:
        through = None
        while prepared := await self._query(
            organization_id, partial(flush.prepare, through=through, now_us=self._clock())
        ):
            # What is recorded meanwhile waits for the next time.
            through = prepared.through
            await self._writer.run(partial(flush.apply, sealing=prepared))

    async def _lay_out(self, *, everything: bool) -> None:
        read, write = self._readers.run, self._writer.run
        parts = 2 if everything else flush.MERGE_AT_PARTS
        for organization_id, day in await read(partial(flush.days_to_merge, parts=parts)):
            await self._merge(organization_id, day)
        today = self._clock() // DAY_US
        for organization_id, level, block in await read(partial(compacted.to_make, today=today)):
            new = await self._query(
                organization_id, partial(compacted.prepare, level=level, block=block)
            )
            if new is not None:
                await write(partial(compacted.apply, new=new))

    async def _merge(self, organization_id: int, day: int) -> None:
        merge = await self._query(organization_id, partial(flush.prepare_merge, day=day))
        await self._writer.run(partial(flush.apply_merge, merge=merge))

    async def _query(self, organization_id: int, query: Callable[[Snapshot], T]) -> T:
        return await self._readers.run(
            lambda connection: query(self._snapshots.take(connection, organization_id)), heavy=True
        )

    async def _drop_idempotency_keys(self) -> None:
        before_us = self._clock() - IDEMPOTENCY_KEYS_KEPT_US

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
