"""Which plan is made of a query for sums and of what is in memory: a table of cases."""

from __future__ import annotations

import pytest
from tests.custom_metrics.sqlite.query.planning import (
    ABC,
    CODES,
    DAY,
    FIRST_EDGE,
    HOUR,
    KOLKATA,
    LAST_EDGE,
    LATE,
    MINUTE,
    NEW,
    STALE,
    UNREAD,
    WARM,
    Case,
    day,
    see_that_it_is_planned,
    sums,
    with_head,
    with_points,
)

from vumeter_server.custom_metrics.sqlite.cache.view import View
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import State
from vumeter_server.custom_metrics.sqlite.query.plan import (
    Cost,
    Source,
    plan,
)

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
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_plan_of_each_case(case: Case) -> None:
    see_that_it_is_planned(case)


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
