"""What functions by group and bucket promise, before and after points are flushed."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest
from tests.conformance.custom_metrics.asking import (
    DAY_US,
    START_US,
    Cell,
    Practice,
    Row,
)
from tests.conformance.custom_metrics.factories import Subject
from tests.conformance.custom_metrics.samples import BATCHES, BOOKED, QUEUE, RANGE, TTFT

from vumeter_server.custom_metrics.aggregation import Function, Statistic
from vumeter_server.custom_metrics.matchers import Matcher, Operator
from vumeter_server.custom_metrics.questions import FunctionOfMetric, GroupedQuery
from vumeter_server.errors import InvalidArgument

Answer = dict[Row, list[Cell]]


@pytest.fixture(params=["head", "flushed", "both"])
def practice(request: pytest.FixtureRequest, subject: Subject) -> Practice:
    """Give an organization with points, in whichever state a store keeps them."""
    practice = Practice.of(subject)
    for number, batch in enumerate(BATCHES):
        practice.record(*batch)
        if request.param == "flushed" or (request.param == "both" and not number):
            subject.maintain()
    return practice


def of(
    metric: str, kind: Statistic, percent: Fraction | int = 0, *own: Matcher
) -> FunctionOfMetric:
    return FunctionOfMetric(metric_name=metric, function=Function(kind, percent), filters=own)


SUM = of(BOOKED, Statistic.SUM)


def ask(
    practice: Practice,
    *columns: FunctionOfMetric,
    by: Sequence[str] = (),
    filters: Sequence[Matcher] = (),
    bounds_us: Sequence[int] = RANGE,
    groups: Sequence[tuple[str, ...]] | None = None,
    rest: bool = False,
    max_cells: int | None = 100_000,
) -> Answer:
    query = GroupedQuery(
        bounds_us=bounds_us,
        columns=columns,
        filters=filters,
        group_by=by,
        groups=groups,
        has_rest=rest,
        max_cells=max_cells,
    )
    return practice.grouped(query)[1]


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        (of(BOOKED, Statistic.SUM), (23.25, 6)),
        (of(BOOKED, Statistic.COUNT), (6.0, 6)),
        (of(BOOKED, Statistic.MEAN), (23.25 / 6, 6)),
        (of(BOOKED, Statistic.MIN), (0.25, 6)),
        (of(BOOKED, Statistic.MAX), (8.0, 6)),
        (of(BOOKED, Statistic.LAST), (8.0, 6)),
        (of(BOOKED, Statistic.SESSIONS), (3.0, 3)),
        (of(BOOKED, Statistic.PERCENTILE, 50), (2.0, 6)),
        (of(BOOKED, Statistic.PERCENTILE, Fraction("50.0001")), (4.0, 6)),
        (of(BOOKED, Statistic.PERCENTILE, 100), (8.0, 6)),
        (of(TTFT, Statistic.PERCENTILE, Fraction(1, 1_000)), (480.0, 3)),
        (of(QUEUE, Statistic.SUM), (5.0, 3)),
        (of(QUEUE, Statistic.MIN), (-3.0, 3)),
        (of(QUEUE, Statistic.SESSIONS), (0.0, 0)),
    ],
)
def test_each_function_is_computed_of_any_type(
    practice: Practice, column: FunctionOfMetric, cell: Cell
) -> None:
    assert ask(practice, column) == {(0, ()): [cell]}


def test_of_equal_times_the_value_recorded_last_is_the_last(practice: Practice) -> None:
    assert ask(practice, of(QUEUE, Statistic.LAST)) == {(0, ()): [(-3.0, 3)]}
    before_it = [START_US, START_US + 30 * 60_000_000]
    assert ask(practice, of(QUEUE, Statistic.LAST), bounds_us=before_it) == {(0, ()): [(9.0, 1)]}


def test_a_row_has_every_column_and_a_type_that_is_known_without_points(
    practice: Practice,
) -> None:
    query = GroupedQuery(
        bounds_us=[START_US, START_US + 1],
        columns=[SUM, of(TTFT, Statistic.MAX), of("unknown", Statistic.COUNT)],
    )
    types, rows = practice.grouped(query)
    assert types == ["COUNTER", "HISTOGRAM", None]
    assert rows == {(0, ()): [(2.0, 1), (None, 0), (None, 0)]}
    assert ask(practice, of("unknown", Statistic.COUNT)) == {}


def matcher(label: str, operator: Operator, *values: str) -> Matcher:
    return Matcher(label, operator, values)


@pytest.mark.parametrize(
    ("filters", "total"),
    [
        ([matcher("company_id", Operator.EQUAL, "abc")], 2.25),
        ([matcher("company_id", Operator.EQUAL, "")], 4),
        ([matcher("company_id", Operator.EQUAL, "unknown")], None),
        ([matcher("company_id", Operator.NOT_EQUAL, "ghi")], 7.25),
        ([matcher("company_id", Operator.NOT_EQUAL, "")], 19.25),
        ([matcher("company_id", Operator.NOT_EQUAL, "unknown")], 23.25),
        ([matcher("company_id", Operator.IN, "abc", "", "unknown")], 6.25),
        ([matcher("company_id", Operator.NOT_IN, "abc", "unknown")], 21),
        ([matcher("company_id", Operator.NOT_IN, "abc", "")], 17),
        # An expression matches whole values, "" too.
        ([matcher("company_id", Operator.MATCHES, "a|.*i")], 16),
        ([matcher("company_id", Operator.MATCHES, "(abc)?")], 6.25),
        ([matcher("company_id", Operator.NOT_MATCHES, "[ad].*")], 20),
        ([matcher("agent_id", Operator.EQUAL, "agent_1")], 6),
        ([matcher("agent_id", Operator.MATCHES, "agent_.")], 14),
        ([matcher("environment_id", Operator.EQUAL, "")], 23.25),
        ([matcher("session_id", Operator.IN, "s1", "s2")], 11.25),
        ([matcher("session_id", Operator.NOT_EQUAL, "s1")], 13),
        ([matcher("session_id", Operator.NOT_MATCHES, "s.")], 4),
        ([matcher("session_id", Operator.MATCHES, "s[23]")], 9),
        ([matcher("nobody_has_it", Operator.EQUAL, "")], 23.25),
        ([matcher("nobody_has_it", Operator.NOT_EQUAL, "")], None),
        (
            [
                matcher("company_id", Operator.EQUAL, "abc"),
                matcher("session_id", Operator.EQUAL, "s1"),
                matcher("origin", Operator.NOT_EQUAL, "phone"),
            ],
            0.25,
        ),
    ],
)
def test_all_filters_must_match_be_they_of_the_query_or_of_the_column(
    practice: Practice, filters: list[Matcher], total: float | None
) -> None:
    of_query = ask(practice, SUM, filters=filters)
    assert [row[0][0] for row in of_query.values()] == ([] if total is None else [total])
    assert ask(practice, of(BOOKED, Statistic.SUM, 0, *filters)) == of_query
    assert ask(practice, of(BOOKED, Statistic.SUM, 0, *filters[1:]), filters=filters) == of_query


def test_one_metric_may_be_asked_with_several_filters_at_once(practice: Practice) -> None:
    phone = of(BOOKED, Statistic.COUNT, 0, matcher("origin", Operator.EQUAL, "phone"))
    assert ask(practice, of(BOOKED, Statistic.COUNT), phone, by=["company_id"]) == {
        (0, ("",)): [(1.0, 1), (None, 0)],
        (0, ("abc",)): [(2.0, 2), (1.0, 1)],
        (0, ("def",)): [(1.0, 1), (None, 0)],
        (0, ("ghi",)): [(2.0, 2), (None, 0)],
    }


def test_groups_are_of_labels_and_sessions(practice: Practice) -> None:
    assert ask(practice, SUM, by=["session_id", "agent_id"]) == {
        (0, ("", "agent_1")): [(4.0, 1)],
        (0, ("s1", "")): [(0.25, 1)],
        (0, ("s1", "agent_1")): [(2.0, 1)],
        (0, ("s1", "agent_2")): [(8.0, 1)],
        (0, ("s2", "")): [(1.0, 1)],
        (0, ("s3", "")): [(8.0, 1)],
    }


def test_groups_that_are_not_listed_are_left_out_or_are_the_rest(practice: Practice) -> None:
    columns = (SUM, of(BOOKED, Statistic.SESSIONS))
    listed = [("ghi",), ("unknown",)]
    of_ghi: Answer = {(0, ("ghi",)): [(16.0, 2), (2.0, 2)]}
    assert ask(practice, *columns, by=["company_id"], groups=listed) == of_ghi
    assert ask(practice, *columns, by=["company_id"], groups=listed, rest=True) == {
        **of_ghi,
        # One session of several groups counts once.
        (0, None): [(7.25, 4), (2.0, 2)],
    }
    assert ask(practice, SUM, by=["company_id"], groups=[]) == {}
    assert ask(practice, SUM, by=["company_id"], groups=[], rest=True) == {(0, None): [(23.25, 6)]}
    everyone = [("",), ("abc",), ("def",), ("ghi",)]
    found = ask(practice, SUM, by=["company_id"], groups=everyone, rest=True)
    assert sorted(found) == [(0, group) for group in everyone]


def test_a_bucket_begins_at_its_bound_and_ends_before_the_next(practice: Practice) -> None:
    minute_us = 60_000_000
    bounds = [START_US + int(minutes * minute_us) for minutes in (0, 14.5, 15, 17, 75, 76)]
    assert ask(practice, SUM, bounds_us=bounds) == {
        (0, ()): [(2.0, 1)],
        (1, ()): [(0.25, 1)],
        (2, ()): [(5.0, 2)],
        (4, ()): [(8.0, 1)],
    }
    later = [each + 1 for each in bounds]
    assert ask(practice, SUM, bounds_us=later) == {
        (0, ()): [(0.25, 1)],
        (1, ()): [(1.0, 1)],
        (2, ()): [(4.0, 1)],
        (3, ()): [(8.0, 1)],
        (4, ()): [(8.0, 1)],
    }


def test_buckets_may_cover_days_without_a_point(practice: Practice) -> None:
    bounds = [START_US + days * DAY_US for days in (-3, -2, -1, 0, 1, 2)]
    assert ask(practice, SUM, bounds_us=bounds) == {(3, ()): [(23.25, 6)]}


def test_more_cells_than_asked_for_are_refused(practice: Practice) -> None:
    columns = (SUM, of(TTFT, Statistic.COUNT))
    found = ask(practice, *columns, by=["company_id"], max_cells=8)
    assert len(found) == 4
    with pytest.raises(InvalidArgument, match="Narrow the range or the grouping"):
        ask(practice, *columns, by=["company_id"], max_cells=7)
    assert ask(practice, *columns, by=["company_id"], max_cells=None) == found
    # What is put together in the rest is one row.
    assert len(ask(practice, *columns, by=["company_id"], groups=[], rest=True, max_cells=2)) == 1
