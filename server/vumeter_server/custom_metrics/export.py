"""The use case of export: check what an API parsed, then stream points, from any place on."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

import numpy as np

from vumeter_server.access.audit import AuditLog
from vumeter_server.access.authenticator import Caller
from vumeter_server.custom_metrics.asked_points import AskedPoints, check_points, in_words
from vumeter_server.custom_metrics.batch_parts import part_of
from vumeter_server.custom_metrics.model import Batch
from vumeter_server.custom_metrics.questions import ExportQuery
from vumeter_server.custom_metrics.store import MetricStore


@dataclass(frozen=True, slots=True)
class ExportPosition:
    """A place in an export: behind the first `points` points of `time_us`, and all before it."""

    time_us: int
    points: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportRequest(AskedPoints):
    """Which points to export; with `after` only those behind it."""

    after: ExportPosition | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ExportPiece:
    """Some points of an export, at least one, and where they begin and end.

    `progress` says about how much of what has to be read is read, above 0, at most 1.
    """

    batch: Batch
    after: ExportPosition
    position: ExportPosition
    progress: float

    def halves(self) -> tuple[ExportPiece, ExportPiece]:
        """Return the same in two pieces."""
        middle = len(self.batch) // 2
        first, second = part_of(self.batch, 0, middle), part_of(self.batch, middle, len(self.batch))
        end = _end_of(first, self.after)
        return (
            replace(self, batch=first, position=end),
            replace(self, batch=second, after=end),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """Exports points of one organization at a time."""

    store: MetricStore
    audit: AuditLog

    async def pieces(
        self, caller: Caller, request: ExportRequest
    ) -> AsyncGenerator[ExportPiece, None]:
        """Yield points in order of time; see MetricStore.export_points."""
        start_us, end_us, metric_names, filters = check_points(request)
        goes_on = {} if request.after is None else {"goes_on": True}
        await self.audit.append(
            caller.actor,
            "points.export",
            organization_id=caller.organization_id,
            details=in_words(request) | goes_on,
        )
        after = request.after or ExportPosition(start_us, 0)
        query = ExportQuery(
            start_us=max(start_us, after.time_us),
            end_us=end_us,
            metric_names=metric_names,
            filters=filters,
            skip=after.points if after.time_us >= start_us else 0,
        )
        exporting = self.store.export_points(caller.organization_id, query)
        async with contextlib.aclosing(exporting):
            async for exported in exporting:
                end = _end_of(exported.batch, after)
                yield ExportPiece(
                    batch=exported.batch, after=after, position=end, progress=exported.progress
                )
                after = end


def _end_of(batch: Batch, after: ExportPosition) -> ExportPosition:
    """Return where a batch ends that begins at `after`."""
    last_us = int(batch.times_us[-1])
    points = len(batch) - int(np.searchsorted(batch.times_us, last_us))
    return ExportPosition(last_us, points + (after.points if last_us == after.time_us else 0))
