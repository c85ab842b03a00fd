"""Which plan is made of a query and of what is in memory: a table of cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.questions import Selection, SumQuery, TimeseriesQuery
from vumeter_server.custom_metrics.sqlite.cache.head import NO_POINTS
from vumeter_server.custom_metrics.sqlite.cache.label_tables import Labels
from vumeter_server.custom_metrics.sqlite.cache.point_sums import DAYS_PER_UNIT, PointSums, Unit
from vumeter_server.custom_metrics.sqlite.cache.ranges import Edge
from vumeter_server.custom_metrics.sqlite.cache.view import InMemory, Metrics, View
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import State
from vumeter_server.custom_metrics.sqlite.query.plan import (
    Cost,
    NamesQuery,
    Query,
    SessionQuery,
    Source,
    TagsQuery,
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


def points(*units: Unit, codes: Sequence[int] = tuple(CODES.values())) -> dict[Unit, PointSums]:
    """Return point sums without a point."""
    none = np.empty(0, np.int64), np.empty(0)
    return {unit: PointSums(unit, codes, *none) for unit in units}


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
CASES = [
    Case(
        name="whole days by no label, everything in memory",
        query=sums(0, 14 * DAY),
        source=Source.INTERVALS,
        cost=Cost.ON_LOOP,
    ),
    Case(
        name="whole days while another thread uses the cache, or after a recording",
        query=sums(0, 14 * DAY),
        view=STALE,
        source=Source.INTERVALS,
        cost=Cost.QUICK,
    ),
    Case(
        name="whole days of metrics whose prefix sums were not read",
        query=sums(0, 14 * DAY),
        view=UNREAD,
        source=Source.INTERVALS,
        cost=Cost.QUICK,
    ),
    Case(
        name="until now, the last day not decoded",
        query=sums(0, LATE),
        source=Source.INTERVALS,
        edges=[LAST_EDGE],
        cost=Cost.QUICK,
    ),
    Case(
        name="until now, the last day decoded",
        query=sums(0, LATE),
        view=with_points(day(3)),
        source=Source.INTERVALS,
        edges=[LAST_EDGE],
        cost=Cost.ON_LOOP,
    ),
    Case(
        name="until now, the last day decoded for another metric only",
        query=sums(0, LATE, names=["calls", "queue"]),
        view=with_points(day(3), codes=[CODES["calls"]]),
        source=Source.INTERVALS,
        edges=[LAST_EDGE],
        cost=Cost.QUICK,
    ),
    Case(
        name="both ends anywhere, both days decoded",
        query=sums(7 * MINUTE, LATE),
        view=with_points(day(0), day(3)),
        source=Source.INTERVALS,
        edges=[FIRST_EDGE, LAST_EDGE],
        cost=Cost.ON_LOOP,
    ),
    Case(
        name="both ends anywhere, after a recording",
        query=sums(7 * MINUTE, LATE),
        view=STALE,
        source=Source.INTERVALS,
        edges=[FIRST_EDGE, LAST_EDGE],
        cost=Cost.QUICK,
    ),
    Case(
        name="both ends within one interval",
        query=sums(2 * MINUTE, 9 * MINUTE),
        view=with_points(day(0)),
        source=Source.INTERVALS,
        edges=[(2 * MINUTE, 9 * MINUTE, 0)],
        cost=Cost.ON_LOOP,
    ),
    Case(
        name="head only, few points in the interval that is cut",
        query=sums(3 * DAY, LATE),
        view=with_head({LATE // (15 * MINUTE): 4_000}, day(3)),
        source=Source.INTERVALS,
        edges=[LAST_EDGE],
        cost=Cost.ON_LOOP,
    ),
    Case(
        name="head only, many points in the interval that is cut",
        query=sums(3 * DAY, LATE),
        view=with_head({LATE // (15 * MINUTE): 4_001}, day(3)),
        source=Source.INTERVALS,
        edges=[LAST_EDGE],
        cost=Cost.QUICK,
    ),
    Case(
        name="many points of the head, but no interval is cut",
        query=sums(3 * DAY, 4 * DAY),
        view=with_head({LATE // (15 * MINUTE): 1_000_000}),
        source=Source.INTERVALS,
        cost=Cost.ON_LOOP,
    ),
    Case(
        name="days of a half-hour zone",
        query=sums(KOLKATA, KOLKATA + 2 * DAY, bounds_us=[KOLKATA + n * DAY for n in range(3)]),
        source=Source.INTERVALS,
        cost=Cost.ON_LOOP,
    ),
    Case(
        name="days of a half-hour zone until now",
        query=sums(KOLKATA, LATE, bounds_us=[KOLKATA, KOLKATA + DAY, KOLKATA + 2 * DAY, LATE]),
        view=with_points(day(3)),
        source=Source.INTERVALS,
        edges=[(3 * DAY, LATE, 2)],
        cost=Cost.ON_LOOP,
    ),
    Case(
        name="more periods than are answered on the event loop",
        query=sums(0, 401 * HOUR, bounds_us=[n * HOUR for n in range(402)]),
        source=Source.INTERVALS,
        cost=Cost.QUICK,
    ),
    Case(
        name="bounds within intervals on more days than are cut",
        query=sums(MINUTE, 66 * DAY + MINUTE, bounds_us=[n * DAY + MINUTE for n in range(67)]),
        source=Source.POINTS,
        cost=Cost.HEAVY,
    ),
    Case(
        name="empty range",
        query=sums(LATE, LATE),
        source=Source.NOTHING,
        cost=Cost.ON_LOOP,
    ),
    Case(
        name="a metric that was never recorded",
        query=sums(0, LATE, names=["unknown"]),
        source=Source.NOTHING,
        cost=Cost.ON_LOOP,
    ),
    Case(
        name="a metric that may have been recorded just now",
        query=sums(0, DAY, names=["unknown"]),
        view=STALE,
        source=Source.INTERVALS,
        cost=Cost.QUICK,
    ),
    Case(
        name="an organization that has recorded nothing",
        query=sums(0, LATE),
        view=NEW,
        source=Source.NOTHING,
        cost=Cost.ON_LOOP,
    ),
    Case(
        name="a filter by one label, whole days",
        query=sums(0, 3 * DAY, filters=ABC),
        source=Source.LABEL_ROLLUPS,
        cost=Cost.HEAVY,
    ),
    Case(
        name="a filter and a grouping by the same label, ends anywhere",
        query=sums(7 * MINUTE, LATE, filters=ABC, group_by=["company_id"]),
        source=Source.LABEL_ROLLUPS,
        edges=[(7 * MINUTE, DAY, 0), LAST_EDGE],
        cost=Cost.HEAVY,
    ),
    Case(
        name="grouped by one label, days of UTC until now",
        query=sums(0, LATE, group_by=["company_id"], bounds_us=[0, DAY, 2 * DAY, 3 * DAY, LATE]),
        source=Source.LABEL_ROLLUPS,
        edges=[(3 * DAY, LATE, 3)],
        cost=Cost.HEAVY,
    ),
    Case(
        name="grouped by one label, days of a half-hour zone",
        query=sums(
            KOLKATA,
            KOLKATA + DAY,
            group_by=["company_id"],
            bounds_us=[KOLKATA, KOLKATA + DAY],
        ),
        source=Source.POINTS,
        cost=Cost.HEAVY,
    ),
    Case(
        name="two labels, ends anywhere",
        query=sums(7 * MINUTE, LATE, filters=ABC, group_by=["origin"]),
        source=Source.COMPACTED,
        edges=[(7 * MINUTE, DAY, 0), LAST_EDGE],
        cost=Cost.HEAVY,
    ),
    Case(
        name="two labels by day",
        query=sums(0, 2 * DAY, filters=ABC, group_by=["origin"], bounds_us=[0, DAY, 2 * DAY]),
        source=Source.POINTS,
        cost=Cost.HEAVY,
    ),
    Case(
        name="a label within one day",
        query=sums(HOUR, 2 * HOUR, filters=ABC),
        source=Source.POINTS,
        cost=Cost.HEAVY,
    ),
    Case(
        name="a filter by session",
        query=sums(0, 3 * DAY, filters=[("session_id", "s")]),
        source=Source.POINTS,
        cost=Cost.HEAVY,
    ),
    Case(
        name="grouped by session and a label",
        query=sums(0, 3 * DAY, group_by=["session_id", "origin"]),
        source=Source.POINTS,
        cost=Cost.HEAVY,
    ),
    Case(
        name="timeseries of a counter, whole hours",
        query=series("calls", 0, 7 * DAY, HOUR),
        source=Source.INTERVALS,
        cost=Cost.ON_LOOP,
    ),
    Case(
        name="timeseries of a gauge until now",
        query=series("queue", 3 * DAY - HOUR, LATE, HOUR),
        view=with_points(day(3)),
        source=Source.INTERVALS,
        edges=[(3 * DAY, LATE, 1)],
        cost=Cost.ON_LOOP,
    ),
    Case(
        name="timeseries of a counter from anywhere: every bucket has edges",
        query=series("calls", 7 * MINUTE, 2 * HOUR + 7 * MINUTE, HOUR),
        view=with_points(day(0)),
        source=Source.INTERVALS,
        edges=[
            FIRST_EDGE,
            (HOUR, HOUR + 7 * MINUTE, 0),
            (HOUR + 7 * MINUTE, HOUR + 15 * MINUTE, 1),
            (2 * HOUR, 2 * HOUR + 7 * MINUTE, 1),
        ],
        cost=Cost.ON_LOOP,
    ),
    Case(
        name="timeseries in steps of less than an interval",
        query=series("calls", 0, 20 * MINUTE, 5 * MINUTE),
        view=with_points(day(0)),
        source=Source.INTERVALS,
        edges=[
            (0, 5 * MINUTE, 0),
            (5 * MINUTE, 10 * MINUTE, 1),
            (10 * MINUTE, 15 * MINUTE, 2),
            (15 * MINUTE, 20 * MINUTE, 3),
        ],
        cost=Cost.ON_LOOP,
    ),
    Case(
        name="timeseries of a counter from anywhere, more days than a quick query reads",
        query=series("calls", 6 * MINUTE, 3 * DAY + 6 * MINUTE, 3 * DAY // 2 + 3 * MINUTE),
        view=with_points(day(0), day(1), day(3)),
        source=Source.INTERVALS,
        edges=[
            (6 * MINUTE, 15 * MINUTE, 0),
            (DAY + 12 * HOUR, DAY + 12 * HOUR + 9 * MINUTE, 0),
            (DAY + 12 * HOUR + 9 * MINUTE, DAY + 12 * HOUR + 15 * MINUTE, 1),
            (3 * DAY, 3 * DAY + 6 * MINUTE, 1),
        ],
        cost=Cost.HEAVY,
    ),
    Case(
        name="timeseries of a counter from anywhere, its days decoded",
        query=series("calls", 6 * MINUTE, 3 * DAY + 6 * MINUTE, 3 * DAY // 2 + 3 * MINUTE),
        view=with_points(Unit(CODES["calls"], 0, DAYS_PER_UNIT)),
        source=Source.INTERVALS,
        edges=[
            (6 * MINUTE, 15 * MINUTE, 0),
            (DAY + 12 * HOUR, DAY + 12 * HOUR + 9 * MINUTE, 0),
            (DAY + 12 * HOUR + 9 * MINUTE, DAY + 12 * HOUR + 15 * MINUTE, 1),
            (3 * DAY, 3 * DAY + 6 * MINUTE, 1),
        ],
        cost=Cost.ON_LOOP,
    ),
    Case(
        name="timeseries of a histogram",
        query=series("latency", 0, 7 * DAY, HOUR),
        source=Source.POINTS,
        cost=Cost.HEAVY,
    ),
    Case(
        name="timeseries with a filter",
        query=series("calls", 0, 7 * DAY, HOUR, *ABC),
        source=Source.POINTS,
        cost=Cost.HEAVY,
    ),
    Case(
        name="timeseries of a metric that was never recorded",
        query=series("unknown", 0, LATE, HOUR),
        source=Source.NOTHING,
        cost=Cost.ON_LOOP,
    ),
    Case(
        name="timeseries of a metric that may be a histogram that was recorded just now",
        query=series("unknown", 0, DAY, HOUR),
        view=STALE,
        source=Source.POINTS,
        cost=Cost.HEAVY,
    ),
    Case(
        name="names",
        query=NamesQuery(agent_id="agent"),
        source=Source.LABEL_INDEX,
        cost=Cost.ON_LOOP,
    ),
    Case(
        name="tags after a recording",
        query=TagsQuery(metric_name=None, agent_id=None, limit=10),
        view=STALE,
        source=Source.LABEL_INDEX,
        cost=Cost.QUICK,
    ),
    Case(
        name="a small session",
        query=SessionQuery(session_id="s", stored_bytes=2_700),
        source=Source.SESSION,
        cost=Cost.ON_LOOP,
    ),
    Case(
        name="a large session",
        query=SessionQuery(session_id="s", stored_bytes=2_709),
        source=Source.SESSION,
        cost=Cost.QUICK,
    ),
    Case(
        name="a session that may have to be read from a disk",
        query=SessionQuery(session_id="s", stored_bytes=None),
        source=Source.SESSION,
        cost=Cost.QUICK,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_plan_of_each_case(case: Case) -> None:
    planned = plan(case.query, case.view)
    assert planned.source is case.source
    assert planned.edges == [Edge(*edge) for edge in case.edges]
    assert planned.cost is case.cost


def test_a_plan_holds_until_a_metric_is_deleted() -> None:
    planned = plan(sums(0, DAY), STALE)
    assert planned.holds_for(WARM)
    later = State(version=9, metrics=3, deletions=3)
    deleted = View(
        organization_id=1,
        state=later,
        metrics=WARM.metrics,
        labels=WARM.labels,
        head=WARM.head,
    )
    assert not planned.holds_for(deleted)
