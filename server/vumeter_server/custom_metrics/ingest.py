"""The use case of recording: check what an API parsed, then store it or, in a dry run, not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vumeter_server.access.authenticator import Caller
from vumeter_server.access.rates import RateLimits
from vumeter_server.custom_metrics.columnar import UncheckedColumns, validate_columns
from vumeter_server.custom_metrics.model import Batch
from vumeter_server.custom_metrics.rejections import RejectionCounter
from vumeter_server.custom_metrics.store import Idempotency, MetricStore
from vumeter_server.custom_metrics.validation import UncheckedPoints, validate
from vumeter_server.runtime.clock import Clock


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedBatch:
    """A batch that keeps every rule that does not depend on what is stored.

    `received_us` is the time of points without a timestamp, in microseconds since the epoch.
    """

    batch: Batch
    idempotency: Idempotency | None
    received_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """Records batches of one organization at a time into a store."""

    store: MetricStore
    clock: Clock
    rejections: RejectionCounter
    """Where whoever calls this counts what is rejected."""
    rates: RateLimits
    on_recorded: Callable[[int], None] = lambda points: None
    """Is called with the number of points that were acknowledged."""

    def check(
        self, points: UncheckedPoints | UncheckedColumns, idempotency_key: str | None = None
    ) -> CheckedBatch:
        """Check points against the rules of validation; any thread may do it.

        APIs offload it together with their parsing, since large batches take milliseconds.
        Raises InvalidArgument with up to ten violations that name `points[3].value` and the like.
        """
        received_us = self.clock()
        if isinstance(points, UncheckedColumns):
            batch = validate_columns(points, received_us)
        else:
            batch = validate(points, received_us)
        idempotency = (
            Idempotency(key=idempotency_key, content_sha256=batch.digest())
            if idempotency_key is not None
            else None
        )
        return CheckedBatch(batch=batch, idempotency=idempotency, received_us=received_us)

    async def record(self, caller: Caller, checked: CheckedBatch, *, dry_run: bool = False) -> int:
        """Record a batch, all of it or nothing, and return how many points it held.

        A dry run answers alike and stores nothing, whatever the limits. For the errors see
        MetricStore.record; LimitExceeded too if the key has recorded too many points.
        """
        if dry_run:
            return await self.store.check(
                caller.organization_id,
                checked.batch,
                idempotency=checked.idempotency,
                now_us=checked.received_us,
            )
        self.rates.take_points(caller, len(checked.batch))
        recorded = await self.store.record(
            caller.organization_id,
            checked.batch,
            idempotency=checked.idempotency,
            now_us=checked.received_us,
            limits=caller.limits,
        )
        self.on_recorded(recorded)
        return recorded
