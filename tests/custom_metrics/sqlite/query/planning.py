"""Queries and what is in memory, for tests of plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.questions import Selection, SumQuery, TimeseriesQuery
from vumeter_server.custom_metrics.sqlite.cache.head import NO_POINTS
from vumeter_server.custom_metrics.sqlite.cache.label_tables import Labels
from vumeter_server.custom_metrics.sqlite.cache.metric_point_sums import MetricPointSums
from vumeter_server.custom_metrics.sqlite.cache.point_sums import PointSums
from vumeter_server.custom_metrics.sqlite.cache.ranges import Edge
from vumeter_server.custom_metrics.sqlite.cache.unit_cache import UnitSums
from vumeter_server.custom_metrics.sqlite.cache.units import Unit
from vumeter_server.custom_metrics.sqlite.cache.view import InMemory, Metrics, View
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import State
from vumeter_server.custom_metrics.sqlite.query.plan import (
    Cost,
    Query,
    Source,
    plan,
)

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
# Half an hour past midnight in UTC, as days begin in Asia/Kolkata (UTC+5:30).
KOLKATA = 18 * HOUR + 30 * MINUTE

TYPES = {"calls": MetricType.COUNTER, "queue": MetricType.GAUGE, "latency": MetricType.HISTOGRAM}
CODES = {name: code for code, name in enumerate(TYPES)}
READY = frozenset(CODES.values())


def points(*units: Unit, codes: Sequence[int] = tuple(CODES.values())) -> dict[Unit, UnitSums]:
    """Return point sums without a point."""
    none = np.empty(0, np.int64), np.empty(0)
    return {
        unit: PointSums(unit, codes, *none)
        if unit.code is None
        else MetricPointSums(unit, unit.code, *none)
        for unit in units
    }


def day(number: int) -> Unit:
    """Return the unit of all metrics on one day."""
    return Unit(None, number, number + 1)


def view(in_memory: InMemory | None, *, known: bool = True) -> View:
    """Return a view of three metrics, or of none."""
    codes = CODES if known else {}
    return View(
        organization_id=1,
        state=State(version=7, metrics=len(codes), deletions=2),
        metrics=Metrics(
            codes=codes,
            names={code: name for name, code in codes.items()},
            types={code: TYPES[name] for name, code in codes.items()},
        ),
        labels=Labels(),
        head=NO_POINTS,
        in_memory=in_memory,
    )


WARM = view(InMemory(metrics=READY))
STALE = view(None)
NEW = view(InMemory(), known=False)
UNREAD = view(InMemory())


def with_points(*units: Unit, codes: Sequence[int] = tuple(CODES.values())) -> View:
    return view(InMemory(metrics=READY, points=points(*units, codes=codes)))


def with_head(counts: dict[int, int], *units: Unit) -> View:
    return view(InMemory(metrics=READY, points=points(*units), head=counts))


def sums(
    start_us: int,
    end_us: int,
    *,
    names: Sequence[str] | None = None,
    filters: Sequence[tuple[str, str]] = (),
    group_by: Sequence[str] = (),
    bounds_us: Sequence[int] | None = None,
) -> SumQuery:
    return SumQuery(
        selection=Selection(start_us=start_us, end_us=end_us, filters=filters),
        metric_names=names,
        group_by=group_by,
        bounds_us=bounds_us,
    )


def series(
    name: str, start_us: int, end_us: int, step_us: int, *filters: tuple[str, str]
) -> TimeseriesQuery:
    return TimeseriesQuery(
        selection=Selection(start_us=start_us, end_us=end_us, filters=filters),
        metric_name=name,
        step_us=step_us,
    )


@dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    query: Query
    view: View = WARM
    source: Source
    edges: Sequence[tuple[int, int, int]] = ()
    cost: Cost


ABC = (("company_id", "abc"),)
LATE = 3 * DAY + 7 * MINUTE
FIRST_EDGE = (7 * MINUTE, 15 * MINUTE, 0)
LAST_EDGE = (3 * DAY, LATE, 0)


def see_that_it_is_planned(case: Case) -> None:
    planned = plan(case.query, case.view)
    assert planned.source is case.source
    assert planned.edges == [Edge(*edge) for edge in case.edges]
    assert planned.cost is case.cost
