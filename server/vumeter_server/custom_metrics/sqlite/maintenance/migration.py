"""What a migration reads and writes of custom metrics in SQLite, beside the points themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.migration_store import CopiedRecording, CopiedSeriesStates
from vumeter_server.custom_metrics.questions import MetricInfo
from vumeter_server.custom_metrics.series_states import read_states, write_states
from vumeter_server.custom_metrics.sqlite.cache.snapshots import Snapshots
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US
from vumeter_server.custom_metrics.sqlite.formats.series_states import (
    decode_states,
    encode_states,
)
from vumeter_server.custom_metrics.sqlite.ingest.batches import Recorder
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import write_state
from vumeter_server.custom_metrics.sqlite.maintenance.administration import (
    METRIC_TABLES,
    hide_metric,
)
from vumeter_server.custom_metrics.sqlite.query.labels import read_metric_infos
from vumeter_server.sqlite import Readers, Writer
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.organization_rows import erase_some


class SqliteMetricMigration:
    """Implements MetricMigrationStore; `recorder` and `snapshots` are those of the store."""

    def __init__(
        self, readers: Readers, writer: Writer, recorder: Recorder, snapshots: Snapshots
    ) -> None:
        self._readers = readers
        self._writer = writer
        self._recorder = recorder
        self._snapshots = snapshots

    async def days(self, organization_id: int) -> Mapping[int, int]:
        """Return the days that have points."""

        def read(connection: sqlite3.Connection) -> Mapping[int, int]:
            head = self._snapshots.take(connection, organization_id).head
            days = Counter(dict(zip(*_counted(head["time_us"] // DAY_US), strict=True)))
            for day, points in connection.execute(
                "SELECT day, points FROM metric_days WHERE organization_id = ?", (organization_id,)
            ):
                days[day] += points
            return days

        return await self._readers.run(read, heavy=True)

    async def catalog(self, organization_id: int) -> Sequence[MetricInfo]:
        """Return every metric that has a type."""
        return await self._readers.run(
            lambda connection: read_metric_infos(connection, organization_id)
        )

    async def describe(self, organization_id: int, metrics: Sequence[MetricInfo]) -> None:
        """Fix types of new metrics, and change units and descriptions."""

        def job(connection: sqlite3.Connection) -> None:
            symbols = self._recorder.symbols_of(connection, organization_id)
            new = {each.name: each.type for each in metrics if each.name not in symbols.metrics}
            symbols.metric_codes(connection, [each.name for each in metrics], new)
            connection.executemany(
                "UPDATE metrics SET unit = ?, description = ?"
                " WHERE organization_id = ? AND metric_code = ?",
                [
                    (
                        each.unit,
                        each.description,
                        organization_id,
                        symbols.metrics[each.name][0],
                    )
                    for each in metrics
                ],
            )
            # Those without points are found again, and readers know them.
            symbols.state.deletions += 1
            write_state(connection, organization_id, symbols.state)
            self._recorder.forget(organization_id)

        await self._writer.run(job, rolled_back=lambda: self._recorder.forget(organization_id))

    async def forget_metric(self, organization_id: int, name: str) -> None:
        """Delete a metric with its points and its type."""
        code = await self._writer.run(
            partial(hide_metric, organization_id=organization_id, name=name),
            rolled_back=lambda: self._recorder.forget(organization_id),
        )
        if code is None:
            return
        for table in METRIC_TABLES:
            while await self._writer.run(
                partial(erase_some, table=table, organization_id=organization_id, metric_code=code)
            ):
                pass

    async def recordings(
        self, organization_id: int, after: str, most: int
    ) -> Sequence[CopiedRecording]:
        """Return the next idempotency keys behind `after`."""
        rows = await self._readers.run(
            lambda connection: connection.execute(
                "SELECT idempotency_key, content_sha256, recorded, created_us"
                " FROM idempotency_keys WHERE organization_id = ? AND idempotency_key > ?"
                " ORDER BY idempotency_key LIMIT ?",
                (organization_id, after, most),
            ).fetchall()
        )
        return [
            CopiedRecording(key=key, content_sha256=digest, recorded=recorded, recorded_us=at_us)
            for key, digest, recorded, at_us in rows
        ]

    async def put_recordings(
        self, organization_id: int, recordings: Sequence[CopiedRecording]
    ) -> None:
        """Know these idempotency keys as if they had been used here."""
        rows = [
            (organization_id, each.key, each.content_sha256, each.recorded, each.recorded_us)
            for each in recordings
        ]
        await self._writer.run(
            lambda connection: connection.executemany(
                "INSERT INTO idempotency_keys"
                " (organization_id, idempotency_key, content_sha256, recorded, created_us)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                rows,
            )
        )

    async def series_states(self, organization_id: int) -> Sequence[CopiedSeriesStates]:
        """Return all states of exporters' series."""
        rows = await self._readers.run(
            lambda connection: connection.execute(
                "SELECT stream, metric_name, states, updated_us FROM exported_series"
                " WHERE organization_id = ?",
                (organization_id,),
            ).fetchall(),
            heavy=True,
        )
        return [
            CopiedSeriesStates(
                stream=stream,
                metric_name=name,
                states=write_states(decode_states(states)),
                changed_us=changed_us,
            )
            for stream, name, states, changed_us in rows
        ]

    async def put_series_states(
        self, organization_id: int, states: Sequence[CopiedSeriesStates]
    ) -> None:
        """Put these states in the place of those of the same stream and metric."""
        rows = [
            (
                organization_id,
                each.stream,
                each.metric_name,
                encode_states(read_states(each.states)),
                each.changed_us,
            )
            for each in states
        ]
        await self._writer.run(
            lambda connection: connection.executemany(
                "INSERT OR REPLACE INTO exported_series"
                " (organization_id, stream, metric_name, states, updated_us)"
                " VALUES (?, ?, ?, ?, ?)",
                rows,
            )
        )


def _counted(days: npt.NDArray[np.int64]) -> tuple[list[int], list[int]]:
    found, counts = np.unique(days, return_counts=True)
    return found.tolist(), counts.tolist()
