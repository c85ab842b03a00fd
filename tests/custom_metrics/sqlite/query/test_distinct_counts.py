"""Distinct numbers by cell, against Python's sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vumeter_server.custom_metrics.sqlite.query import distinct_counts
from vumeter_server.custom_metrics.sqlite.query.distinct_counts import count_distinct

SIZE = 9
# Numbers near each other are marked, others are sorted.
NUMBERS = st.one_of(st.integers(0, 30), st.integers(2**31 - 5, 2**31 + 5), st.just(2**40))
PAIRS = st.lists(st.tuples(st.integers(0, SIZE - 1), NUMBERS), max_size=60)


@given(pairs=PAIRS, in_order=st.booleans(), small=st.booleans())
def test_each_number_counts_once_per_cell(
    pairs: list[tuple[int, int]], in_order: bool, small: bool
) -> None:
    if in_order:
        pairs.sort(key=lambda pair: pair[0])
    cells = np.array([cell for cell, _ in pairs], np.uint16 if small else np.int64)
    numbers = np.array([number for _, number in pairs], np.int64)
    expected = [len({number for cell, number in pairs if cell == each}) for each in range(SIZE)]
    assert count_distinct(cells, numbers, SIZE).tolist() == expected


@pytest.mark.parametrize("few_cells", [0, 10_000])
@pytest.mark.parametrize("marks", [0, 1_000])
def test_marking_and_sorting_find_the_same(
    marks: int, few_cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distinct_counts, "MARKS_PER_NUMBER", marks)
    monkeypatch.setattr(distinct_counts, "MARKS_BESIDE", marks)
    monkeypatch.setattr(distinct_counts, "FEW_CELLS", few_cells)
    chance = np.random.default_rng(1)
    cells, numbers = chance.integers(0, SIZE, 5_000), chance.integers(0, 2_000, 5_000)
    pairs = set(zip(cells.tolist(), numbers.tolist(), strict=True))
    expected = [sum(cell == each for cell, _ in pairs) for each in range(SIZE)]
    assert count_distinct(cells, numbers, SIZE).tolist() == expected
