"""Carries deletions of points out, step by step, and those to their end that were cut short."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

import structlog

from vumeter_server.custom_metrics.questions import DeleteQuery
from vumeter_server.custom_metrics.sqlite.cache.snapshots import Snapshots
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.segments import DayRow, SegmentRange
from vumeter_server.custom_metrics.sqlite.maintenance import (
    deletion,
    deletion_cleanup,
    deletion_rows,
    deletion_uses,
)
from vumeter_server.custom_metrics.sqlite.maintenance.deletion import (
    ROWS_AT_ONCE,
    SESSIONS_AT_ONCE,
)
from vumeter_server.custom_metrics.sqlite.maintenance.deletion_cleanup import Written
from vumeter_server.custom_metrics.sqlite.maintenance.deletion_days import RewrittenDays
from vumeter_server.custom_metrics.sqlite.maintenance.deletion_rows import PointDeletion
from vumeter_server.custom_metrics.sqlite.maintenance.segment_removal import remove_segments
from vumeter_server.custom_metrics.sqlite.rollups import compacted
from vumeter_server.errors import StorageDamaged
from vumeter_server.runtime.clock import Clock
from vumeter_server.sqlite import Readers, Writer

T = TypeVar("T")
FlushLog = Callable[[int, int | None], Awaitable[None]]

_log = structlog.get_logger(__name__)


class PointDeletions:
    """The deletions of points of a database; one process carries them out.

    Whatever else rearranges segments has `lock`, too, while it prepares and writes them.
    """

    def __init__(
        self,
        writer: Writer,
        readers: Readers,
        snapshots: Snapshots,
        clock: Clock,
        *,
        flush_log: FlushLog,
        flush_long_logs: Callable[[], Awaitable[None]],
        forget_sessions: Callable[[int], None],
    ) -> None:
        """Take what the work needs.

        `flush_log` flushes an organization's batches up to a number, `flush_long_logs` all that
        should not wait for the end of a long deletion; both without taking `lock`.
        """
        self.lock = asyncio.Lock()
        self._writer = writer
        self._readers = readers
        self._snapshots = snapshots
        self._clock = clock
        self._flush_log = flush_log
        self._flush_long_logs = flush_long_logs
        self._forget_sessions = forget_sessions

    async def count(self, organization_id: int, query: DeleteQuery) -> int:
        """Return how many points a query is about."""
        found = await self._query(organization_id, partial(deletion.find, query=query))
        return found.count

    async def delete(self, organization_id: int, query: DeleteQuery) -> int:
        """Delete points and return how many; once begun it goes on if the caller is cancelled."""
        if not await self.count(organization_id, query):
            return 0
        number = await self._writer.run(
            partial(
                deletion_rows.add,
                organization_id=organization_id,
                query=query,
                now_us=self._clock(),
            )
        )
        finishing = asyncio.ensure_future(self._finish(organization_id, number, is_new=True))
        # Without a caller nobody else asks what became of it; the background work goes on with it.
        finishing.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(finishing)

    async def finish_all(self) -> None:
        """Carry out what was asked for by commands, and what was cut short."""
        for each in await self._readers.run(deletion_rows.read_all_under_way):
            await self._finish(each.organization_id, each.number)

    async def _finish(self, organization_id: int, number: int, *, is_new: bool = False) -> int:
        async with self.lock:
            found = await self._readers.run(
                partial(deletion_rows.read, organization_id=organization_id, number=number)
            )
            if found is None:
                return 0
            if found.is_done:
                return found.deleted or 0
            try:
                return await self._carry_out(found, is_new=is_new)
            except StorageDamaged:
                # It would meet the same damage whenever it is tried: nothing of it is done.
                await self._give_up(found)
                raise

    async def _carry_out(self, found: PointDeletion, *, is_new: bool) -> int:
        organization_id, number = found.organization_id, found.number
        if not is_new:
            written = await self._query(
                organization_id, partial(deletion_cleanup.find_written, found=found)
            )
            if found.deleted is not None:
                await self._clean_up(organization_id, number, written)
                return found.deleted
            await self._undo(found, written)
        await self._flush_log(organization_id, number - 1)
        condemned = await self._query(organization_id, partial(deletion.find, query=found.query))
        written, deleted = Written(), 0
        listed: list[tuple[int, list[DayRow]]] = []
        days = RewrittenDays(self._writer, self._query, self._flush_long_logs, found, condemned)
        for day in condemned.days:
            of_day = await days.rewrite(day)
            if of_day is not None:
                deleted += of_day.deleted
                listed.append((day, of_day.listed))
                written.add(day, of_day.sessions, of_day.emptied)
        await self._mark_uses(found, days.uses, written.days)
        await self._apply(organization_id, number, listed, deleted)
        await self._clean_up(organization_id, number, written)
        _log.info("points_deleted", organization_id=organization_id, points=deleted)
        return deleted

    async def _mark_uses(
        self, found: PointDeletion, uses: deletion_uses.Uses, days: list[int]
    ) -> None:
        codes = await self._query(
            found.organization_id,
            partial(deletion_uses.gone_uses, of_days=uses, days=days, last=found.last),
        )
        for start in range(0, len(codes), ROWS_AT_ONCE):
            await self._writer.run(
                partial(
                    deletion_uses.mark_uses,
                    organization_id=found.organization_id,
                    codes=codes[start : start + ROWS_AT_ONCE],
                    number=found.number,
                )
            )

    async def _apply(
        self,
        organization_id: int,
        number: int,
        listed: Sequence[tuple[int, list[DayRow]]],
        deleted: int,
    ) -> None:
        await self._writer.run(
            partial(
                deletion.apply,
                organization_id=organization_id,
                number=number,
                days=listed,
                deleted=deleted,
            )
        )

    async def _clean_up(self, organization_id: int, number: int, written: Written) -> None:
        for day in written.days:
            replaced = await self._readers.run(
                partial(
                    deletion_cleanup.replaced_segments,
                    before=deletion.segments_before(number, organization_id, day),
                )
            )
            await remove_segments(self._writer, self._readers, replaced)
            await self._writer.run(
                partial(compacted.clean_up, organization_id=organization_id, day=day)
            )
        emptied = set(written.emptied)
        for start in range(0, len(written.sessions), SESSIONS_AT_ONCE):
            sessions = written.sessions[start : start + SESSIONS_AT_ONCE]
            await self._writer.run(
                partial(
                    deletion_cleanup.clean_sessions,
                    organization_id=organization_id,
                    number=number,
                    sessions=sessions,
                    emptied=[each for each in sessions if each in emptied],
                    forget_sessions=self._forget_sessions,
                )
            )
        await self._writer.run(
            partial(
                deletion_rows.set_done,
                organization_id=organization_id,
                number=number,
                now_us=self._clock(),
            )
        )

    async def _undo(self, found: PointDeletion, written: Written) -> None:
        organization_id, number = found.organization_id, found.number
        for day in written.days:
            written_again = SegmentRange(
                organization_id=organization_id, day=day, first=number, last=found.last
            )
            await remove_segments(self._writer, self._readers, written_again)
        for start in range(0, len(written.sessions), ROWS_AT_ONCE):
            await self._writer.run(
                partial(
                    deletion_cleanup.undo_sessions,
                    found=found,
                    sessions=written.sessions[start : start + ROWS_AT_ONCE],
                )
            )
        await self._writer.run(
            partial(deletion_cleanup.undo_uses, organization_id=organization_id, number=number)
        )

    async def _give_up(self, found: PointDeletion) -> None:
        organization_id, number = found.organization_id, found.number
        if found.deleted is not None:
            return
        written = await self._query(
            organization_id, partial(deletion_cleanup.find_written, found=found)
        )
        await self._undo(found, written)
        await self._writer.run(
            partial(deletion_rows.remove, organization_id=organization_id, number=number)
        )
        _log.error("deletion_given_up", organization_id=organization_id)

    async def _query(self, organization_id: int, query: Callable[[Snapshot], T]) -> T:
        return await self._readers.run(
            lambda connection: query(self._snapshots.take(connection, organization_id)), heavy=True
        )
