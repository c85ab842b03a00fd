"""What is written of columns is what is read."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vumeter_server.custom_metrics.sqlite.cache.growing_array import GrowingArray
from vumeter_server.custom_metrics.sqlite.formats import columns
from vumeter_server.custom_metrics.sqlite.formats.batches import POINT
from vumeter_server.custom_metrics.sqlite.formats.columns import (
    Array,
    decode,
    decode_bare,
    encode,
    encode_bare,
    encode_bare_each,
)
from vumeter_server.custom_metrics.sqlite.formats.sessions import encode_sessions, read_session
from vumeter_server.custom_metrics.sqlite.formats.tables import decode_table, encode_table
from vumeter_server.custom_metrics.sqlite.ingest.interning import number_groups, numbered
from vumeter_server.sqlite.blobs import HEADER_BYTES

WHOLE = st.lists(st.integers(0, 2**40), max_size=20)
DOUBLES = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20)


@given(WHOLE)
def test_whole_numbers_are_read_as_they_were_written(numbers: list[int]) -> None:
    assert decode(encode(np.array(numbers, np.int64))).tolist() == numbers


@given(WHOLE.map(sorted))
def test_ascending_numbers_can_be_written_as_differences(numbers: list[int]) -> None:
    assert decode(encode(np.array(numbers, np.int64), ascending=True)).tolist() == numbers


@given(DOUBLES)
def test_doubles_are_read_as_they_were_written(numbers: list[float]) -> None:
    assert decode(encode(np.array(numbers))).tolist() == numbers


DECIMALS = st.builds(
    lambda number, of: number / 10.0**of, st.integers(-9, 10**9), st.integers(0, 4)
)
ANY = st.lists(st.floats() | DECIMALS, max_size=10) | st.lists(DECIMALS, max_size=60)


@given(ANY.map(np.array) | WHOLE.map(lambda numbers: np.array(numbers, np.int64)))
def test_few_numbers_are_written_as_many_are(column: Array) -> None:
    written = encode_bare(column)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(columns, "_FEW", 0)
        assert encode_bare(column) == written


@pytest.mark.parametrize(
    ("largest", "width"), [(255, 1), (256, 2), (65_535, 2), (65_536, 4), (2**32, 8)]
)
def test_numbers_take_as_little_room_as_they_can(largest: int, width: int) -> None:
    assert len(encode(np.array([0, largest], np.int64))) == HEADER_BYTES + 8 + 2 * width
    assert len(encode(np.array([0.0, largest]))) == HEADER_BYTES + 8 + 2 * width


@pytest.mark.parametrize(
    ("values", "width"),
    [
        ([640.3, 12.5, 0.0], 2),
        ([6553.5, 0.1], 2),
        ([6553.6, 0.1], 4),
        ([0.07, 1.25], 1),
        ([0.007, 20.0], 2),
        ([0.0007], 8),
        ([-0.5, 0.5], 8),
        ([0.1 + 0.2], 8),
        ([0.1, 429_496_729.6], 8),
        # What does not fit comes behind some that do.
        ([0.5] * 4 + [1 / 3], 8),
        ([0.5] * 4 + [-0.5], 8),
        ([0.5] * 4 + [429_496_729.6], 8),
        ([0.5] * 4 + [0.25], 1),
        ([7.0] * 4 + [0.5], 1),
        ([7.0] * 5, 1),
    ],
)
def test_few_decimals_take_less_room_and_stay_the_same_doubles(
    values: list[float], width: int
) -> None:
    written = encode(np.array(values))
    assert decode(written).tolist() == values
    assert len(written) == HEADER_BYTES + 8 + width * len(values)


def test_columns_and_sessions_from_before_decimals_are_read() -> None:
    assert decode(bytes([4]) + bytes(7) + np.array([640.3, -1.0]).tobytes()).tolist() == [640.3, -1]
    points = np.array([(7, 300, 5, 640.3)], "u1,<u2,<u4,<f8")
    written = bytes([0b1000]) + (1_000_000).to_bytes(8, "little") + points.tobytes()
    assert list(read_session(written)) == [(7, 300, 1_000_005, 640.3)]


@given(
    st.lists(
        st.lists(
            st.one_of(
                st.integers(0, 70_000).map(float),
                st.integers(0, 10**6).map(lambda number: number / 10),
                st.integers(0, 10**7).map(lambda number: number / 1000),
                st.floats(-1e15, 1e15),
            ),
            min_size=1,
            max_size=6,
        ),
        min_size=1,
        max_size=6,
    )
)
def test_values_of_sessions_are_read_as_they_were_written(runs: list[list[float]]) -> None:
    points = np.zeros(sum(map(len, runs)), POINT)
    points["value"] = [value for run in runs for value in run]
    starts = np.cumsum([0, *map(len, runs[:-1])])
    written = encode_sessions(points, starts)
    assert [[point[3] for point in read_session(blob)] for blob in written] == runs


def test_a_session_of_latencies_takes_two_bytes_a_value() -> None:
    points = np.zeros(3, POINT)
    points["value"] = [640.3, 812.0, 97.5]
    (written,) = encode_sessions(points, np.array([0]))
    assert len(written) == HEADER_BYTES + 9 + 3 * (1 + 2 + 4 + 2)


COLUMN = st.one_of(
    st.lists(st.integers(0, 70_000).map(float), min_size=3, max_size=3),
    st.lists(st.integers(0, 10**6).map(lambda number: number / 10), min_size=3, max_size=3),
    st.lists(st.sampled_from([0.0, 0.5, -1.0, 2.0**32, 429_496_729.6, 1 / 3, 1e300]), max_size=3),
    st.just([math.inf, -math.inf, 0.5]),
)


@given(st.lists(COLUMN, max_size=6), st.lists(WHOLE, max_size=2))
def test_a_column_of_a_table_is_written_as_it_is_alone(
    doubles: list[list[float]], whole: list[list[int]]
) -> None:
    columns = [np.array(each, np.float64) for each in doubles]
    columns += [np.array(each, np.int64) for each in whole]
    written = encode_bare_each(columns)
    assert written == [encode_bare(each) for each in columns]
    assert [decode_bare(each).tolist() for each in written] == [*doubles, *whole]


@given(st.lists(WHOLE, max_size=5))
def test_tables_of_columns_are_read_as_they_were_written(columns: list[list[int]]) -> None:
    table = encode_table([np.array(column, np.int64) for column in columns])
    assert [column.tolist() for column in decode_table(table)] == columns


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from([0, 255, 256, 29_999]),
                st.sampled_from([0, 65_535, 65_536]),
                st.integers(0, 2**50),
                st.sampled_from([0.0, 1.0, 255.0, 256.0, -1.0, 640.25]),
            ),
            min_size=1,
            max_size=5,
        ),
        min_size=1,
        max_size=6,
    )
)
def test_the_points_of_sessions_are_read_as_they_were_written(
    sessions: list[list[tuple[int, int, int, float]]],
) -> None:
    points = np.zeros(sum(map(len, sessions)), POINT)
    rows = [(row, code) for code, session in enumerate(sessions) for row in session]
    for index, ((metric, series, time_us, value), code) in enumerate(rows):
        points[index] = (metric, series, code, time_us, value)
    starts = np.cumsum([0, *map(len, sessions)])[:-1]
    blobs = encode_sessions(points, starts)
    read = [point for blob in blobs for point in read_session(blob)]
    columns = (points[name].tolist() for name in ("metric", "series", "time_us", "value"))
    assert read == list(zip(*columns, strict=True))


@given(st.lists(st.lists(st.integers(0, 99), max_size=400), max_size=8))
def test_what_was_seen_of_a_growing_array_never_changes(lots: list[list[int]]) -> None:
    growing: GrowingArray[np.int64] = GrowingArray(np.int64)
    seen = []
    everything: list[int] = []
    for lot in lots:
        growing.append(np.array(lot, np.int64))
        everything += lot
        seen.append((growing.view(), list(everything)))
    for view, expected in seen:
        assert view.tolist() == expected


@given(st.lists(st.tuples(st.integers(-1, 30), st.integers(-1, 30)), min_size=1, max_size=50))
def test_groups_number_the_combinations_of_labels(rows: list[tuple[int, int]]) -> None:
    columns = [np.array(column, np.int32) for column in zip(*rows, strict=True)]
    numbers, members = number_groups(columns, 31)
    assert [tuple(members[number]) for number in numbers.tolist()] == rows
    assert len(members) == len(set(rows))


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@given(
    st.lists(st.integers(-1, 30), min_size=1, max_size=50)
    | st.lists(st.sampled_from([-1, 0, 700_000, 700_001, 2**31 - 1]), min_size=1, max_size=50)
)
def test_numbers_are_numbered_in_their_order(dtype: type[np.integer], given: list[int]) -> None:
    numbers = np.array(given, dtype)
    found, places = numbered(numbers)
    assert found.tolist() == sorted(set(given))
    assert found[places].tolist() == given
