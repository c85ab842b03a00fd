"""Segments that are read at once have together no more than some points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import tries

from vumeter_server.custom_metrics.sqlite.formats import segment_groups
from vumeter_server.custom_metrics.sqlite.formats.segment_groups import (
    SegmentSpan,
    spans_of_days,
)
from vumeter_server.custom_metrics.sqlite.formats.segments import EVERY_PART
from vumeter_server.sqlite.library import sqlite3

MAX_POINTS = 100


@pytest.fixture(autouse=True, scope="module")
def small_segments() -> Iterator[None]:
    """Let few points be many."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(segment_groups, "MAX_POINTS", MAX_POINTS)
        yield


def spans(rows: Sequence[tuple[int, int, int]], after_part: int = -1) -> list[SegmentSpan]:
    """Return the spans of days 0 to 9 for segments of (day, number, points)."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE metric_days (organization_id, day, part, points)")
    connection.executemany("INSERT INTO metric_days VALUES (1, ?, ?, ?)", rows)
    connection.execute("INSERT INTO metric_days VALUES (2, 1, 1, 1)")
    return spans_of_days(connection, 1, 0, 10, after_part)


def test_days_of_few_points_are_read_together_and_a_day_of_many_in_parts() -> None:
    rows = [(0, 1, 40), (2, 2, 50), (3, 3, 20), (4, 4, 60), (4, 5, 60), (4, 6, 30), (5, 7, 1)]
    assert spans(rows) == [
        SegmentSpan(days=(0, 3), after_part=-1),
        SegmentSpan(days=(3, 4), after_part=-1),
        SegmentSpan(days=(4, 5), after_part=3, before_part=5),
        SegmentSpan(days=(4, 5), after_part=4, before_part=7),
        SegmentSpan(days=(5, 6), after_part=-1),
    ]
    assert spans(rows, after_part=5) == [SegmentSpan(days=(4, 6), after_part=5)]
    assert spans([]) == []


@settings(max_examples=tries(200, 5_000), deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 130)), max_size=30),
    st.integers(-1, 12),
)
def test_each_segment_is_in_one_span_and_no_span_of_several_is_large(
    segments: list[tuple[int, int]], after_part: int
) -> None:
    rows = [(day, part, points) for part, (day, points) in enumerate(segments)]
    found = spans(rows, after_part)
    read = []
    for span in found:
        of_span = [
            (day, part, points)
            for day, part, points in rows
            if span.days[0] <= day < span.days[1] and span.after_part < part < span.before_part
        ]
        assert len(of_span) == 1 or sum(points for *_, points in of_span) <= MAX_POINTS
        read += of_span
    assert sorted(read) == sorted(row for row in rows if row[1] > after_part)
    assert all(span.before_part <= EVERY_PART for span in found)
