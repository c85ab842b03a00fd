"""How much is stored, and what was rejected."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

import pyarrow as pa

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.custom_metrics.clickhouse.catalog import MetricCatalog
from vumeter_server.custom_metrics.clickhouse.catalogs import moment_of, rows_of
from vumeter_server.custom_metrics.clickhouse.conditions import Moment, Parameters
from vumeter_server.custom_metrics.clickhouse.labels import stored_labels
from vumeter_server.custom_metrics.clickhouse.log import MetricLog
from vumeter_server.custom_metrics.clickhouse.schema import REJECTIONS
from vumeter_server.custom_metrics.clickhouse.statements import ask, select
from vumeter_server.custom_metrics.usage_store import (
    RecordingRejectionReason,
    RejectionCount,
    Stored,
    StoredMetric,
    first_hour,
)
from vumeter_server.times.units import HOUR_US


class ClickHouseUsageStore:
    """Implements UsageStore."""

    def __init__(self, clickhouse: ClickHouse, log: MetricLog) -> None:
        self._clickhouse = clickhouse
        self._log = log

    async def stored(self, organization_id: int, most: int) -> Stored:
        """Return how much is stored; how many bytes of it are whose is not known."""

        def look(catalog: MetricCatalog) -> tuple[Moment, Stored]:
            moment = moment_of(organization_id, catalog)
            return moment, _without_points(catalog)

        moment, stored = await self._log.catalogs.use(organization_id, look, on_thread=True)
        points = await self._points(moment)
        return _with_points(stored, points, most)

    async def _points(self, moment: Moment) -> Mapping[str, int]:
        parameters = Parameters()
        statement = select(
            self._clickhouse,
            {"metric": "metric"},
            {"points": "count()"},
            [parameters.is_seen_at(moment)],
            parameters,
        )
        return dict(rows_of(await ask(self._clickhouse, statement)))

    async def save_rejections(
        self, rejections: Sequence[tuple[int, RejectionCount]], deletion_us: int | None
    ) -> None:
        """Add rejections; those of long ago are forgotten by maintenance."""
        if not rejections:
            return
        counts = [each for _, each in rejections]
        batch = secrets.randbits(62)
        rows = pa.table(
            {
                "batch": pa.array([batch] * len(counts), pa.int64()),
                "organization": pa.array([of for of, _ in rejections], pa.int64()),
                "hour": pa.array([each.last_us // HOUR_US for each in counts], pa.int64()),
                "reason": [each.reason.value for each in counts],
                "key_id": [each.key_id for each in counts],
                "requests": pa.array([each.requests for each in counts], pa.int64()),
                "points": pa.array([each.points for each in counts], pa.int64()),
                "last_us": pa.array([each.last_us for each in counts], pa.int64()),
            }
        )
        table = self._clickhouse.layout.writes(REJECTIONS)
        await self._clickhouse.insert(table, rows, token=f"{REJECTIONS}/{batch}")

    async def rejections(
        self, organization_id: int, now_us: int, most: int
    ) -> Sequence[RejectionCount]:
        """Return the rejections of the last hours by reason and key."""
        table = await self._clickhouse.query(
            "SELECT reason, key_id, sum(requests) AS r, sum(points) AS p, max(last_us) AS l"
            f" FROM {self._clickhouse.layout.reads(REJECTIONS)}"
            f" WHERE organization = {organization_id} AND hour >= {first_hour(now_us)}"
            f" GROUP BY reason, key_id ORDER BY r DESC, reason, key_id LIMIT {most}"
        )
        return [
            RejectionCount(
                reason=RecordingRejectionReason(reason),
                key_id=key_id,
                requests=requests,
                points=points,
                last_us=last_us,
            )
            for reason, key_id, requests, points, last_us in rows_of(table)
        ]


def _without_points(catalog: MetricCatalog) -> Stored:
    labels = catalog.labels_of_metrics()
    names = catalog.names()
    by_label = stored_labels(catalog)
    return Stored(
        points=0,
        size_bytes=None,
        metrics=len(names),
        labels=len(by_label),
        label_sets=catalog.label_sets_in_use(),
        by_metric=[
            StoredMetric(
                name=name,
                type=catalog.metrics[name].type,
                points=0,
                size_bytes=None,
                label_values=labels[name],
            )
            for name in names
        ],
        by_label=by_label,
    )


def _with_points(stored: Stored, points: Mapping[str, int], most: int) -> Stored:
    by_metric = [
        StoredMetric(
            name=each.name,
            type=each.type,
            points=points.get(each.name, 0),
            size_bytes=None,
            label_values=each.label_values,
        )
        for each in stored.by_metric
    ]
    by_metric.sort(key=lambda each: (-each.points, each.name))
    return Stored(
        points=sum(points.values()),
        size_bytes=None,
        metrics=stored.metrics,
        labels=stored.labels,
        label_sets=stored.label_sets,
        by_metric=by_metric[:most],
        by_label=stored.by_label[:most],
    )
