"""Which sources of a query are answered from what: a table of cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from vumeter_server.custom_metrics.aggregation import Function, Statistic
from vumeter_server.custom_metrics.matchers import Matcher, Operator
from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.questions import FunctionOfMetric, GroupedQuery
from vumeter_server.custom_metrics.sqlite.cache.head import NO_POINTS
from vumeter_server.custom_metrics.sqlite.cache.label_tables import Labels
from vumeter_server.custom_metrics.sqlite.cache.view import Metrics, View
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import State
from vumeter_server.custom_metrics.sqlite.query.grouped_plan import plan_grouped
from vumeter_server.custom_metrics.sqlite.query.plan import MAX_EDGE_DAYS, Source

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
# Days as they begin in Asia/Kolkata (UTC+5:30), where no day of UTC is a whole one.
KOLKATA = [day * DAY + 18 * HOUR + 30 * MINUTE for day in range(15)]
DAYS = [day * DAY for day in range(15)]
VIEW = View(
    organization_id=1,
    state=State(version=7, metrics=1, deletions=0),
    metrics=Metrics(codes={"calls": 0}, names={0: "calls"}, types={0: MetricType.COUNTER}),
    labels=Labels(),
    head=NO_POINTS,
)


def of(*kinds: Statistic, metric: str = "calls", filters: str = "") -> list[FunctionOfMetric]:
    """Return columns of one metric, with a filter on each of some labels."""
    matchers = [Matcher(label, Operator.MATCHES, ("a.*",)) for label in filters.split()]
    return [
        FunctionOfMetric(
            metric_name=metric,
            function=Function(kind, 95 if kind is Statistic.PERCENTILE else 0),
            filters=matchers,
        )
        for kind in kinds
    ]


SUM = of(Statistic.SUM)
OF_SUMS = of(Statistic.SUM, Statistic.COUNT, Statistic.MEAN)
EXTREMES = of(Statistic.MIN, Statistic.MAX)


@dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    bounds_us: Sequence[int] = (0, 14 * DAY)
    columns: Sequence[FunctionOfMetric] = tuple(SUM)
    by: Sequence[str] = ()
    filters: str = ""
    sources: Sequence[Source]
    edges: Sequence[tuple[int, int]] = ()


CASES = [
    Case(
        name="sum, count and mean by no label",
        columns=OF_SUMS,
        sources=[Source.INTERVALS],
    ),
    Case(
        name="min and max by no label, by the hour",
        bounds_us=[hour * HOUR for hour in range(25)],
        columns=EXTREMES,
        sources=[Source.INTERVALS],
    ),
    Case(
        name="everything that rollups have, in days of another zone",
        bounds_us=KOLKATA,
        columns=[*OF_SUMS, *EXTREMES],
        sources=[Source.INTERVALS],
    ),
    Case(
        name="buckets that cut intervals on a few days",
        bounds_us=[minute * 7 * MINUTE for minute in range(1_000)],
        sources=[Source.INTERVALS],
    ),
    Case(
        name="buckets that cut intervals on many days",
        bounds_us=[day * DAY + MINUTE for day in range(MAX_EDGE_DAYS + 2)],
        sources=[Source.POINTS],
    ),
    Case(name="grouped by one label", by=["company_id"], sources=[Source.LABEL_ROLLUPS]),
    Case(
        name="min and max by day, grouped by one label",
        bounds_us=DAYS,
        columns=[*OF_SUMS, *EXTREMES],
        by=["company_id"],
        sources=[Source.LABEL_ROLLUPS],
    ),
    Case(
        name="filtered and grouped by the same label",
        by=["company_id"],
        filters="company_id",
        columns=of(Statistic.SUM, filters="company_id company_id"),
        sources=[Source.LABEL_ROLLUPS],
    ),
    Case(
        name="by one label, the ends within days",
        bounds_us=[HOUR, 3 * DAY, 6 * DAY + HOUR],
        by=["agent_id"],
        sources=[Source.LABEL_ROLLUPS],
        edges=[(HOUR, DAY), (6 * DAY, 6 * DAY + HOUR)],
    ),
    Case(
        name="by one label, a bound between whole days",
        bounds_us=[0, 3 * DAY + HOUR, 6 * DAY],
        by=["agent_id"],
        sources=[Source.LABEL_ROLLUPS],
        edges=[(3 * DAY, 4 * DAY)],
    ),
    Case(
        name="by one label, in days of another zone",
        bounds_us=KOLKATA,
        by=["company_id"],
        sources=[Source.POINTS],
    ),
    Case(
        name="by one label, by the hour",
        bounds_us=[hour * HOUR for hour in range(25)],
        by=["company_id"],
        sources=[Source.POINTS],
    ),
    Case(
        name="by two labels over a long time",
        by=["company_id", "agent_id"],
        columns=[*OF_SUMS, *EXTREMES],
        sources=[Source.COMPACTED],
    ),
    Case(
        name="filtered by one label and grouped by another over a long time",
        bounds_us=[HOUR, 14 * DAY],
        filters="origin",
        by=["company_id"],
        sources=[Source.COMPACTED],
        edges=[(HOUR, DAY)],
    ),
    Case(
        name="by two labels, by the day",
        bounds_us=DAYS,
        by=["company_id", "agent_id"],
        sources=[Source.POINTS],
    ),
    Case(name="by the session", by=["session_id"], sources=[Source.POINTS]),
    Case(name="filtered by the session", filters="session_id company_id", sources=[Source.POINTS]),
    *(
        Case(
            name=f"{kind.name.lower()}, which rollups do not have",
            columns=of(kind),
            sources=[Source.POINTS],
        )
        for kind in (Statistic.PERCENTILE, Statistic.LAST, Statistic.SESSIONS)
    ),
    Case(
        name="a sum beside a percentile of the same points, which are read anyway",
        columns=of(Statistic.SUM, Statistic.PERCENTILE),
        sources=[Source.POINTS],
    ),
    Case(
        name="sources of one query, each from what suits it",
        columns=[
            *SUM,
            *of(Statistic.PERCENTILE, filters="origin"),
            *of(Statistic.MAX, filters="company_id"),
            *of(Statistic.COUNT, filters="company_id origin"),
            *of(Statistic.SUM, metric="unknown"),
        ],
        sources=[
            Source.INTERVALS,
            Source.POINTS,
            Source.LABEL_ROLLUPS,
            Source.COMPACTED,
            Source.NOTHING,
        ],
    ),
    Case(
        name="a percentile of a metric that there is not",
        columns=of(Statistic.PERCENTILE, metric="unknown"),
        sources=[Source.NOTHING],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_plan(case: Case) -> None:
    query = GroupedQuery(
        bounds_us=case.bounds_us,
        columns=case.columns,
        filters=[Matcher(label, Operator.EQUAL, ("a",)) for label in case.filters.split()],
        group_by=case.by,
    )
    plans = plan_grouped(query, VIEW)
    assert [each.source for each in plans] == case.sources
    assert [(edge.start_us, edge.end_us) for edge in plans[0].edges] == list(case.edges)
    # Each column is answered from one source.
    assert sorted(index for each in plans for index in each.columns) == list(
        range(len(case.columns))
    )


def test_every_source_has_a_case() -> None:
    of_other_queries = {Source.LABEL_INDEX, Source.SESSION}
    assert {source for case in CASES for source in case.sources} == set(Source) - of_other_queries
