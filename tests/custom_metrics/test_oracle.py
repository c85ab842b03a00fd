"""The oracle and the rules of the server, written down twice, agree; groups add up to totals."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.custom_metrics import oracle as oracles
from tests.custom_metrics import oracle_ranges
from tests.custom_metrics.oracle import Oracle
from tests.custom_metrics.strategies import (
    METRICS,
    SCENES,
    ZONES,
    Point,
    Query,
    bounds,
    groupings,
    points,
    recordings_with_queries,
    sums_queries,
)

from vumeter_server.custom_metrics.labels import parse_group_by, parse_metric_names, parse_tags
from vumeter_server.numbers import json_number, json_numbers, text_number
from vumeter_server.times.ranges import day_bounds, parse_range
from vumeter_server.times.steps import read_step
from vumeter_server.times.zones import find_zone


@given(st.data())
@settings(deadline=None)
def test_ranges_and_days_agree(data: st.DataObject) -> None:
    scene = data.draw(st.sampled_from(SCENES))
    zone = data.draw(st.sampled_from(ZONES))
    start, end = data.draw(bounds(scene, zone))
    params = {"startDate": start, "endDate": end, "timezone": zone}
    time_range = parse_range(start, end, zone)
    assert (time_range.start_us, time_range.end_us) == oracle_ranges.read_range(params)
    assert day_bounds(time_range, find_zone(zone)) == oracle_ranges.days(
        time_range.start_us, time_range.end_us, zone
    )


@given(st.data())
@settings(deadline=None)
def test_parameters_agree(data: st.DataObject) -> None:
    _, query = data.draw(sums_queries(data.draw(st.sampled_from(SCENES))))
    names, group_by = query.get("metricNames"), query.get("groupBy")
    assert list(parse_metric_names(names)) == oracle_ranges.read_list(names)
    assert list(parse_group_by(group_by)) == oracle_ranges.read_list(group_by)
    assert parse_tags(query.get("tags")) == oracle_ranges.read_tags(query.get("tags"))


@given(st.fractions(-(10**12), 10**12, max_denominator=10**6))
def test_numbers_agree(value: Fraction) -> None:
    nearest = float(value)
    printed = json.loads(orjson.dumps(json_number(nearest)))
    assert repr(printed) == repr(oracles.number(value))
    assert orjson.dumps(json_numbers(np.array([nearest]))[0]) == orjson.dumps(json_number(nearest))
    assert text_number(nearest) == oracles.text(value)


def test_steps_agree() -> None:
    for step in ("5m", "15m", "1h", "1h7m30s", "1d", "2w", "250ms"):
        assert read_step(step) == oracle_ranges.read_step(step)


@given(recordings_with_queries())
@settings(deadline=None)
def test_every_question_that_can_be_chosen_has_an_answer(
    chosen: tuple[list[list[Point]], list[Query]],
) -> None:
    batches, questions = chosen
    oracle = Oracle()
    for batch in batches:
        oracle.record(batch, 0)
    assert all(oracle.types[name] == METRICS[name] for name in oracle.types)
    for path, params in questions:
        assert json.loads(json.dumps(oracle.ask(path, params))).keys() == {"data"}


@given(st.data())
@settings(deadline=None)
def test_groups_and_days_add_up_to_the_total(data: st.DataObject) -> None:
    scene = data.draw(st.sampled_from(SCENES))
    oracle = Oracle()
    oracle.record(data.draw(st.lists(points(scene), max_size=20)), 0)
    zone = data.draw(st.sampled_from(ZONES))
    start, end = data.draw(bounds(scene, zone))
    params = {"startDate": start, "endDate": end, "timezone": zone}
    total = oracle.aggregate(params)["data"]
    grouped = {**params, "groupBy": data.draw(groupings())}
    for rows in (
        oracle.aggregate(grouped)["data"],
        oracle.daily(params)["data"],
        oracle.daily({**params, "fill": "zero"})["data"],
        oracle.daily(grouped)["data"],
    ):
        assert {name: sum(row["metrics"][name] for row in rows) for name in total} == total
