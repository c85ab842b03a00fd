"""What custom metrics ask of storage, in plain Python; every store answers alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.model import Batch, MetricType
from vumeter_server.errors import InvalidArgument


@dataclass(frozen=True, kw_only=True, slots=True)
class Idempotency:
    """A caller's key for a recording, and the hash of what it records."""

    key: str
    content_sha256: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Points with start_us <= time < end_us and all of these labels.

    `filters` are pairs of a label, `agent_id`, `environment_id` or `session_id` and its value; ""
    matches points without it.
    """

    start_us: int
    end_us: int
    filters: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SumQuery:
    """Asks for sums by group, and by period if `bounds_us` is given.

    Attributes:
        metric_names: None asks for every metric with a point in the selection.
        group_by: labels, `agent_id`, `environment_id` or `session_id`.
        bounds_us: ascending bounds of n periods, n + 1 of them, from the selection's start to its
            end. None is one period.
    """

    selection: Selection
    metric_names: Sequence[str] | None = None
    group_by: Sequence[str] = ()
    bounds_us: Sequence[int] | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sums:
    """One row for each period and group with a point: in the order of periods, if not grouped.

    Attributes:
        metric_names: the metrics asked for, in the order asked for, else sorted.
        periods: the number of each row's period.
        groups: each row's label values, in the order of `group_by`; "" for points without a label.
        sums: rows x metrics; 0 where the row has no point of the metric.
        totals: each row's sum over all metrics.
    """

    metric_names: list[str]
    periods: npt.NDArray[np.int64]
    groups: list[tuple[str, ...]]
    sums: npt.NDArray[np.float64]
    totals: npt.NDArray[np.float64]


MAX_CELLS = 100_000


def check_cells(rows: int, metrics: int) -> None:
    """Raise InvalidArgument if an answer of `rows` rows would be too large."""
    if rows * metrics > MAX_CELLS:
        raise InvalidArgument("Narrow the range or the grouping")


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeseriesQuery:
    """Asks for one metric in buckets of `step_us` from the selection's start."""

    selection: Selection
    metric_name: str
    step_us: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Timeseries:
    """The buckets with a point, in order.

    `values` are sums of a counter, means of a gauge, 95th percentiles of a histogram.
    """

    type: MetricType | None
    buckets: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class TagValues:
    """The values of one tag key, sorted by code point."""

    values: list[str]
    truncated: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class TagValuesQuery:
    """Asks for the first `limit` pairs of a key and a value behind `after`.

    `metric_name`, `agent_id` and `key` narrow what is listed unless they are None; `prefix` is what
    values begin with.
    """

    metric_name: str | None
    agent_id: str | None
    key: str | None
    prefix: str
    after: tuple[str, str] | None
    limit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionMetric:
    """What a session recorded of one metric with one set of labels (system labels among them)."""

    metric_name: str
    type: MetricType
    labels: Mapping[str, str]
    last_time_us: int
    value: float
    count: int


class MetricStore(Protocol):
    """Keeps points and answers queries, of one organization at a time.

    Everything raises Unavailable when storage is busy, full or failing.
    """

    async def record(
        self, organization_id: int, batch: Batch, *, idempotency: Idempotency | None, now_us: int
    ) -> int:
        """Store a batch, all of it or nothing, and return how many points it held.

        When it returns, the points are on disk and the next query sees them. A repeat of an
        idempotency key with the same content stores nothing and returns what the first did. Raises
        Conflict if the content differs, InvalidArgument if a point's type or value does not suit
        its metric.
        """

    async def check(
        self, organization_id: int, batch: Batch, *, idempotency: Idempotency | None, now_us: int
    ) -> int:
        """Return or raise what `record` would, and store nothing."""

    async def names(self, organization_id: int, agent_id: str | None) -> list[str]:
        """Return the names of metrics (with a point of the agent), sorted."""

    async def sums(self, organization_id: int, query: SumQuery) -> Sums:
        """Sum points by metric, group and period."""

    async def timeseries(self, organization_id: int, query: TimeseriesQuery) -> Timeseries:
        """Aggregate one metric by bucket as its type asks."""

    async def tags(
        self, organization_id: int, metric_name: str | None, agent_id: str | None, limit: int
    ) -> dict[str, TagValues]:
        """Return user labels, sorted by key, with their first `limit` values."""

    async def tag_values(
        self, organization_id: int, query: TagValuesQuery
    ) -> list[tuple[str, str]]:
        """Return user labels as pairs of key and value, sorted, however many a key has."""

    async def session(self, organization_id: int, session_id: str) -> list[SessionMetric]:
        """Return what one session recorded, sorted by metric name, then labels."""


class MetricAdministration(Protocol):
    """What the commands ask of storage."""

    def list_metrics(self, organization: str) -> list[tuple[str, MetricType]] | None:
        """Return the metrics of an organization, by name; None if there is no such organization."""

    def delete_metric(self, organization: str, name: str) -> bool:
        """Delete a metric and its points; False if there is none of that name."""
