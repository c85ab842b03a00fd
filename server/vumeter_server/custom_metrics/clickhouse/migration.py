"""What a migration reads and writes of custom metrics on ClickHouse, beside the points themselves.

All of it are rows of the log, and what the log says of the catalog.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.custom_metrics.clickhouse.catalogs import rows_of
from vumeter_server.custom_metrics.clickhouse.conditions import Parameters
from vumeter_server.custom_metrics.clickhouse.deletion import ClickHousePointDeletion
from vumeter_server.custom_metrics.clickhouse.exported import unit_of
from vumeter_server.custom_metrics.clickhouse.labels import answer_metrics
from vumeter_server.custom_metrics.clickhouse.log import MetricLog
from vumeter_server.custom_metrics.clickhouse.proposals import Place, Proposal
from vumeter_server.custom_metrics.clickhouse.rows import LogRowKind, NewEntry, RecordedKey
from vumeter_server.custom_metrics.clickhouse.schema import POINTS
from vumeter_server.custom_metrics.clickhouse.statements import ask, select
from vumeter_server.custom_metrics.exported import KnownMetric
from vumeter_server.custom_metrics.migration_store import CopiedRecording, CopiedSeriesStates
from vumeter_server.custom_metrics.questions import MetricInfo
from vumeter_server.custom_metrics.store import IDEMPOTENCY_KEYS_KEPT_US, Idempotency
from vumeter_server.runtime.clock import Clock
from vumeter_server.times.units import DAY_US


class ClickHouseMetricMigration:
    """Implements MetricMigrationStore."""

    def __init__(
        self,
        clickhouse: ClickHouse,
        log: MetricLog,
        deletion: ClickHousePointDeletion,
        clock: Clock,
    ) -> None:
        self._clickhouse = clickhouse
        self._log = log
        self._deletion = deletion
        self._clock = clock

    async def days(self, organization_id: int) -> Mapping[int, int]:
        """Return the days that have points."""
        parameters = Parameters()
        statement = select(
            self._clickhouse,
            {"day": f"intDiv(time_us, {DAY_US})"},
            {"points": "count()"},
            [parameters.is_seen_at(await self._log.catalogs.moment(organization_id))],
            parameters,
        )
        return dict(rows_of(await ask(self._clickhouse, statement)))

    async def catalog(self, organization_id: int) -> Sequence[MetricInfo]:
        """Return every metric that has a type."""
        return await self._log.catalogs.use(
            organization_id, lambda catalog: answer_metrics(catalog, are_used=False)
        )

    async def describe(self, organization_id: int, metrics: Sequence[MetricInfo]) -> None:
        """Fix types of new metrics, and change units and descriptions, in one entry."""

        def propose(_: Place, entry: NewEntry) -> None:
            entry.change.described |= {
                each.name: KnownMetric(each.type, each.unit, each.description) for each in metrics
            }

        await self._log.append(organization_id, Proposal(propose=propose, is_alone=True))

    async def forget_metric(self, organization_id: int, name: str) -> None:
        """Delete a metric with its points and its type."""
        await self._deletion.forget_metric(organization_id, name)

    async def recordings(
        self, organization_id: int, after: str, most: int
    ) -> Sequence[CopiedRecording]:
        """Return the next idempotency keys behind `after`."""
        moment = await self._log.catalogs.use(
            organization_id, lambda catalog: (catalog.seq, catalog.forgotten_at)
        )
        found = await self._clickhouse.query(
            "SELECT session, argMin(payload, time_us), argMin(number, time_us),"
            f" argMin(logged_us, time_us) FROM {self._clickhouse.layout.reads(POINTS)}"
            f" WHERE organization = {organization_id} AND metric = ''"
            f" AND kind = {int(LogRowKind.KEY)} AND time_us > {moment[1]}"
            f" AND time_us <= {moment[0]}"
            f" AND logged_us >= {self._clock() - IDEMPOTENCY_KEYS_KEPT_US}"
            " AND session > {after:String} GROUP BY session ORDER BY session"
            f" LIMIT {int(most)}",
            {"after": after},
        )
        return [
            CopiedRecording(
                key=key,
                content_sha256=bytes.fromhex(digest),
                recorded=recorded,
                recorded_us=recorded_us,
            )
            for key, digest, recorded, recorded_us in rows_of(found)
        ]

    async def put_recordings(
        self, organization_id: int, recordings: Sequence[CopiedRecording]
    ) -> None:
        """Know these idempotency keys as if they had been used here, in one entry."""

        def propose(place: Place, entry: NewEntry) -> None:
            entry.keys += [
                RecordedKey(
                    idempotency=Idempotency(key=each.key, content_sha256=each.content_sha256),
                    recorded=each.recorded,
                    now_us=each.recorded_us,
                )
                for each in recordings
                if each.key not in place.found.keys
            ]

        keys = [each.key for each in recordings]
        await self._log.append(organization_id, Proposal(propose=propose, keys=keys, is_alone=True))

    async def series_states(self, organization_id: int) -> Sequence[CopiedSeriesStates]:
        """Return all states of exporters' series."""
        rows = await self._log.rows(
            organization_id,
            LogRowKind.SERIES_STATES,
            "session, argMax(payload, time_us), argMax(logged_us, time_us)",
            "GROUP BY session",
        )
        return [
            CopiedSeriesStates(
                stream=bytes.fromhex(unit.partition("/")[0]),
                metric_name=unit.partition("/")[2],
                states=bytes.fromhex(states),
                changed_us=changed_us,
            )
            for unit, states, changed_us in rows
        ]

    async def put_series_states(
        self, organization_id: int, states: Sequence[CopiedSeriesStates]
    ) -> None:
        """Put these states in the place of those of the same stream and metric, in one entry."""

        def propose(_: Place, entry: NewEntry) -> None:
            entry.series_states |= {
                unit_of(each.stream, each.metric_name): (each.states, each.changed_us)
                for each in states
            }

        await self._log.append(organization_id, Proposal(propose=propose, is_alone=True))
