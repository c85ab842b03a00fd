"""The contract of a store of custom metrics with `vumeter migrate`.

Points go by `MetricStore.export_points` and `MetricStore.record`; here is what else belongs to
them. What `MetricStore` promises of organizations, durability and errors holds here, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from vumeter_server.custom_metrics.questions import MetricInfo


@dataclass(frozen=True, kw_only=True, slots=True)
class CopiedRecording:
    """An idempotency key that was used: the hash of the content, the answer, and when."""

    key: str
    content_sha256: bytes
    recorded: int
    recorded_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CopiedSeriesStates:
    """The last values of the series of one metric of one exporter, see `series_states`.

    `changed_us` is when the exporter sent it last.
    """

    stream: bytes
    metric_name: str
    states: bytes
    changed_us: int


class MetricMigrationStore(Protocol):
    """What a migration asks of a store of custom metrics, of one organization at a time."""

    async def days(self, organization_id: int) -> Mapping[int, int]:
        """Return the days since the epoch (UTC) that have points, with about how many.

        A day without points may be among them, a day with points is.
        """

    async def catalog(self, organization_id: int) -> Sequence[MetricInfo]:
        """Return every metric that has a type, also those without points, sorted by name."""

    async def describe(self, organization_id: int, metrics: Sequence[MetricInfo]) -> None:
        """Fix types of new metrics, and change units and descriptions; all of it or nothing.

        The types of metrics that there are have to be those given.
        """

    async def forget_metric(self, organization_id: int, name: str) -> None:
        """Delete a metric with its points and its type, as `MetricAdministration` does."""

    async def recordings(
        self, organization_id: int, after: str, most: int
    ) -> Sequence[CopiedRecording]:
        """Return the next `most` idempotency keys that are known behind `after`, by code point."""

    async def put_recordings(
        self, organization_id: int, recordings: Sequence[CopiedRecording]
    ) -> None:
        """Know these idempotency keys as if they had been used here; all or none.

        They are known for as long as if they had. Keys that are known already stay as they are.
        """

    async def series_states(self, organization_id: int) -> Sequence[CopiedSeriesStates]:
        """Return all states of exporters' series, in any order."""

    async def put_series_states(
        self, organization_id: int, states: Sequence[CopiedSeriesStates]
    ) -> None:
        """Put these states in the place of those of the same stream and metric; all or none."""
