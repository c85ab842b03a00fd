"""Sums that depend on nothing but the values."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vumeter_server.custom_metrics.aggregation import nearest_rank
from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.sqlite.formats.batches import POINT
from vumeter_server.custom_metrics.sqlite.formats.tables import decode_sums, encode_sums
from vumeter_server.custom_metrics.sqlite.query.aggregator import Aggregator
from vumeter_server.custom_metrics.sqlite.rollups.intervals import CELL_US, Totals, sums_by_metric

VALUES = st.one_of(
    st.integers(-(10**6), 10**6).map(float),
    st.integers(-(2**40), 2**40).map(lambda number: number / 1024),
    st.floats(-1e9, 1e9, allow_subnormal=False).map(lambda number: round(number, 4)),
)


def sums_of(values: list[float]) -> ExactSums:
    return ExactSums.of(np.zeros(len(values), np.int64), np.array(values), 1)


@given(st.lists(VALUES, max_size=40))
def test_a_sum_is_the_double_nearest_to_the_exact_one(values: list[float]) -> None:
    exact = sum(map(Fraction, values), Fraction(0))
    total = sums_of(values).totals()[0]
    assert abs(Fraction(float(total)) - exact) <= abs(exact) * Fraction(1, 2**52) + Fraction(
        1, 10**22
    )


@given(st.lists(VALUES, max_size=40), st.randoms(use_true_random=False), st.integers(0, 40))
def test_neither_order_nor_grouping_shows(values: list[float], rng: object, cut: int) -> None:
    shuffled = sorted(values, key=lambda value: hash((value, cut)))
    whole = sums_of(values).totals()[0]
    parts = ExactSums.zeros(1)
    for part in (shuffled[:cut], shuffled[cut:]):
        # As it is written and read again.
        _, read = decode_sums(encode_sums([np.zeros(1, np.int64)], sums_of(part), None), 1)
        parts.merge(np.zeros(1, np.int64), read)
    assert parts.totals()[0] == whole
    assert parts.counts[0] == len(values)


def test_what_cancels_leaves_the_small_value() -> None:
    assert sums_of([1e15, 0.1, -1e15]).totals()[0] == 0.1
    assert sums_of([1e-20]).totals()[0] == 1e-20


@given(st.lists(st.tuples(st.integers(0, 50), VALUES), min_size=1, max_size=60))
def test_few_and_many_possible_keys_give_the_same_table(points: list[tuple[int, float]]) -> None:
    tables = []
    for cells in (60, 10**12):
        keyed = Aggregator(cells)
        for start in range(0, len(points), 7):
            keys, values = zip(*points[start : start + 7], strict=True)
            keyed.add(np.array(keys, np.int64), np.array(values))
        tables.append(keyed.table(5))
    dense, sparse = tables
    assert dense.rows.tolist() == sparse.rows.tolist()
    assert dense.sums.tolist() == sparse.sums.tolist()
    assert dense.totals.tolist() == sparse.totals.tolist()
    assert dense.present.tolist() == sparse.present.tolist()


@given(
    st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1e15).map(float)), max_size=30),
    st.lists(st.integers(0, 32), min_size=2, max_size=6).map(sorted),
)
def test_totals_between_cells_are_exact_however_large_what_came_before(
    points: list[tuple[int, float]], bounds: list[int]
) -> None:
    totals = Totals()
    for start in range(0, len(points), 4):
        lot = np.zeros(len(points[start : start + 4]), POINT)
        for index, (cell, value) in enumerate(points[start : start + 4]):
            lot[index]["time_us"], lot[index]["value"] = cell * CELL_US + 5, float(int(value))
        for _, cells, sums in sums_by_metric(lot):
            totals.add(cells, sums)
    found = totals.between(np.array(bounds, np.int64))
    for index, (first, end) in enumerate(itertools.pairwise(bounds)):
        values = [int(value) for cell, value in points if first <= cell < end]
        assert found[0, index] == len(values)
        if sum(values) <= 2**53:
            assert found[1, index] == sum(values)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80), st.integers(1, 100))
def test_percentiles_are_of_nearest_rank(values: list[float], percent: int) -> None:
    expected = sorted(values)[-(-percent * len(values) // 100) - 1]
    assert nearest_rank(np.array(values), percent) == expected
