"""An organization of a store under test: recorded and asked in short, answered in plain values."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, TypeVar

from tests.conformance.custom_metrics.factories import NOON_US, Subject
from tests.custom_metrics.points import Point, checked, opened

from vumeter_server.custom_metrics.aggregation import OF_BUCKETS, Functions
from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.model import Batch
from vumeter_server.custom_metrics.questions import (
    REST,
    DeleteQuery,
    ExportedPoints,
    ExportQuery,
    Grouped,
    GroupedQuery,
    Selection,
    SumQuery,
    TimeseriesQuery,
)
from vumeter_server.custom_metrics.store import Idempotency
from vumeter_server.errors import VumeterError
from vumeter_server.runtime.limits import DEFAULT_LIMITS, Limits

T = TypeVar("T")

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
Filters = Sequence[tuple[str, str]]
Row = tuple[int, tuple[str, ...] | None]
Cell = tuple[float | None, int]
ALWAYS = (0, 2**52)
START_US = NOON_US - DAY_US


def at(minutes: float, name: str = "booking_attempt", **point: Any) -> Point:
    """Return a point so many minutes after START_US."""
    return Point(name=name, timestamp=START_US + int(minutes * 60_000_000), **point)


def batch_of(*points: Point, now_us: int = NOON_US) -> Batch:
    """Return points as a batch."""
    return checked(*points, now_us=now_us)


@dataclass(frozen=True)
class Practice:
    """An organization; answers are plain values that `==` compares wholly."""

    subject: Subject
    organization_id: int
    name: str

    @classmethod
    def of(cls, subject: Subject, name: str = "Dr. Weber") -> Practice:
        """Return a new organization."""
        return cls(subject, subject.add_organization(name), name)

    async def recording(
        self,
        *points: Point,
        key: str | None = None,
        now_us: int = NOON_US,
        dry: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> int:
        """Record, as a coroutine."""
        batch, store = batch_of(*points, now_us=now_us), self.subject.store
        known = None if key is None else Idempotency(key=key, content_sha256=batch.digest())
        if dry:
            return await store.check(self.organization_id, batch, idempotency=known, now_us=now_us)
        return await store.record(
            self.organization_id, batch, idempotency=known, now_us=now_us, limits=limits
        )

    def record(
        self,
        *points: Point,
        key: str | None = None,
        now_us: int = NOON_US,
        limits: Limits = DEFAULT_LIMITS,
    ) -> int:
        """Record."""
        return self.subject.run(self.recording(*points, key=key, now_us=now_us, limits=limits))

    def check(self, *points: Point, key: str | None = None) -> int:
        """Ask what recording would answer."""
        return self.subject.run(self.recording(*points, key=key, dry=True))

    def delete_points(self, query: DeleteQuery) -> int:
        """Delete points."""
        return self.subject.run(self.subject.store.delete_points(self.organization_id, query))

    def count_points(self, query: DeleteQuery) -> int:
        """Ask how many points would be deleted."""
        return self.subject.run(self.subject.store.count_points(self.organization_id, query))

    def export(self, query: ExportQuery | None = None) -> list[tuple[Any, ...]]:
        """Export points, see `plain`."""

        async def all_points() -> list[tuple[Any, ...]]:
            found = []
            async for exported in self.exporting(query):
                found += plain(exported.batch)
            return found

        return self.subject.run(all_points())

    def exporting(self, query: ExportQuery | None = None) -> AsyncGenerator[ExportedPoints, None]:
        """Export points, as a stream."""
        return self.subject.store.export_points(self.organization_id, query or ExportQuery())

    def delete(self, metric: str) -> bool:
        """Delete a metric."""
        return self.subject.administration.delete_metric(self.name, metric)

    def metrics(self) -> list[tuple[str, str]] | None:
        """List metrics and types."""
        found = self.subject.administration.list_metrics(self.name)
        return (
            None if found is None else [(metric.name, metric.type.name.lower()) for metric in found]
        )

    def names(self, agent_id: str | None = None) -> list[str]:
        """Ask for names."""
        return self.subject.run(self.subject.store.names(self.organization_id, agent_id))

    def sums(
        self,
        between: tuple[int, int] = ALWAYS,
        *,
        metrics: Sequence[str] | None = None,
        by: Sequence[str] = (),
        filters: Filters = (),
        bounds_us: Sequence[int] | None = None,
    ) -> tuple[list[str], list[tuple[int, tuple[str, ...], list[float], float]]]:
        """Ask for sums: the metrics, and rows of period, group, sums and total.

        Rows of groups come in any order, so they are sorted here; others are left as they come.
        """
        found = self.subject.run(
            self.subject.store.sums(
                self.organization_id,
                SumQuery(
                    selection=Selection(start_us=between[0], end_us=between[1], filters=filters),
                    metric_names=metrics,
                    group_by=by,
                    bounds_us=bounds_us,
                ),
            )
        )
        assert found.sums.shape == (len(found.periods), len(found.metric_names))
        columns = (found.periods, found.groups, found.sums.tolist(), found.totals.tolist())
        rows = [(int(period), *row) for period, *row in zip(*columns, strict=True)]
        return found.metric_names, sorted(rows) if by else rows

    def timeseries(
        self,
        metric: str,
        step_us: int,
        between: tuple[int, int],
        *,
        filters: Filters = (),
        functions: Functions = OF_BUCKETS,
    ) -> tuple[str | None, list[tuple[int, float, int]]]:
        """Ask for a timeseries: the type, and buckets of number, value and count."""
        found = self.subject.run(
            self.subject.store.timeseries(
                self.organization_id,
                TimeseriesQuery(
                    selection=Selection(start_us=between[0], end_us=between[1], filters=filters),
                    metric_name=metric,
                    step_us=step_us,
                    functions=functions,
                ),
            )
        )
        columns = (found.buckets.tolist(), found.values.tolist(), found.counts.tolist())
        kind = None if found.type is None else found.type.name.lower()
        return kind, list(zip(*columns, strict=True))

    def grouped(
        self, query: GroupedQuery
    ) -> tuple[
        list[str | None], dict[tuple[int, tuple[str, ...] | None], list[tuple[float | None, int]]]
    ]:
        """Ask for functions by group: the types, and value and count per column of each row.

        The rest is the group None; a column without points is (None, 0).
        """
        found = self.subject.run(
            self.subject.store.at_one_moment(self.organization_id, lambda ask: ask(query))
        )
        return [None if each is None else each.name for each in found.types], self.table(found)

    def table(self, found: Grouped) -> dict[Row, list[Cell]]:
        """Return value and count per column of each row; see `grouped`."""
        rows = zip(found.buckets.tolist(), found.groups.tolist(), strict=True)
        cells = zip(found.values.tolist(), found.counts.tolist(), strict=True)
        table = {
            (bucket, None if group == REST else found.labels[group]): [
                (None if isnan(value) else value, count)
                for value, count in zip(values, counts, strict=True)
            ]
            for (bucket, group), (values, counts) in zip(rows, cells, strict=True)
        }
        assert len(table) == len(found.buckets)
        return table

    def tags(
        self, metric: str | None = None, agent_id: str | None = None, limit: int = 1_000
    ) -> dict[str, tuple[list[str], bool]]:
        """Ask for tags: values and whether there are more, by key, in order."""
        found = self.subject.run(
            self.subject.store.tags(self.organization_id, metric, agent_id, limit)
        )
        assert list(found) == sorted(found)
        return {key: (each.values, each.truncated) for key, each in found.items()}

    def session(self, session_id: str) -> list[tuple[str, str, dict[str, str], int, float, int]]:
        """Ask for a session: name, type, labels, last time, value and count of each entry."""
        found = self.subject.run(self.subject.store.session(self.organization_id, session_id))
        return [
            (
                each.metric_name,
                each.type.name.lower(),
                dict(each.labels),
                each.last_time_us,
                each.value,
                each.count,
            )
            for each in found
        ]

    def usage(
        self,
    ) -> tuple[int, int, list[tuple[str, int, int]], list[tuple[str, int, int, bool]]]:
        """Ask for usage: points, label sets, metrics and labels with their counts."""
        found = self.subject.run(self.subject.usage.stored(self.organization_id, 1_000))
        return (
            found.points,
            found.label_sets,
            [(each.name, each.points, each.label_values) for each in found.by_metric],
            [(each.key, each.values, each.label_sets, each.has_other) for each in found.by_label],
        )

    def everything(self) -> dict[str, Any]:
        """Ask for all that can be seen of the organization."""
        names = self.names()
        return {
            "metrics": self.metrics(),
            "names": names,
            "sums": self.sums(by=("session_id", "agent_id", "environment_id")),
            "tags": self.tags(),
            "usage": self.usage(),
            "timeseries": {
                name: self.timeseries(name, 400 * DAY_US, (0, 40_000 * DAY_US)) for name in names
            },
        }


def plain(batch: Batch) -> list[tuple[Any, ...]]:
    """Return points as values that `==` compares wholly, with what their distributions are."""
    laid_out = opened(batch)
    columns = ("names", "types", "values", "times_us", "label_sets", "sessions")
    points = list(zip(*(laid_out[name] for name in columns), strict=True))
    if batch.distributions is None:
        return points
    of_points: list[Any] = [()] * len(points)
    for index in batch.distributions.positions.tolist():
        own = batch.distributions.between(index, index + 1)
        of_points[index] = tuple(getattr(own, name).tolist() for name in Distributions.__slots__)
    return [
        (*point, *([each] if each else [])) for point, each in zip(points, of_points, strict=True)
    ]


async def outcome(work: Awaitable[T]) -> T | str:
    """Return what a coroutine returns, or the kind and words of its error."""
    try:
        return await work
    except VumeterError as error:
        return f"{type(error).__name__}: {[each.sentence for each in error.violations]}"
