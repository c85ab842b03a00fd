"""Recording, as both faces ask it: points checked, then stored or, in a dry run, not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vumeter_server.custom_metrics.columnar import Columns, validate_columns
from vumeter_server.custom_metrics.model import Batch
from vumeter_server.custom_metrics.store import Idempotency, MetricStore
from vumeter_server.custom_metrics.validation import PointColumns, check_idempotency_key, validate
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.offload import PARSING


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """Records batches of one organization at a time into a store."""

    store: MetricStore
    clock: Clock

    async def record(
        self,
        organization_id: int,
        read: Callable[[], PointColumns | Columns],
        *,
        count: int,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> int:
        """Record `count` points, all or none, and return how many; see MetricStore.record.

        `read` reads them, beside the event loop if they are many.
        A dry run answers alike and stores nothing. Raises InvalidArgument with up to ten violations
        that name `points[3].value` and the like, and Conflict for an idempotency key that was used
        with other content.
        """
        now_us = self.clock()
        key = check_idempotency_key(idempotency_key)

        def prepare() -> tuple[Batch, Idempotency | None]:
            points = read()
            if isinstance(points, Columns):
                batch = validate_columns(points, now_us)
            else:
                batch = validate(points, now_us)
            if key is None:
                return batch, None
            return batch, Idempotency(key=key, content_sha256=batch.digest())

        batch, idempotency = await PARSING.run(prepare, size=count)
        act = self.store.check if dry_run else self.store.record
        return await act(organization_id, batch, idempotency=idempotency, now_us=now_us)
