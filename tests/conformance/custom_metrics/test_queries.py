"""What the queries promise, before and after points are flushed."""

from __future__ import annotations

from fractions import Fraction

import pytest
from tests.conformance.custom_metrics.asking import DAY_US, HOUR_US, START_US, Practice, at
from tests.conformance.custom_metrics.factories import NOON_US, Subject
from tests.custom_metrics.points import Point

from vumeter_server.custom_metrics.aggregation import MEAN, P95, SUM, Function, Functions, Statistic
from vumeter_server.errors import InvalidArgument

LATENCIES = [640.0, 710.25, 655.5, 1_920.0, 480.0]


@pytest.fixture(params=["head", "flushed", "both"])
def practice(request: pytest.FixtureRequest, subject: Subject) -> Practice:
    """Give an organization with points, in whichever state a store keeps them."""
    practice = Practice.of(subject)
    for number, batch in enumerate(BATCHES):
        practice.record(*batch)
        if request.param == "flushed" or (request.param == "both" and not number):
            subject.maintain()
    return practice


BATCHES = [
    [
        at(0, value=2, tags={"company_id": "abc", "origin": "phone"}, agent_id="agent_1"),
        at(14.5, value=0.25, tags={"company_id": "abc"}, session_id="session_1"),
        at(15, tags={"company_id": "def"}, session_id="session_1", environment_id="staging"),
        *(at(20 + n, name="ttft_ms", type="histogram", value=v) for n, v in enumerate(LATENCIES)),
        at(20, name="queue_length", type="gauge", value=4, session_id="session_1"),
        at(30, name="queue_length", type="gauge", value=-1, session_id="session_1"),
    ],
    [
        at(30, name="queue_length", value=-3, session_id="session_1"),
        at(25, name="queue_length", value=9, session_id="session_1"),
        at(75, value=8, tags={"company_id": "ghi"}, agent_id="agent_2"),
        at(76, name="ttft_ms", value=500, session_id="session_1", tags={"zone": "b"}),
    ],
]
RANGE = (START_US, START_US + 2 * HOUR_US)
BOOKED, QUEUE, TTFT = "booking_attempt", "queue_length", "ttft_ms"


def test_sums_have_a_column_per_metric_with_a_point_whatever_its_type(practice: Practice) -> None:
    total = sum(LATENCIES) + 500
    assert practice.sums(RANGE) == (
        [BOOKED, QUEUE, TTFT],
        [(0, (), [11.25, 9.0, total], 20.25 + total)],
    )
    # 15 minutes from the start, then the microsecond before.
    assert practice.sums((START_US, START_US + 900_000_000)) == (
        [BOOKED],
        [(0, (), [2.25], 2.25)],
    )
    assert practice.sums((START_US + 1, START_US + 900_000_001))[1] == [(0, (), [1.25], 1.25)]


def test_an_empty_range_has_no_rows(practice: Practice) -> None:
    assert practice.sums((START_US, START_US)) == ([], [])
    assert practice.sums((START_US - HOUR_US, START_US), metrics=[TTFT]) == ([TTFT], [])
    assert practice.timeseries(BOOKED, HOUR_US, (START_US, START_US)) == ("counter", [])


def test_metrics_asked_for_by_name_keep_their_order_and_may_be_unknown(practice: Practice) -> None:
    assert practice.sums(RANGE, metrics=[QUEUE, "unknown", BOOKED]) == (
        [QUEUE, "unknown", BOOKED],
        [(0, (), [9.0, 0.0, 11.25], 20.25)],
    )
    assert practice.sums(RANGE, metrics=["unknown"]) == (["unknown"], [])


def test_groups_are_those_with_a_point_of_a_metric_asked_for(practice: Practice) -> None:
    assert practice.sums(RANGE, metrics=[BOOKED], by=["company_id", "agent_id"])[1] == [
        (0, ("abc", ""), [0.25], 0.25),
        (0, ("abc", "agent_1"), [2.0], 2.0),
        (0, ("def", ""), [1.0], 1.0),
        (0, ("ghi", "agent_2"), [8.0], 8.0),
    ]
    assert practice.sums(RANGE, metrics=[TTFT], by=["zone"])[1] == [
        (0, ("",), [sum(LATENCIES)], sum(LATENCIES)),
        (0, ("b",), [500.0], 500.0),
    ]
    assert practice.sums(RANGE, metrics=[BOOKED], by=["session_id", "environment_id"])[1] == [
        (0, ("", ""), [10.0], 10.0),
        (0, ("session_1", ""), [0.25], 0.25),
        (0, ("session_1", "staging"), [1.0], 1.0),
    ]


