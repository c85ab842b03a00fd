"""Recording, as both faces ask it: points checked, then stored or, in a dry run, not."""

from __future__ import annotations

from dataclasses import dataclass

from vumeter_server.clock import Clock
from vumeter_server.custom_metrics.columnar import Columns, validate_columns
from vumeter_server.custom_metrics.points import PointColumns, check_idempotency_key, validate
from vumeter_server.custom_metrics.store import Idempotency, MetricStore


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """Records batches of one organization at a time into a store."""

    store: MetricStore
    clock: Clock

    async def record(
        self,
        organization_id: int,
        points: PointColumns | Columns,
        *,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> int:
        """Record points, all or none, and return how many they are; see MetricStore.record.

        A dry run answers alike and stores nothing. Raises InvalidArgument with up to ten violations
        that name `points[3].value` and the like, and Conflict for an idempotency key that was used
        with other content.
        """
        now_us = self.clock()
        key = check_idempotency_key(idempotency_key)
        if isinstance(points, Columns):
            batch = validate_columns(points, now_us)
        else:
            batch = validate(points, now_us)
        idempotency = key and Idempotency(key=key, content_sha256=batch.digest())
        act = self.store.check if dry_run else self.store.record
        return await act(organization_id, batch, idempotency=idempotency or None, now_us=now_us)
