"""Which days of points are cached together."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vumeter_server.custom_metrics.sqlite.cache.units import DAYS_PER_UNIT, Unit, units_of

DAYS = st.integers(0, 40_000)


@given(first=DAYS)
def test_a_week_of_one_metric_is_in_one_unit(first: int) -> None:
    # A week that begins within a day ends on the eighth.
    (unit,) = units_of([7], range(first, first + 8))
    assert unit.code == 7
    assert unit.first <= first < first + 8 <= unit.end == unit.first + DAYS_PER_UNIT


@given(days=st.lists(st.integers(19_000, 19_100), min_size=3, unique=True).map(sorted))
def test_each_day_of_one_metric_is_in_one_of_its_units(days: list[int]) -> None:
    units = units_of([7], days)
    assert all(one.end <= other.first for one, other in pairwise(units))
    of_days = [[unit for unit in units if unit.first <= day < unit.end] for day in days]
    assert all(len(found) == 1 for found in of_days)
    assert units == sorted({unit for (unit,) in of_days})


def test_few_days_are_units_of_all_metrics() -> None:
    assert units_of([7], [3, 90]) == [Unit(None, 3, 4), Unit(None, 90, 91)]
    assert units_of([2, 7], [3, 4, 5]) == [Unit(None, day, day + 1) for day in (3, 4, 5)]
