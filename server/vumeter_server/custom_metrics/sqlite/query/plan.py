"""The planner: what a query is answered from, what is read for it, and where it runs.

A plan is made once per query, of the query and a view; whoever answers the query and whoever
chooses the thread read it and decide nothing again. What a query's filters and grouping are about
decides:

- no label: whole rollup intervals come from prefix sums, the edges from points;
- one label: whole days come from the rollups by label, the edges from points;
- several labels: whole days come from the compacted rollups by label set, the edges from points;
- sessions: everything comes from the points.

Every way adds up exactly the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.questions import (
    SumQuery,
    TagValuesQuery,
    TimeseriesQuery,
)
from vumeter_server.custom_metrics.sqlite.cache.ranges import Edge, Periods
from vumeter_server.custom_metrics.sqlite.cache.unit_cache import UnitSums
from vumeter_server.custom_metrics.sqlite.cache.units import Unit, units_of
from vumeter_server.custom_metrics.sqlite.cache.view import View
from vumeter_server.custom_metrics.sqlite.query.day_spans import (
    DaySpan,
    edges_of_days,
    whole_days,
)
from vumeter_server.custom_metrics.sqlite.query.sum_questions import bounds_of, codes_of, labels_of

SESSION = "session_id"
# Queries of more periods, or of more metrics times edges, are not answered on the event loop, where
# nothing else goes on meanwhile.
MAX_PERIODS_ON_LOOP = 400
MAX_SUMS_ON_LOOP = 2_000
# How many points of the head a query may go through one by one on the event loop: at the edges of
# its range they are compared as arrays, in sessions each becomes an object.
MAX_EDGE_POINTS_ON_LOOP = 4_000
MAX_SESSION_POINTS_ON_LOOP = 300
# So many points of the head are searched for a session as fast as one of it is read.
HEAD_POINTS_AT_ONCE = 1_000
# A point of a session takes at least so many bytes.
SESSION_POINT_BYTES = 9
# Sessions of which more is stored are never answered on the event loop.
MAX_SESSION_BYTES_ON_LOOP = (MAX_SESSION_POINTS_ON_LOOP + 1) * SESSION_POINT_BYTES - 1
# A query that reads more days of points than this is a heavy one.
MAX_QUICK_DAYS = 2
# With edges on more days, all points are read as well.
MAX_EDGE_DAYS = 64

Integers = npt.NDArray[np.int64]


class Source(Enum):
    """What a query is answered from."""

    NOTHING = auto()
    """It is known without looking that there is no point."""
    INTERVALS = auto()
    """Prefix sums over rollup intervals, and the points at the edges."""
    LABEL_ROLLUPS = auto()
    """Sums of whole days by one label, and the points at the edges."""
    COMPACTED = auto()
    """Sums of whole days by label set, compacted, and the points at the edges."""
    POINTS = auto()
    """All points of the range, from the segments and the head."""
    LABEL_INDEX = auto()
    """Which metric has which labels."""
    SESSION = auto()
    """The points of one session."""


class Cost(Enum):
    """What a query takes, which decides where it runs."""

    ON_LOOP = auto()
    """Some arithmetic on arrays in memory: less than handing it to a thread. It is answered on the
    event loop."""
    QUICK = auto()
    """A few rows are read, or there is some more arithmetic: the pool of quick queries."""
    HEAVY = auto()
    """Points are read, maybe many: the pool of heavy queries."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NamesQuery:
    """Asks for the names of metrics."""

    agent_id: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TagsQuery:
    """Asks for the labels of users, with up to `limit` values each."""

    metric_name: str | None
    agent_id: str | None
    limit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionQuery:
    """Asks for what one session recorded.

    `stored_bytes` is what its flushed points take; None if looking may have to wait for a disk.
    """

    session_id: str
    stored_bytes: int | None


Query = SumQuery | TimeseriesQuery | NamesQuery | TagsQuery | TagValuesQuery | SessionQuery


# One is made per query. It is not frozen, since that would make it three times as slow to make.
@dataclass(kw_only=True, slots=True, eq=False)
class Plan:
    """How a query is answered; never changed.

    Attributes:
        periods: the periods over rollup intervals, if the source is INTERVALS.
        found: the point sums of the days on which intervals are cut, if all were found in memory.
            They are of the view that the plan was made of, as long as that is held.
        days: the whole days, if they come from rollups.
        edges_of_days: what is outside of the whole days.
        deletions: `deletions` of the state that the plan is of. It holds for later views of as
            many deletions: until then a name goes on meaning the same metric.
    """

    source: Source
    cost: Cost
    deletions: int
    periods: Periods | None = None
    found: list[UnitSums] | None = None
    days: tuple[DaySpan, ...] = ()
    edges_of_days: tuple[Edge, ...] = ()

    @property
    def edges(self) -> list[Edge]:
        """What is read as points beside the whole intervals or days; nothing where everything is.

        In prefix sums that are exact only what is on one side of each bound is looked up.
        """
        return list(self.edges_of_days) if self.periods is None else self.periods.edges

    def holds_for(self, view: View) -> bool:
        """Whether the plan answers the query on a later view, too."""
        return view.state.deletions == self.deletions


