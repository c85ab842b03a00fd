"""A store of custom metrics in lists, by brute force: the oracle of every other store.

It is written to be obviously right, not to be quick: exact fractions, one loop per promise of the
contract. It also is a whole store, so the suite runs on it like on any other.
"""

from __future__ import annotations

import asyncio
import math
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TypeVar

import numpy as np

from vumeter_server.custom_metrics.aggregation import (
    OF_SESSIONS,
    Function,
    Statistic,
    check_cells,
)
from vumeter_server.custom_metrics.model import Batch, MetricType
from vumeter_server.custom_metrics.questions import (
    REST,
    DeleteQuery,
    Grouped,
    GroupedQuery,
    MetricInfo,
    Selection,
    SessionMetric,
    SumQuery,
    Sums,
    TagValues,
    TagValuesQuery,
    Timeseries,
    TimeseriesQuery,
)
from vumeter_server.custom_metrics.store import IDEMPOTENCY_KEYS_KEPT_US, AskGrouped, Idempotency
from vumeter_server.custom_metrics.usage_store import RejectionCount
from vumeter_server.custom_metrics.validation import settle
from vumeter_server.errors import Conflict, LimitExceeded, Unavailable, Violation
from vumeter_server.runtime.clock import Clock

T = TypeVar("T")

DAY_US = 86_400_000_000
SYSTEM_LABELS = ("agent_id", "environment_id", "session_id")


@dataclass(frozen=True)
class Point:
    """A point as it is stored; `labels` holds system labels too, and none that is empty."""

    name: str
    value: Fraction
    time_us: int
    labels: dict[str, str]

    def label(self, key: str) -> str:
        return self.labels.get(key, "")


Use = tuple[str, str, tuple[str, str] | None]


def uses_of(points: Iterable[Point]) -> set[Use]:
    """Return metric and agent of points with each of their labels, and with none."""
    return {
        (point.name, point.label("agent_id"), label)
        for point in points
        for label in (*point.labels.items(), None)
    }


@dataclass
class Key:
    """An idempotency key that was used."""

    content_sha256: bytes
    recorded: int
    created_us: int


@dataclass
class Organization:
    """All that one organization recorded.

    `uses` are what names and tags are listed by: metric, agent and label of points, and None for
    each point's lack of one; those of points that retention dropped are among them. `recorded_on`
    is, for each day, the last day on which a point of it was recorded.
    """

    types: dict[str, MetricType] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    uses: set[Use] = field(default_factory=set)
    recorded_on: dict[int, int] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    label_sets: set[tuple[tuple[str, str], ...]] = field(default_factory=set)
    """Every label set that was ever recorded."""


@dataclass
class Data:
    """What would be on disk, and what this disk takes."""

    ids: dict[str, int] = field(default_factory=dict)
    organizations: dict[int, Organization] = field(default_factory=dict)
    rejections: list[tuple[int, RejectionCount]] = field(default_factory=list)
    is_unavailable: bool = False
    max_metrics: int | None = None
    max_tag_values: int | None = None

    def check_limits(self, organization: Organization, batch: Batch) -> None:
        """Raise if the organization would have more metrics or labels than are taken."""
        metrics = organization.types.keys() | set(batch.names)
        labels = {label for _, _, label in organization.uses if label is not None}
        labels = {label for label in labels if label[0] != "session_id"}
        labels |= {label for label_set in batch.label_sets for label in label_set}
        for found, limit in ((metrics, self.max_metrics), (labels, self.max_tag_values)):
            if limit is not None and len(found) > limit:
                raise LimitExceeded

    def add_organization(self, name: str) -> int:
        self.ids[name] = organization_id = len(self.ids) + 1
        self.organizations[organization_id] = Organization()
        return organization_id


