"""The contract of a store with what exporters send; see also `custom_metrics.store`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from vumeter_server.custom_metrics.exported import ExportedBatch, ExportOutcome, RejectedPoint
from vumeter_server.custom_metrics.store import Idempotency
from vumeter_server.otlp.mapping import AttributeMapping
from vumeter_server.runtime.limits import DEFAULT_LIMITS, Limits

LATEST_REJECTIONS: Final = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportCount:
    """How many points something was counted of; "" as the metric stands for all others.

    `what` is a Reason for rejected points, else a note such as `late`.
    """

    what: str
    key_id: str
    metric_name: str
    points: int
    last_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LatestRejection:
    """A point that was rejected, when, and of which key."""

    rejected_us: int
    key_id: str
    point: RejectedPoint


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejections:
    """What was rejected and noted: counts in any order, the last rejections newest first."""

    counts: Sequence[ExportCount]
    latest: Sequence[LatestRejection]


class ExportStore(Protocol):
    """Keeps what exporters send, of one organization at a time.

    What `custom_metrics.store.MetricStore` promises of organizations, of one moment and of errors
    holds here, too.
    """

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
        """Record what `settle_exported` makes of a batch.

        In one transaction: metrics, units and the states of cumulative series are read,
        `settle_exported` decides each point, and points, states, units and what was rejected are
        stored. A state is known for at least `STATES_KEPT_US` after its last point.

        An idempotency key that is known with the same content stores nothing; the outcome says so.
        `notes` are counted as given, those of `settle_exported` beside them.

        A point of a metric beyond `limits` is rejected; labels beyond them are stored as
        `MetricStore.record` says.

        Raises:
            Conflict: the key is known with other content.
            LimitExceeded: there is no room for a label set, or the organization has as many tag
                values as the store can take.
        """

    async def count_rejected(
        self, organization_id: int, rejected: RejectedPoint, *, key_id: str, now_us: int
    ) -> None:
        """Count a request of which no point could be read."""

    async def rejections(self, organization_id: int) -> Rejections:
        """Return what was rejected, up to LATEST_REJECTIONS of them one by one."""

    async def forget_organization(self, organization_id: int) -> None:
        """Erase what is kept of an organization's exporters, and how it maps attributes.

        Called when the organization is deleted and no caller can reach it any more; what is under
        way is rejected with Unauthenticated.
        """

    async def mapping(self, organization_id: int) -> AttributeMapping:
        """Return how an organization maps attributes; the default if it has no mapping of its own.

        A change is seen within a second.
        """

    async def set_mapping(self, organization_id: int, mapping: AttributeMapping | None) -> None:
        """Change how an organization maps attributes, None for the default."""


class OtlpAdministration(Protocol):
    """What the commands ask of storage, beside a running server or without one.

    Organizations go by name here. Raises an error with one line for the operator when storage is
    busy, full or failing.
    """

    def mapping(self, organization: str) -> AttributeMapping | None:
        """Return how an organization maps attributes; None if there is no such organization."""

    def set_mapping(self, organization: str, mapping: AttributeMapping | None) -> bool:
        """Change a mapping, None for the default; False if there is no such organization.

        Running servers follow within a second. What is recorded already stays as it is.
        """

    def rejections(self, organization: str) -> Rejections | None:
        """Return what was rejected; None if there is no such organization."""
