"""The use case of recording what an exporter sent; for both APIs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from vumeter_server.access.authenticator import Caller
from vumeter_server.access.rates import RateLimits
from vumeter_server.custom_metrics.exported import ExportOutcome, Reason, RejectedPoint
from vumeter_server.custom_metrics.rejections import RejectionCounter
from vumeter_server.custom_metrics.store import Idempotency
from vumeter_server.errors import InvalidArgument, RetryableError
from vumeter_server.otlp import wire
from vumeter_server.otlp.decoding import decode
from vumeter_server.otlp.series import KnownExporters
from vumeter_server.otlp.store import ExportStore, Rejections
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.offload import PARSING

BYTES_PER_POINT: Final = 150
"""The size of a point with some attributes."""
RETRY_AFTER_SECONDS: Final = 2
"""An exporter that is asked to try again after one second gives up after five in all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exports:
    """Records exports of one organization at a time into a store."""

    store: ExportStore
    clock: Clock
    exporters: KnownExporters
    counts: RejectionCounter
    """Where usage finds what is rejected, by hour."""
    rates: RateLimits
    on_recorded: Callable[[int], None] = lambda points: None
    """Is called with the number of points that were acknowledged."""

    async def record(
        self, caller: Caller, body: bytes, read: Callable[[bytes], Any]
    ) -> ExportOutcome:
        """Record the points of a request; each is taken or rejected by itself.

        `read` makes the messages of `wire` of the body. A request that comes again, equal in every
        byte, is recorded once.

        Raises:
            InvalidArgument: the body is no request; it is counted as a rejection.
            RetryableError: nothing was stored; LimitExceeded if the key sent too many points.
        """
        with self.counts.counted(caller):
            outcome = await self._record(caller, body, read)
            self.on_recorded(outcome.taken)
        if not outcome.is_repeat:
            self.counts.add_exported(caller, outcome.rejected)
        return outcome

    async def _record(
        self, caller: Caller, body: bytes, read: Callable[[bytes], Any]
    ) -> ExportOutcome:
        now_us = self.clock()
        mapping = await self.store.mapping(caller.organization_id)
        try:
            batch, notes = await PARSING.run(
                lambda: decode(read(body), mapping, self.exporters),
                size=len(body) // BYTES_PER_POINT,
            )
        except InvalidArgument as error:
            await self.store.count_rejected(
                caller.organization_id,
                RejectedPoint(metric_name="", reason=Reason.MALFORMED, problem=error.message),
                key_id=caller.key_id,
                now_us=now_us,
            )
            raise
        if not len(batch) and not batch.rejected:
            return ExportOutcome(taken=0)
        digest = hashlib.sha256(body).digest()
        try:
            self.rates.take_points(caller, len(batch))
            return await self.store.record_exported(
                caller.organization_id,
                batch,
                key_id=caller.key_id,
                notes={"cut": notes.cut_values, "dropped_labels": notes.dropped_labels},
                idempotency=Idempotency(key=f"otlp:{digest.hex()}", content_sha256=digest),
                now_us=now_us,
                limits=caller.limits,
            )
        except RetryableError as error:
            error.retry_after_seconds = max(error.retry_after_seconds, RETRY_AFTER_SECONDS)
            raise

    async def rejections(self, organization_id: int) -> Rejections:
        """Return what was rejected."""
        return await self.store.rejections(organization_id)


def known_exporters() -> KnownExporters:
    """Return a cache that reads attributes in protobuf."""
    return KnownExporters(wire.read_attribute, wire.read_resource, wire.read_scope)


def partial_success(outcome: ExportOutcome) -> tuple[int, str]:
    """Return how many points were rejected, and a sentence about the first of them.

    Exporters show little of it, if anything: `vumeter otlp rejected` lists them.
    """
    if not outcome.rejected:
        return 0, ""
    first = outcome.rejected[0]
    sentence = f"{first.metric_name} {first.problem}"
    if len(outcome.rejected) > 1:
        sentence += f"; and {len(outcome.rejected) - 1} more"
    return len(outcome.rejected), sentence