class MemoryMetricStore:
    """Implements MetricStore in memory; a coroutine without an await is one transaction."""

    def __init__(self, data: Data, clock: Clock, *, retention_days: int) -> None:
        self._data = data
        self._organizations = data.organizations
        self._clock = clock
        self._retention_days = retention_days

    async def record(
        self, organization_id: int, batch: Batch, *, idempotency: Idempotency | None, now_us: int
    ) -> int:
        if self._data.is_unavailable:
            raise Unavailable
        organization = self._organizations[organization_id]
        known = _known(organization, idempotency)
        if known is not None:
            return known.recorded
        settled = settle(batch, organization.types, now_us)
        self._data.check_limits(organization, batch)
        organization.types |= settled.new_types
        organization.label_sets |= set(batch.label_sets)
        for index in range(len(batch)):
            labels = dict(batch.label_sets[batch.label_set_indexes[index]])
            if batch.session_indexes[index] >= 0:
                labels["session_id"] = batch.sessions[batch.session_indexes[index]]
            point = Point(
                name=batch.names[batch.name_indexes[index]],
                value=Fraction(float(settled.values[index])),
                time_us=int(settled.times_us[index]),
                labels=labels,
            )
            organization.points.append(point)
            organization.uses |= uses_of([point])
            organization.recorded_on[point.time_us // DAY_US] = self._clock() // DAY_US
        if idempotency is not None:
            organization.keys[idempotency.key] = Key(idempotency.content_sha256, len(batch), now_us)
        return len(batch)

    async def check(
        self, organization_id: int, batch: Batch, *, idempotency: Idempotency | None, now_us: int
    ) -> int:
        organization = self._organizations[organization_id]
        known = _known(organization, idempotency)
        if known is not None:
            return known.recorded
        settle(batch, organization.types, now_us)
        return len(batch)

    async def delete_points(self, organization_id: int, query: DeleteQuery) -> int:
        organization = self._organizations[organization_id]
        deleted = [point for point in organization.points if _is_about(query, point)]
        organization.points = [
            point for point in organization.points if not _is_about(query, point)
        ]
        organization.uses -= uses_of(deleted) - uses_of(organization.points)
        return len(deleted)

    async def count_points(self, organization_id: int, query: DeleteQuery) -> int:
        points = self._organizations[organization_id].points
        return sum(_is_about(query, point) for point in points)

    async def names(self, organization_id: int, agent_id: str | None) -> list[str]:
        uses = self._organizations[organization_id].uses
        return sorted({name for name, agent, _ in uses if agent_id in (None, agent)})

    async def metrics(self, organization_id: int) -> list[MetricInfo]:
        types = self._organizations[organization_id].types
        names = await self.names(organization_id, None)
        return [MetricInfo(name=name, type=types[name]) for name in names]

    async def sums(self, organization_id: int, query: SumQuery) -> Sums:
        points = self._selected(organization_id, query.selection)
        asked = query.metric_names
        names = sorted({p.name for p in points}) if asked is None else list(asked)
        bounds_us = query.bounds_us or (query.selection.start_us, query.selection.end_us)
        rows: dict[tuple[int, tuple[str, ...]], list[Point]] = {}
        for point in points:
            if point.name in names:
                period = bisect_right(bounds_us, point.time_us) - 1
                group = tuple(point.label(key) for key in query.group_by)
                rows.setdefault((period, group), []).append(point)
        check_cells(len(rows), len(names))
        ordered = sorted(rows)
        table = [
            [_sum(p for p in rows[row] if p.name == name) for name in names] for row in ordered
        ]
        return Sums(
            metric_names=names,
            periods=np.array([period for period, _ in ordered], np.int64),
            groups=[group for _, group in ordered],
            sums=np.array(table, np.float64).reshape(len(ordered), len(names)),
            totals=np.array([_sum(rows[row]) for row in ordered], np.float64),
        )

    async def timeseries(self, organization_id: int, query: TimeseriesQuery) -> Timeseries:
        metric_type = self._organizations[organization_id].types.get(query.metric_name)
        buckets: dict[int, list[Point]] = {}
        for point in self._selected(organization_id, query.selection):
            if point.name == query.metric_name:
                bucket = (point.time_us - query.selection.start_us) // query.step_us
                buckets.setdefault(bucket, []).append(point)
        ordered = sorted(buckets)
        values = [
            _compute(query.functions.of(metric_type), buckets[bucket])
            for bucket in ordered
            if metric_type is not None
        ]
        return Timeseries(
            type=metric_type,
            buckets=np.array(ordered, np.int64),
            values=np.array(values, np.float64),
            counts=np.array([len(buckets[bucket]) for bucket in ordered], np.int64),
        )

    async def at_one_moment(self, organization_id: int, work: Callable[[AskGrouped], T]) -> T:
        organization = self._organizations[organization_id]
        then = replace(
            organization, points=list(organization.points), types=dict(organization.types)
        )
        return await asyncio.to_thread(work, lambda query: _grouped(then, query))

    async def tags(
        self, organization_id: int, metric_name: str | None, agent_id: str | None, limit: int
    ) -> dict[str, TagValues]:
        found: dict[str, set[str]] = {}
        for name, agent, label in self._organizations[organization_id].uses:
            if metric_name in (None, name) and agent_id in (None, agent) and label is not None:
                key, value = label
                if key not in SYSTEM_LABELS:
                    found.setdefault(key, set()).add(value)
        return {
            key: TagValues(values=sorted(found[key])[:limit], truncated=len(found[key]) > limit)
            for key in sorted(found)
        }

    async def tag_values(
        self, organization_id: int, query: TagValuesQuery
    ) -> list[tuple[str, str]]:
        tags = await self.tags(organization_id, query.metric_name, query.agent_id, sys.maxsize)
        pairs = [
            (key, value)
            for key, found in tags.items()
            for value in found.values
            if query.key in (None, key) and value.startswith(query.prefix)
        ]
        return [pair for pair in pairs if pair > (query.after or ("", ""))][: query.limit]

    async def session(self, organization_id: int, session_id: str) -> list[SessionMetric]:
        organization = self._organizations[organization_id]
        entries: dict[tuple[str, tuple[tuple[str, str], ...]], list[Point]] = {}
        for point in organization.points:
            if point.label("session_id") == session_id:
                labels = {k: v for k, v in point.labels.items() if k != "session_id"}
                key = (point.name, tuple(sorted(labels.items())))
                entries.setdefault(key, []).append(point)
        return [
            SessionMetric(
                metric_name=name,
                type=organization.types[name],
                labels=dict(labels),
                last_time_us=max(point.time_us for point in points),
                value=_compute(OF_SESSIONS.of(organization.types[name]), points),
                count=len(points),
            )
            for (name, labels), points in sorted(entries.items(), key=lambda entry: entry[0])
        ]

    async def upgrade(self, on_progress: Callable[[int, int], None]) -> None:
        """There is nothing of an earlier version."""

    async def run(self) -> None:
        while True:
            self.maintain()
            await asyncio.sleep(1)

    def maintain(self) -> None:
        """Forget what is old enough."""
        now_us = self._clock()
        before = now_us // DAY_US - self._retention_days
        for organization in self._organizations.values():
            dropped = {day for day, on in organization.recorded_on.items() if max(day, on) < before}
            organization.points = [
                point for point in organization.points if point.time_us // DAY_US not in dropped
            ]
            for day in dropped:
                del organization.recorded_on[day]
            organization.keys = {
                name: key
                for name, key in organization.keys.items()
                if key.created_us >= now_us - IDEMPOTENCY_KEYS_KEPT_US
            }

    def _selected(self, organization_id: int, selection: Selection) -> list[Point]:
        return [
            point
            for point in self._organizations[organization_id].points
            if selection.start_us <= point.time_us < selection.end_us
            and all(point.label(label) == value for label, value in selection.filters)
        ]


class MemoryMetricAdministration:
    """Implements MetricAdministration on the same data."""

    def __init__(self, data: Data) -> None:
        self._data = data

    def list_metrics(self, organization: str) -> list[MetricInfo] | None:
        found = self._data.ids.get(organization)
        if found is None:
            return None
        types = sorted(self._data.organizations[found].types.items())
        return [MetricInfo(name=name, type=of) for name, of in types]

    def delete_metric(self, organization: str, name: str) -> bool:
        found = self._data.ids.get(organization)
        if found is None or name not in self._data.organizations[found].types:
            return False
        of = self._data.organizations[found]
        del of.types[name]
        of.points = [point for point in of.points if point.name != name]
        of.uses = {use for use in of.uses if use[0] != name}
        return True


def _grouped(organization: Organization, query: GroupedQuery) -> Grouped:
    bounds_us, width = query.bounds_us, len(query.columns)
    cells: dict[tuple[int, tuple[str, ...] | None], list[list[Point]]] = {}
    for point in organization.points:
        if not bounds_us[0] <= point.time_us < bounds_us[-1]:
            continue
        group: tuple[str, ...] | None = tuple(point.label(key) for key in query.group_by)
        if query.groups is not None and group not in query.groups:
            if not query.has_rest:
                continue
            group = None
        for index, column in enumerate(query.columns):
            matchers = (*query.filters, *column.filters)
            if point.name == column.metric_name and all(
                each.matches(point.label(each.label)) for each in matchers
            ):
                row = (bisect_right(bounds_us, point.time_us) - 1, group)
                cells.setdefault(row, [[] for _ in range(width)])[index].append(point)
    if query.max_cells is not None:
        check_cells(len(cells), width, query.max_cells)
    labels = sorted({group for _, group in cells if group is not None})
    rows = sorted(cells, key=lambda row: (row[0], row[1] or ()))
    values, counts = np.full((len(rows), width), np.nan), np.zeros((len(rows), width), np.int64)
    for number, row in enumerate(rows):
        for index, points in enumerate(cells[row]):
            if points:
                function = query.columns[index].function
                values[number, index] = _compute(function, points)
                counts[number, index] = (
                    values[number, index]
                    if function.statistic is Statistic.SESSIONS
                    else len(points)
                )
    return Grouped(
        types=[organization.types.get(column.metric_name) for column in query.columns],
        labels=labels,
        buckets=np.array([bucket for bucket, _ in rows], np.int64),
        groups=np.array(
            [REST if group is None else labels.index(group) for _, group in rows], np.int64
        ),
        values=values,
        counts=counts,
    )


def _known(organization: Organization, idempotency: Idempotency | None) -> Key | None:
    known = None if idempotency is None else organization.keys.get(idempotency.key)
    if known is None or idempotency is None:
        return None
    if known.content_sha256 != idempotency.content_sha256:
        problem = "was used before with other content"
        raise Conflict(violations=[Violation(field="idempotency_key", problem=problem)])
    return known


def _is_about(query: DeleteQuery, point: Point) -> bool:
    return (
        query.start_us <= point.time_us < query.end_us
        and (query.metric_names is None or point.name in query.metric_names)
        and all(each.matches(point.label(each.label)) for each in query.filters)
    )


def _sum(points: Iterable[Point]) -> float:
    return float(sum((point.value for point in points), Fraction(0)))


def _compute(function: Function, points: Sequence[Point]) -> float:
    if function.statistic is Statistic.SUM:
        return _sum(points)
    if function.statistic is Statistic.MEAN:
        return _sum(points) / len(points)
    if function.statistic is Statistic.LAST:
        # Of equal times the one recorded last; they are in the order of recording.
        return float(sorted(points, key=lambda point: point.time_us)[-1].value)
    if function.statistic is Statistic.COUNT:
        return len(points)
    if function.statistic is Statistic.SESSIONS:
        return len({point.label("session_id") for point in points} - {""})
    values = sorted(point.value for point in points)
    if function.statistic in (Statistic.MIN, Statistic.MAX):
        return float(values[0 if function.statistic is Statistic.MIN else -1])
    return float(values[math.ceil(Fraction(function.percent) / 100 * len(values)) - 1])
