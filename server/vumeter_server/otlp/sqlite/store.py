"""The store of what exporters send, in SQLite: points go where all custom metrics are."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final, NoReturn, Protocol

from cachetools import TTLCache

from vumeter_server.custom_metrics.exported import ExportedBatch, ExportOutcome, RejectedPoint
from vumeter_server.custom_metrics.settle_exported import STATES_KEPT_US
from vumeter_server.custom_metrics.store import Idempotency
from vumeter_server.otlp.mapping import AttributeMapping
from vumeter_server.otlp.sqlite.mappings import delete_mapping, read_mapping, write_mapping
from vumeter_server.otlp.sqlite.rejections import count_export, read_rejections
from vumeter_server.otlp.store import Rejections
from vumeter_server.runtime.limits import DEFAULT_LIMITS, Limits
from vumeter_server.runtime.periodic import run_periodically
from vumeter_server.sqlite import Readers, Writer
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.organization_rows import check_not_deleted, erase_some

MAPPINGS_CACHED_SECONDS: Final = 0.5
MAX_MAPPINGS_CACHED: Final = 10_000
CHECK_EVERY_SECONDS: Final = 600.0
_DROPPED_AT_ONCE: Final = 1_000
_TABLES: Final = ("exported_series", "export_counts", "rejected_points", "attribute_mappings")


class PointRecorder(Protocol):
    """Stores the points of exports among all custom metrics, in jobs of the one writer."""

    def record(
        self,
        connection: sqlite3.Connection,
        organization_id: int,
        batch: ExportedBatch,
        *,
        idempotency: Idempotency | None,
        now_us: int,
        limits: Limits,
    ) -> ExportOutcome:
        """Store what `settle_exported` makes of a batch."""

    def forget(self, organization_id: int) -> None:
        """Throw away what is known of an organization, because the file does not say so."""

    def drop_old_series(self, connection: sqlite3.Connection, before_us: int, at_most: int) -> int:
        """Drop the states of series that had no point since; return how many rows."""


class SqliteExportStore:
    """Implements ExportStore on a database's writer and readers."""

    def __init__(
        self,
        writer: Writer,
        readers: Readers,
        recorder: PointRecorder,
        *,
        deletion_us: Callable[[], int | None],
    ) -> None:
        """Take what it needs.

        `deletion_us` returns the time by which old data may be deleted, None while the machine's
        clock is not trusted.
        """
        self._writer = writer
        self._readers = readers
        self._recorder = recorder
        self._deletion_us = deletion_us
        self._mappings: TTLCache[int, AttributeMapping] = TTLCache(
            MAX_MAPPINGS_CACHED, MAPPINGS_CACHED_SECONDS, timer=time.monotonic
        )

    async def record_exported(
        self,
        organization_id: int,
        batch: ExportedBatch,
        *,
        key_id: str,
        notes: dict[str, int],
        idempotency: Idempotency | None,
        now_us: int,
        limits: Limits = DEFAULT_LIMITS,
    ) -> ExportOutcome:
        """Record what `settle_exported` makes of a batch, and count what was rejected."""

        def job(connection: sqlite3.Connection) -> ExportOutcome:
            check_not_deleted(connection, organization_id)
            outcome = self._recorder.record(
                connection,
                organization_id,
                batch,
                idempotency=idempotency,
                now_us=now_us,
                limits=limits,
            )
            if not outcome.is_repeat:
                noted = Counter(notes) + Counter(outcome.notes)
                count_export(connection, organization_id, key_id, outcome.rejected, noted, now_us)
            return outcome

        return await self._writer.run(
            job, rolled_back=lambda: self._recorder.forget(organization_id)
        )

    async def count_rejected(
        self, organization_id: int, rejected: RejectedPoint, *, key_id: str, now_us: int
    ) -> None:
        """Count a request of which no point could be read."""

        def job(connection: sqlite3.Connection) -> None:
            check_not_deleted(connection, organization_id)
            count_export(connection, organization_id, key_id, [rejected], {}, now_us)

        await self._writer.run(job)

    async def forget_organization(self, organization_id: int) -> None:
        """Erase what is kept of an organization that is deleted."""

        def erase(connection: sqlite3.Connection, table: str) -> bool:
            self._recorder.forget(organization_id)
            return erase_some(connection, table, organization_id)

        for table in _TABLES:
            while await self._writer.run(partial(erase, table=table)):
                pass
        self._mappings.pop(organization_id, None)

    async def rejections(self, organization_id: int) -> Rejections:
        """Return what was rejected, the last ones one by one."""
        return await self._readers.run(
            lambda connection: read_rejections(connection, organization_id)
        )

    async def mapping(self, organization_id: int) -> AttributeMapping:
        """Return how an organization maps attributes."""
        known = self._mappings.get(organization_id)
        if known is None:
            known = await self._readers.run(
                lambda connection: read_mapping(connection, organization_id)
            )
            self._mappings[organization_id] = known
        return known

    async def set_mapping(self, organization_id: int, mapping: AttributeMapping | None) -> None:
        """Change how an organization maps attributes."""

        def job(connection: sqlite3.Connection) -> None:
            check_not_deleted(connection, organization_id)
            if mapping is None:
                delete_mapping(connection, organization_id)
            else:
                write_mapping(connection, organization_id, mapping)

        await self._writer.run(job)
        self._mappings.pop(organization_id, None)

    async def run(self) -> NoReturn:
        """Forget series that had no point for long, until cancelled."""
        await run_periodically(
            "exported_series", self._drop_old_series, every_seconds=CHECK_EVERY_SECONDS
        )

    async def _drop_old_series(self) -> None:
        now_us = self._deletion_us()
        if now_us is None:
            return
        drop = partial(
            self._recorder.drop_old_series,
            before_us=now_us - STATES_KEPT_US,
            at_most=_DROPPED_AT_ONCE,
        )
        while await self._writer.run(drop) == _DROPPED_AT_ONCE:
            pass
