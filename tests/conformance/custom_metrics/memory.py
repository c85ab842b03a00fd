"""A store of custom metrics in lists, by brute force: the oracle of every other store.

It is written to be obviously right, not to be quick: exact fractions, one loop per promise of the
contract. It also is a whole store, so the suite runs on it like on any other.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import TypeVar

from tests.conformance.custom_metrics.memory_answers import (
    grouped_by_force,
    session_of,
    sums_of,
    timeseries_of,
)
from tests.conformance.custom_metrics.memory_data import (
    DAY_US,
    FIRST_DAY,
    Data,
    Key,
    Organization,
    Point,
    uses_of,
)
from tests.conformance.custom_metrics.memory_export import export
from tests.conformance.custom_metrics.memory_limits import label_sets_within, refuse_metrics

from vumeter_server.custom_metrics.model import Batch
from vumeter_server.custom_metrics.questions import (
    DeleteQuery,
    ExportedPoints,
    ExportQuery,
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
from vumeter_server.custom_metrics.validation import settle
from vumeter_server.errors import Conflict, Unavailable, Violation
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.limits import DEFAULT_LIMITS, Limits

T = TypeVar("T")

SYSTEM_LABELS = ("agent_id", "environment_id", "session_id")


class MemoryMetricStore:
    """Implements MetricStore in memory; a coroutine without an await is one transaction."""

    def __init__(self, data: Data, clock: Clock, *, retention_days: int) -> None:
        self._data = data
        self._organizations = data.organizations
        self._clock = clock
        self._retention_days = retention_days

    async def record(
        self,
        organization_id: int,
        batch: Batch,
        *,
        idempotency: Idempotency | None,
        now_us: int,
        limits: Limits = DEFAULT_LIMITS,
    ) -> int:
        if self._data.is_unavailable:
            raise Unavailable
        organization = self._organizations[organization_id]
        known = _known(organization, idempotency)
        if known is not None:
            return known.recorded
        settled = settle(batch, organization.types, now_us)
        refuse_metrics(organization, batch, limits)
        label_sets = label_sets_within(organization, batch, limits)
        self._data.check_limits(organization, batch)
        organization.types |= settled.new_types
        organization.label_sets |= set(label_sets)
        for index in range(len(batch)):
            labels = dict(label_sets[batch.label_set_indexes[index]])
            if batch.session_indexes[index] >= 0:
                labels["session_id"] = batch.sessions[batch.session_indexes[index]]
            point = Point(
                name=batch.names[batch.name_indexes[index]],
                value=Fraction(float(settled.values[index])),
                time_us=int(settled.times_us[index]),
                labels=labels,
                distribution=batch.distributions and batch.distributions.between(index, index + 1),
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

    async def forget_organization(self, organization_id: int) -> None:
        self._organizations[organization_id] = Organization()

    async def export_points(
        self, organization_id: int, query: ExportQuery
    ) -> AsyncGenerator[ExportedPoints, None]:
        organization = self._organizations[organization_id]
        chosen = [point for point in organization.points if _is_about(query, point)]
        async for exported in export(organization, chosen, query.skip):
            yield exported

    async def names(self, organization_id: int, agent_id: str | None) -> list[str]:
        uses = self._organizations[organization_id].uses
        return sorted({name for name, agent, _ in uses if agent_id in (None, agent)})

    async def metrics(self, organization_id: int) -> list[MetricInfo]:
        types = self._organizations[organization_id].types
        names = await self.names(organization_id, None)
        return [MetricInfo(name=name, type=types[name]) for name in names]

    async def sums(self, organization_id: int, query: SumQuery) -> Sums:
        return sums_of(self._selected(organization_id, query.selection), query)

    async def timeseries(self, organization_id: int, query: TimeseriesQuery) -> Timeseries:
        metric_type = self._organizations[organization_id].types.get(query.metric_name)
        return timeseries_of(self._selected(organization_id, query.selection), query, metric_type)

    async def at_one_moment(self, organization_id: int, work: Callable[[AskGrouped], T]) -> T:
        organization = self._organizations[organization_id]
        then = replace(
            organization, points=list(organization.points), types=dict(organization.types)
        )
        return await asyncio.to_thread(work, lambda query: grouped_by_force(then, query))

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
        return session_of(self._organizations[organization_id], session_id)

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
            if dropped:
                last_day = date.fromordinal(FIRST_DAY + max(dropped)).isoformat()
                details = {"days": len(dropped), "last_day": last_day}
                organization.noted.append(("retention.drop_days", details))
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


def _known(organization: Organization, idempotency: Idempotency | None) -> Key | None:
    known = None if idempotency is None else organization.keys.get(idempotency.key)
    if known is None or idempotency is None:
        return None
    if known.content_sha256 != idempotency.content_sha256:
        problem = "was used before with other content"
        raise Conflict(violations=[Violation(field="idempotency_key", problem=problem)])
    return known


def _is_about(query: DeleteQuery | ExportQuery, point: Point) -> bool:
    return (
        query.start_us <= point.time_us < query.end_us
        and (query.metric_names is None or point.name in query.metric_names)
        and all(each.matches(point.label(each.label)) for each in query.filters)
    )
