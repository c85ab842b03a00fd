"""Which plan is made of timeseries, names, tags and sessions: a table of cases."""

from __future__ import annotations

import pytest
from tests.custom_metrics.sqlite.query.planning import (
    ABC,
    CODES,
    DAY,
    FIRST_EDGE,
    HOUR,
    LATE,
    MINUTE,
    STALE,
    Case,
    day,
    see_that_it_is_planned,
    series,
    with_points,
)

from vumeter_server.custom_metrics.sqlite.cache.units import DAYS_PER_UNIT, Unit
from vumeter_server.custom_metrics.sqlite.query.plan import (
    Cost,
    NamesQuery,
    SessionQuery,
    Source,
    TagsQuery,
)

CASES = [
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
    see_that_it_is_planned(case)