def plan(query: Query, view: View) -> Plan:
    """Decide how to answer a query."""
    match query:
        case SumQuery():
            return _plan_sums(query, view)
        case TimeseriesQuery():
            return _plan_timeseries(query, view)
        case SessionQuery():
            return _plan_session(query, view)
        case NamesQuery() | TagsQuery():
            return _simple(Source.LABEL_INDEX, view)
        case TagValuesQuery():
            # A label may have a million values.
            return Plan(source=Source.LABEL_INDEX, cost=Cost.HEAVY, deletions=view.state.deletions)


def _simple(source: Source, view: View) -> Plan:
    """Plan what needs a current view and no more."""
    cost = Cost.ON_LOOP if view.is_current else Cost.QUICK
    return Plan(source=source, cost=cost, deletions=view.state.deletions)


def _plan_sums(query: SumQuery, view: View) -> Plan:
    selection, deletions = query.selection, view.state.deletions
    if selection.start_us >= selection.end_us:
        return _simple(Source.NOTHING, view)
    codes = codes_of(query, view)
    if view.is_current and not codes:
        return _simple(Source.NOTHING, view)
    labels = labels_of(query)
    if not labels:
        if query.bounds_us is None:
            return _plan_intervals(view, codes, Periods.one(selection.start_us, selection.end_us))
        return _plan_intervals(view, codes, Periods.between(bounds_of(query)))
    bounds_us = bounds_of(query)
    days = whole_days(bounds_us) if SESSION not in labels else ()
    source = Source.POINTS
    if days and len(labels) == 1:
        source = Source.LABEL_ROLLUPS
    elif days and len(bounds_us) == 2:
        source = Source.COMPACTED
    if source is Source.POINTS:
        return Plan(source=source, cost=Cost.HEAVY, deletions=deletions)
    return Plan(
        source=source,
        cost=Cost.HEAVY,
        deletions=deletions,
        days=days,
        edges_of_days=edges_of_days(bounds_us, days),
    )


def _plan_timeseries(query: TimeseriesQuery, view: View) -> Plan:
    selection, code = query.selection, view.metrics.codes.get(query.metric_name)
    if (view.is_current and code is None) or selection.start_us >= selection.end_us:
        return _simple(Source.NOTHING, view)
    is_summed = code is not None and query.functions.of(view.metrics.types[code]).is_of_sums
    if code is None or not is_summed or selection.filters:
        return Plan(source=Source.POINTS, cost=Cost.HEAVY, deletions=view.state.deletions)
    periods = Periods.regular(selection.start_us, selection.end_us, query.step_us)
    return _plan_intervals(view, (code,), periods)


def _plan_intervals(view: View, codes: Sequence[int], periods: Periods) -> Plan:
    days = periods.cut_days
    if len(days) > MAX_EDGE_DAYS:
        return Plan(source=Source.POINTS, cost=Cost.HEAVY, deletions=view.state.deletions)
    found: list[UnitSums] = []
    asked = set(codes)
    missing_days = _find_points(view, asked, units_of(codes, days), found) if days else 0
    return Plan(
        source=Source.INTERVALS,
        cost=_cost_of_intervals(view, asked, periods, missing_days),
        deletions=view.state.deletions,
        periods=periods,
        found=None if missing_days else found,
    )


def _find_points(view: View, asked: Set[int], units: Sequence[Unit], found: list[UnitSums]) -> int:
    """Find the point sums of some units in memory; return how many days have to be read."""
    missing_days, cached = 0, {} if view.in_memory is None else view.in_memory.points
    for unit in units:
        points = cached.get(unit)
        if points is None or not asked <= points.codes:
            missing_days += unit.end - unit.first
        else:
            points.was_used = True
            found.append(points)
    return missing_days


def _cost_of_intervals(view: View, asked: Set[int], periods: Periods, missing_days: int) -> Cost:
    if missing_days > MAX_QUICK_DAYS:
        return Cost.HEAVY
    memory = view.in_memory
    if (
        missing_days
        or memory is None
        or not asked <= memory.metrics
        or len(periods) > MAX_PERIODS_ON_LOOP
        or len(asked) * periods.cuts > MAX_SUMS_ON_LOOP
    ):
        return Cost.QUICK
    of_head = 0
    if periods.cuts and memory.head:
        of_head = sum(memory.head.get(interval, 0) for interval in periods.cut_intervals)
    return Cost.ON_LOOP if of_head <= MAX_EDGE_POINTS_ON_LOOP else Cost.QUICK


def _plan_session(query: SessionQuery, view: View) -> Plan:
    points = len(view.head) // HEAD_POINTS_AT_ONCE
    points += (query.stored_bytes or 0) // SESSION_POINT_BYTES
    is_small = query.stored_bytes is not None and points <= MAX_SESSION_POINTS_ON_LOOP
    cost = Cost.ON_LOOP if view.is_current and is_small else Cost.QUICK
    return Plan(source=Source.SESSION, cost=cost, deletions=view.state.deletions)