def test_periods_are_numbered_and_in_order(practice: Practice) -> None:
    bounds = [START_US + minutes * 60_000_000 for minutes in (0, 15, 20, 60, 100, 120)]
    found = practice.sums(RANGE, metrics=[BOOKED, QUEUE], bounds_us=bounds)[1]
    assert found == [
        (0, (), [2.25, 0.0], 2.25),
        (1, (), [1.0, 0.0], 1.0),
        (2, (), [0.0, 9.0], 9.0),
        (3, (), [8.0, 0.0], 8.0),
    ]
    grouped = practice.sums(RANGE, metrics=[BOOKED], by=["company_id"], bounds_us=bounds)[1]
    assert [row[:3] for row in grouped] == [
        (0, ("abc",), [2.25]),
        (1, ("def",), [1.0]),
        (3, ("ghi",), [8.0]),
    ]


@pytest.mark.parametrize(
    ("filters", "total"),
    [
        ([("company_id", "abc")], 2.25),
        ([("company_id", "")], 0),
        ([("origin", "")], 9.25),
        ([("company_id", "abc"), ("origin", "")], 0.25),
        ([("company_id", "abc"), ("company_id", "def")], 0),
        ([("company_id", "unknown")], 0),
        ([("unknown", "")], 11.25),
        ([("session_id", "session_1")], 1.25),
        ([("session_id", "")], 10),
        ([("session_id", "unknown")], 0),
        ([("agent_id", "agent_2"), ("session_id", "")], 8),
        ([("environment_id", "staging"), ("session_id", "session_1")], 1),
    ],
)
def test_filters_must_all_match(
    practice: Practice, filters: list[tuple[str, str]], total: float
) -> None:
    rows = practice.sums(RANGE, metrics=[BOOKED], filters=filters)[1]
    assert rows == ([(0, (), [total], total)] if total else [])
    found = practice.timeseries(BOOKED, DAY_US, RANGE, filters=filters)[1]
    assert sum(value for _, value, _ in found) == total


def test_a_bucket_has_what_the_type_of_the_metric_asks_for(practice: Practice) -> None:
    assert practice.timeseries(BOOKED, HOUR_US, RANGE) == (
        "counter",
        [(0, 3.25, 3), (1, 8.0, 1)],
    )
    assert practice.timeseries(QUEUE, HOUR_US, RANGE) == ("gauge", [(0, 9 / 4, 4)])
    assert practice.timeseries(TTFT, HOUR_US, RANGE) == (
        "histogram",
        [(0, 1_920.0, 5), (1, 500.0, 1)],
    )
    # Seven minutes do not divide what a store may have summed before; the last bucket is cut.
    assert practice.timeseries(QUEUE, 7 * 60_000_000, (START_US, START_US + 30 * 60_000_000)) == (
        "gauge",
        [(2, 4.0, 1), (3, 9.0, 1)],
    )


def test_a_bucket_has_another_function_where_the_query_asks_for_it(practice: Practice) -> None:
    functions = Functions(counter=MEAN, gauge=Function(Statistic.PERCENTILE, 50), histogram=SUM)
    for metric, value, count in ((BOOKED, 3.25 / 3, 3), (QUEUE, -1.0, 4), (TTFT, 4_405.75, 5)):
        _, found = practice.timeseries(metric, HOUR_US, RANGE, functions=functions)
        assert found[0] == (0, value, count)
    everything = Functions(counter=P95, gauge=P95, histogram=Function(Statistic.PERCENTILE, 1))
    assert practice.timeseries(BOOKED, DAY_US, RANGE, functions=everything)[1] == [(0, 8.0, 4)]
    assert practice.timeseries(TTFT, DAY_US, RANGE, functions=everything)[1] == [(0, 480.0, 6)]


def test_the_type_is_told_without_points_and_is_none_for_an_unknown_metric(
    practice: Practice,
) -> None:
    nowhere = (START_US - DAY_US, START_US)
    for metric, kind in ((BOOKED, "counter"), (QUEUE, "gauge"), (TTFT, "histogram")):
        assert practice.timeseries(metric, HOUR_US, nowhere) == (kind, [])
    assert practice.timeseries("unknown", HOUR_US, RANGE) == (None, [])


