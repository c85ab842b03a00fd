"""Carries retention out: days that are older than they are kept go, step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US
from vumeter_server.custom_metrics.sqlite.formats.segments import SegmentRange
from vumeter_server.custom_metrics.sqlite.maintenance import retention
from vumeter_server.custom_metrics.sqlite.maintenance.segment_removal import remove_segments
from vumeter_server.custom_metrics.sqlite.rollups import compacted
from vumeter_server.runtime.actors import SERVER
from vumeter_server.sqlite import Readers, Writer, audit
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.times.rfc3339 import format_rfc3339

_log = structlog.get_logger(__name__)

# Each of these has rows in several tables.
SESSIONS_AT_ONCE = 200


class Retention:
    """The retention of a database; one process carries it out."""

    def __init__(
        self,
        writer: Writer,
        readers: Readers,
        *,
        days_kept: int,
        deletion_us: Callable[[], int | None],
        lock: asyncio.Lock,
        forget_sessions: Callable[[int], None],
    ) -> None:
        """Take what the work needs.

        `deletion_us` returns the time by which old data may be deleted, None while that is not
        known; `lock` is held while a day is taken out of the list.
        """
        self._writer = writer
        self._readers = readers
        self._days_kept = days_kept
        self._deletion_us = deletion_us
        self._lock = lock
        self._forget_sessions = forget_sessions

    async def drop_expired(self) -> None:
        """Drop the days that are older than they are kept."""
        now_us = self._deletion_us()
        if now_us is None:
            return
        before_day = now_us // DAY_US - self._days_kept
        for organization_id in await self._readers.run(retention.organizations):
            days = await self._readers.run(
                partial(
                    retention.expired_days, organization_id=organization_id, before_day=before_day
                )
            )
            for index, day in enumerate(days):
                # The audit notes all of them together with the first one.
                note = partial(_note, organization_id=organization_id, days=days, now_us=now_us)
                await self._drop(organization_id, day, None if index else note)
            if days:
                _log.info("days_dropped", organization_id=organization_id, days=len(days))

    async def finish_all(self) -> None:
        """Clean up after the days whose dropping was cut short."""
        for dropped in await self._readers.run(retention.dropped_days):
            await self._clean_up(dropped)

    async def _drop(
        self, organization_id: int, day: int, note: Callable[[sqlite3.Connection], None] | None
    ) -> None:
        def hide(connection: sqlite3.Connection) -> SegmentRange | None:
            if note is not None:
                note(connection)
            return retention.hide_day(connection, organization_id, day)

        async with self._lock:
            dropped = await self._writer.run(hide)
        if dropped is not None:
            await self._clean_up(dropped)

    async def _clean_up(self, dropped: SegmentRange) -> None:
        # The columns say which sessions these are, and go after these.
        await self._clean_sessions(dropped)
        await remove_segments(self._writer, self._readers, dropped)
        await self._writer.run(
            partial(compacted.clean_up, organization_id=dropped.organization_id, day=dropped.day)
        )
        await self._writer.run(partial(retention.set_done, dropped=dropped))

    async def _clean_sessions(self, dropped: SegmentRange) -> None:
        sessions = await self._readers.run(
            partial(retention.sessions_of, segments=dropped), heavy=True
        )
        for start in range(0, len(sessions), SESSIONS_AT_ONCE):
            await self._writer.run(
                partial(
                    retention.clean_sessions,
                    segments=dropped,
                    sessions=sessions[start : start + SESSIONS_AT_ONCE],
                    forget_sessions=self._forget_sessions,
                )
            )


def _note(
    connection: sqlite3.Connection, organization_id: int, days: Sequence[int], now_us: int
) -> None:
    audit.append(
        connection,
        now_us,
        "retention.drop_days",
        actor=SERVER,
        organization_id=organization_id,
        details={"days": len(days), "last_day": format_rfc3339(days[-1] * DAY_US)[:10]},
    )
