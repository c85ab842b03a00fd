"""Writes days again for a deletion of points, one group of segments after the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.segments import DayRow, SegmentRange
from vumeter_server.custom_metrics.sqlite.maintenance import deletion_rewriting
from vumeter_server.custom_metrics.sqlite.maintenance.deletion import Condemned
from vumeter_server.custom_metrics.sqlite.maintenance.deletion_rewriting import (
    ParedSegments,
    RewrittenSegments,
)
from vumeter_server.custom_metrics.sqlite.maintenance.deletion_rows import PointDeletion
from vumeter_server.custom_metrics.sqlite.maintenance.deletion_uses import Uses
from vumeter_server.sqlite import Writer

T = TypeVar("T")


class Query(Protocol):
    """Asks something of an organization, in a thread for heavy queries."""

    async def __call__(self, organization_id: int, query: Callable[[Snapshot], T]) -> T: ...


@dataclass(kw_only=True, slots=True, eq=False)
class RewrittenDay:
    """What a deletion leaves of a day, once it is written.

    Attributes:
        deleted: how many points the deletion takes.
        listed: the rows that list what is written.
        sessions: ids of the sessions that lose points.
        emptied: those of which nothing is left.
    """

    deleted: int = 0
    listed: list[DayRow] = field(default_factory=list)
    sessions: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    emptied: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))


class RewrittenDays:
    """The days of one deletion; `uses` are the label uses of their points."""

    def __init__(
        self,
        writer: Writer,
        query: Query,
        flush_long_logs: Callable[[], Awaitable[None]],
        found: PointDeletion,
        condemned: Condemned,
    ) -> None:
        """Take what the work needs, and which points of what deletion these are."""
        self.uses = Uses()
        self._writer = writer
        self._query = query
        self._flush_long_logs = flush_long_logs
        self._found = found
        self._condemned = condemned

    async def rewrite(self, day: int) -> RewrittenDay | None:
        """Write what is left of a day, which nobody sees yet; None if no point of it goes."""
        groups = await self._query(
            self._found.organization_id,
            partial(deletion_rewriting.find_groups, day=day, found=self._found),
        )
        of_day = RewrittenDay()
        for segments in groups:
            pared = await self._pare(segments)
            of_day.deleted += len(pared.lost.metrics)
            of_day.sessions = np.union1d(of_day.sessions, pared.sessions)
        if not of_day.deleted:
            return None
        of_day.emptied = of_day.sessions
        for part, segments in enumerate(groups, self._found.number):
            if len(groups) > 1:
                # Of a session that loses points of one group, points are left in any other.
                pared = await self._pare(segments)
            rewrite = partial(
                deletion_rewriting.rewrite, pared=pared, part=part, sessions=of_day.sessions
            )
            rewritten = await self._query(self._found.organization_id, self._counted(rewrite))
            for chunk in rewritten.chunks:
                await self._writer.run(chunk.insert)
            of_day.listed.extend([] if rewritten.listed is None else [rewritten.listed])
            of_day.emptied = np.setdiff1d(of_day.emptied, rewritten.sessions)
        for chunk in deletion_rewriting.without_points(self._found, day, of_day.emptied):
            await self._writer.run(chunk.insert)
        return of_day

    async def _pare(self, segments: SegmentRange) -> ParedSegments:
        await self._flush_long_logs()
        return await self._query(
            self._found.organization_id,
            partial(deletion_rewriting.pare, segments=segments, condemned=self._condemned),
        )

    def _counted(
        self, rewrite: Callable[[Snapshot], RewrittenSegments]
    ) -> Callable[[Snapshot], RewrittenSegments]:
        def rewrite_and_count(snapshot: Snapshot) -> RewrittenSegments:
            rewritten = rewrite(snapshot)
            self.uses.add(rewritten.lost_uses, rewritten.kept_uses)
            return rewritten

        return rewrite_and_count