def test_a_session_has_an_entry_per_metric_and_label_set(practice: Practice) -> None:
    assert practice.session("session_1") == [
        (BOOKED, "counter", {"company_id": "abc"}, START_US + 870_000_000, 0.25, 1),
        (
            BOOKED,
            "counter",
            {"company_id": "def", "environment_id": "staging"},
            START_US + 900_000_000,
            1.0,
            1,
        ),
        # Of two values at one time the one recorded last.
        (QUEUE, "gauge", {}, START_US + 1_800_000_000, -3.0, 4),
        (TTFT, "histogram", {"zone": "b"}, START_US + 76 * 60_000_000, 500.0, 1),
    ]
    assert practice.session("unknown") == []


def test_names_and_tags_are_those_of_the_metric_and_agent(practice: Practice) -> None:
    assert practice.names() == [BOOKED, QUEUE, TTFT]
    assert practice.names("agent_2") == [BOOKED]
    assert practice.names("unknown") == []
    assert practice.tags() == {
        "company_id": (["abc", "def", "ghi"], False),
        "origin": (["phone"], False),
        "zone": (["b"], False),
    }
    assert practice.tags(TTFT) == {"zone": (["b"], False)}
    assert practice.tags(BOOKED, "agent_1") == {
        "company_id": (["abc"], False),
        "origin": (["phone"], False),
    }
    assert practice.tags(TTFT, "agent_1") == practice.tags("unknown") == {}
    assert practice.tags(limit=2)["company_id"] == (["abc", "def"], True)


def test_tag_values_are_in_the_order_of_code_points_and_cut_at_the_limit(
    practice: Practice,
) -> None:
    # By code point, but not by UTF-16, the half-width letter comes before the face.
    values = ["Z", "a", "é", "ｦ", "😀", *(f"caller_{number:04}" for number in range(1_000))]
    practice.record(*(Point(tags={"caller": value}) for value in reversed(values)))
    assert practice.tags()["caller"] == (sorted(values)[:1_000], True)
    assert practice.tags(limit=1)["caller"] == (["Z"], True)


def test_sums_are_exact_but_for_one_rounding(practice: Practice) -> None:
    values = [1e15, 0.1, -1e15, 1e-9, 1 / 3, 9e14, -9e14, 2.0**-40]
    exact = sum(map(Fraction, values))
    for value in values:
        practice.record(Point(name="drift", type="gauge", value=value, session_id="drift"))
    practice.subject.maintain()
    practice.record(
        Point(name="whole", type="gauge", value=2.0**49 - 1), Point(name="whole", value=3)
    )
    names, [(_, _, [drift, whole], total)] = practice.sums(metrics=["drift", "whole"])
    assert (names, whole) == (["drift", "whole"], 2.0**49 + 2)
    assert abs(Fraction(drift) - exact) <= exact / 2**52 + Fraction(1, 10**22)
    assert abs(Fraction(total) - exact - Fraction(whole)) <= Fraction(total) / 2**52
    [(_, mean, count)] = practice.timeseries("drift", DAY_US, (NOON_US, NOON_US + DAY_US))[1]
    assert (mean, count) == (drift / len(values), len(values))


@pytest.mark.parametrize("shift_us", [0, 1])
def test_an_answer_with_too_many_periods_is_rejected(practice: Practice, shift_us: int) -> None:
    start_us = NOON_US - 40 * DAY_US + shift_us
    names = [f"m_{number}" for number in range(100)]
    each = [start_us + period * HOUR_US // 4 for period in range(1_002)]
    practice.record(*(Point(name=name, timestamp=each[0]) for name in names))
    practice.record(*(Point(name=names[0], timestamp=time_us) for time_us in each[:-1]))
    for count in (1_000, 1_001):
        between, bounds = (each[0], each[count]), each[: count + 1]
        if count == 1_000:
            assert len(practice.sums(between, metrics=names, bounds_us=bounds)[1]) == count
            continue
        for metrics in (names, None):
            with pytest.raises(InvalidArgument, match="Narrow the range or the grouping"):
                practice.sums(between, metrics=metrics, bounds_us=bounds)


def test_an_answer_with_too_many_cells_is_rejected(practice: Practice) -> None:
    names = [f"m_{number}" for number in range(100)]
    practice.record(*(Point(name=name) for name in names))
    points = [Point(name="m_0", tags={"caller": f"{number}"}) for number in range(1_000)]
    practice.record(*points[1:])
    assert len(practice.sums(metrics=names, by=["caller"])[1]) == 1_000
    practice.record(points[0])
    with pytest.raises(InvalidArgument, match="Narrow the range or the grouping"):
        practice.sums(metrics=names, by=["caller"])
