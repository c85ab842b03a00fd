"""The store of what exporters send, on ClickHouse: rows in the log of custom metrics."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from cachetools import TTLCache

from vumeter_server.custom_metrics.clickhouse.exported import export_recording
from vumeter_server.custom_metrics.clickhouse.log import MetricLog
from vumeter_server.custom_metrics.clickhouse.proposals import Place, Proposal
from vumeter_server.custom_metrics.clickhouse.rows import LogRow, LogRowKind, NewEntry
from vumeter_server.custom_metrics.exported import (
    ExportedBatch,
    ExportOutcome,
    Reason,
    RejectedPoint,
)
from vumeter_server.custom_metrics.store import Idempotency
from vumeter_server.otlp.mapping import DEFAULT_MAPPING, AttributeMapping
from vumeter_server.otlp.store import LATEST_REJECTIONS, ExportCount, LatestRejection, Rejections
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.damage import Damage
from vumeter_server.runtime.limits import DEFAULT_LIMITS, Limits

MAPPINGS_CACHED_SECONDS: Final = 0.5
MAX_MAPPINGS_CACHED: Final = 10_000
MAX_COUNTS: Final = 1_000


class _Details(msgspec.Struct, array_like=True):
    """Of which key and metric points were rejected; `problem` is that of the last of them."""

    key_id: str
    metric_name: str
    problem: str


class ClickHouseExportStore:
    """Implements ExportStore on the log of custom metrics."""

    def __init__(self, log: MetricLog, clock: Clock, damage: Damage | None = None) -> None:
        """Take what it needs; states that cannot be read are noted in `damage`."""
        self._log = log
        self._clock = clock
        self._damage = damage or Damage()
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
        proposal = export_recording(
            batch,
            idempotency=idempotency,
            now_us=now_us,
            limits=limits,
            clock=self._clock,
            damage=self._damage,
            reject=lambda outcome: _rows(
                key_id, outcome.rejected, Counter(notes) + Counter(outcome.notes), now_us
            ),
        )
        return await self._log.append(organization_id, proposal)

    async def count_rejected(
        self, organization_id: int, rejected: RejectedPoint, *, key_id: str, now_us: int
    ) -> None:
        """Count a request of which no point could be read."""
        await self._append(organization_id, _rows(key_id, [rejected], {}, now_us))

    async def rejections(self, organization_id: int) -> Rejections:
        """Return what was rejected, the last ones one by one."""
        counts = await self._log.rows(
            organization_id,
            LogRowKind.REJECTION,
            "session, JSONExtractString(payload, 1) AS key,"
            " JSONExtractString(payload, 2) AS name,"
            " toInt64(sum(number)), max(logged_us)",
            f"GROUP BY session, key, name ORDER BY sum(number) DESC LIMIT {MAX_COUNTS}",
        )
        latest = await self._log.rows(
            organization_id,
            LogRowKind.REJECTION,
            "session, payload, number, logged_us",
            f"AND JSONExtractString(payload, 3) != '' ORDER BY time_us DESC, entry"
            f" LIMIT {LATEST_REJECTIONS}",
        )
        return Rejections(
            counts=[
                ExportCount(
                    what=what, key_id=key_id, metric_name=name, points=points, last_us=last_us
                )
                for what, key_id, name, points, last_us in counts
            ],
            latest=_latest(latest),
        )

    async def forget_organization(self, organization_id: int) -> None:
        """All that is kept goes with the log, see `MetricStore.forget_organization`."""
        self._mappings.pop(organization_id, None)

    async def mapping(self, organization_id: int) -> AttributeMapping:
        """Return how an organization maps attributes."""
        known = self._mappings.get(organization_id)
        if known is None:
            known = await self.read_mapping(organization_id)
            self._mappings[organization_id] = known
        return known

    async def read_mapping(self, organization_id: int) -> AttributeMapping:
        """Return how an organization maps attributes now."""
        rows = await self._log.rows(
            organization_id, LogRowKind.MAPPING, "payload", "ORDER BY time_us DESC LIMIT 1"
        )
        if not rows or not rows[0][0]:
            return DEFAULT_MAPPING
        return msgspec.json.decode(rows[0][0], type=AttributeMapping)

    async def set_mapping(self, organization_id: int, mapping: AttributeMapping | None) -> None:
        """Change a mapping, None for the default."""
        payload = b"" if mapping is None else msgspec.json.encode(mapping)
        await self._append(
            organization_id, [LogRow(LogRowKind.MAPPING, 0, "", payload, self._clock())]
        )
        self._mappings.pop(organization_id, None)

    async def _append(self, organization_id: int, rows: Sequence[LogRow]) -> None:
        def propose(_: Place, entry: NewEntry) -> None:
            entry.rows += rows

        await self._log.append(organization_id, Proposal(propose=propose))


def _rows(
    key_id: str, rejected: Sequence[RejectedPoint], notes: Mapping[str, int], now_us: int
) -> list[LogRow]:
    """Return a row for each reason, metric and problem of a request, and for each note."""
    counts = Counter((each.reason.value, each.metric_name, each.problem) for each in rejected)
    counts.update({(note, "", ""): count for note, count in notes.items() if count})
    return [
        LogRow(
            LogRowKind.REJECTION,
            points,
            what,
            msgspec.json.encode(_Details(key_id, metric_name, problem)),
            now_us,
        )
        for (what, metric_name, problem), points in counts.items()
    ]


def _latest(rows: Sequence[tuple[str, str, int, int]]) -> list[LatestRejection]:
    """Return the last rejected points one by one; those of one row are alike."""
    found: list[LatestRejection] = []
    for what, payload, points, rejected_us in rows:
        details = msgspec.json.decode(payload, type=_Details)
        point = RejectedPoint(
            metric_name=details.metric_name, reason=Reason(what), problem=details.problem
        )
        alike = LatestRejection(rejected_us=rejected_us, key_id=details.key_id, point=point)
        found += [alike] * min(points, LATEST_REJECTIONS - len(found))
    return found
