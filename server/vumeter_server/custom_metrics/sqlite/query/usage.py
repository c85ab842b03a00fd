"""How much is stored, and what was rejected, in SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache

from vumeter_server.custom_metrics.limits import OTHER
from vumeter_server.custom_metrics.sqlite.cache.organization import OrganizationCache
from vumeter_server.custom_metrics.sqlite.cache.snapshots import Snapshots
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.columns import Kind
from vumeter_server.custom_metrics.usage_store import (
    RecordingRejectionReason,
    RejectionCount,
    Stored,
    StoredLabel,
    StoredMetric,
    first_hour,
)
from vumeter_server.sqlite import Readers, Writer
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.times.units import HOUR_US

MAX_CACHED = 1_000

_Integers = npt.NDArray[np.int64]
_Flushed = Mapping[int, tuple[int, int]]
"""Points and bytes of flushed points by interned id of the metric."""


class SqliteUsageStore:
    """Implements UsageStore on a database's writer and readers."""

    def __init__(self, writer: Writer, readers: Readers, snapshots: Snapshots) -> None:
        self._writer = writer
        self._readers = readers
        self._snapshots = snapshots
        # Only a flush, a compaction or a deletion changes what segments hold.
        self._flushed: LRUCache[int, tuple[tuple[int, ...], _Flushed]] = LRUCache(MAX_CACHED)

    async def stored(self, organization_id: int, most: int) -> Stored:
        """Return how much is stored."""
        cache = self._snapshots.organization(organization_id)
        return await self._readers.run(
            lambda connection: self._stored(cache.take(connection), cache, most), heavy=True
        )

    async def save_rejections(
        self, rejections: Sequence[tuple[int, RejectionCount]], deletion_us: int | None
    ) -> None:
        """Add rejections, and forget those of long ago."""
        rows = [
            (
                organization_id,
                each.last_us // HOUR_US,
                each.key_id,
                each.reason.value,
                each.requests,
                each.points,
                each.last_us,
            )
            for organization_id, each in rejections
        ]

        def job(connection: sqlite3.Connection) -> None:
            if deletion_us is not None:
                connection.execute(
                    "DELETE FROM rejections WHERE hour < ?", (first_hour(deletion_us),)
                )
            connection.executemany(
                "INSERT INTO rejections"
                " (organization_id, hour, key_id, reason, requests, points, last_us)"
                " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE NOT EXISTS (SELECT 1 FROM organizations"
                "  WHERE organization_id = ?1 AND deleted_us IS NOT NULL) ON CONFLICT DO UPDATE SET"
                " requests = requests + excluded.requests, points = points + excluded.points,"
                " last_us = max(last_us, excluded.last_us)",
                rows,
            )

        await self._writer.run(job)

    async def rejections(
        self, organization_id: int, now_us: int, most: int
    ) -> Sequence[RejectionCount]:
        """Return the rejections of the last hours by reason and key."""
        rows = await self._readers.run(
            lambda connection: connection.execute(
                "SELECT reason, key_id, sum(requests), sum(points), max(last_us) FROM rejections"
                " WHERE organization_id = ? AND hour >= ? GROUP BY reason, key_id"
                " ORDER BY sum(requests) DESC, reason, key_id LIMIT ?",
                (organization_id, first_hour(now_us), most),
            ).fetchall()
        )
        return [
            RejectionCount(
                reason=RecordingRejectionReason(reason),
                key_id=key_id,
                requests=requests,
                points=points,
                last_us=last_us,
            )
            for reason, key_id, requests, points, last_us in rows
        ]

    def _stored(self, snapshot: Snapshot, cache: OrganizationCache, most: int) -> Stored:
        flushed = self._read_flushed(snapshot)
        in_head = snapshot.head["metric"].astype(np.int64)
        head = np.bincount(in_head, minlength=snapshot.state.metrics).tolist()
        (log_bytes,) = snapshot.connection.execute(
            "SELECT ifnull(sum(length(columns)), 0) FROM metric_batches WHERE organization_id = ?",
            (snapshot.organization_id,),
        ).fetchone()
        bytes_a_point = log_bytes / max(1, len(in_head))
        used = cache.used(snapshot, None, None)
        label_values = snapshot.labels.index.labels_by_metric(snapshot.state.metrics).tolist()
        by_metric = []
        for code in used.metrics & snapshot.metrics.names.keys():
            points, size_bytes = flushed.get(code, (0, 0))
            by_metric.append(
                StoredMetric(
                    name=snapshot.metrics.names[code],
                    type=snapshot.metrics.types[code],
                    points=points + head[code],
                    size_bytes=size_bytes + round(bytes_a_point * head[code]),
                    label_values=label_values[code],
                )
            )
        by_metric.sort(key=lambda each: (-each.points, each.name))
        by_label, label_sets = _labels(snapshot, np.array(used.labels, np.int64))
        return Stored(
            points=sum(each.points for each in by_metric),
            size_bytes=sum(each.size_bytes or 0 for each in by_metric),
            metrics=len(by_metric),
            labels=len(by_label),
            label_sets=label_sets,
            by_metric=by_metric[:most],
            by_label=by_label[:most],
        )

    def _read_flushed(self, snapshot: Snapshot) -> _Flushed:
        state = snapshot.state
        version = (state.sealed_through, state.layout, state.deletions, state.deleted_through)
        cached = self._flushed.get(snapshot.organization_id)
        if cached is not None and cached[0] == version:
            return cached[1]
        # SQLite reads the length of a blob without the blob.
        rows = snapshot.connection.execute(
            "SELECT metric_code, sum(points) FILTER (WHERE kind = ?2), sum(length(column))"
            " FROM metric_columns c WHERE organization_id = ?1 AND EXISTS (SELECT 1"
            " FROM metric_days d WHERE d.organization_id = ?1 AND d.day = c.day"
            " AND d.part = c.part) GROUP BY metric_code",
            (snapshot.organization_id, int(Kind.TIME)),
        )
        flushed = {code: (points or 0, size_bytes) for code, points, size_bytes in rows}
        self._flushed[snapshot.organization_id] = (version, flushed)
        return flushed


def _labels(snapshot: Snapshot, used: _Integers) -> tuple[list[StoredLabel], int]:
    """Return the labels, the most values first, and how many label sets there are."""
    labels = snapshot.labels
    values, label_sets, count = labels.count_by_key(used)
    by_label = []
    for key, number in list(labels.keys.items()):
        if not number < len(values) or not values[number]:
            continue
        has_other = labels.codes.get((key, OTHER), -1) in used
        by_label.append(
            StoredLabel(
                key=key,
                values=int(values[number]) - has_other,
                label_sets=int(label_sets[number]),
                has_other=has_other,
            )
        )
    by_label.sort(key=lambda each: (-each.values, each.key))
    return by_label, count
