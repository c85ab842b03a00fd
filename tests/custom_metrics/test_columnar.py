"""Points given as columns are the points given one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.custom_metrics.points import NOW_US, Point, columns_of, opened

from vumeter_server.custom_metrics.columnar import UncheckedColumns, validate_columns
from vumeter_server.custom_metrics.label_sets import KnownLabelSets
from vumeter_server.custom_metrics.validation import UncheckedPoints, validate
from vumeter_server.errors import InvalidArgument

NAMES = ("booking_attempt", "queue_length", "e2e_latency_ms")
TYPES = (1, 2, 3)
# Agent, environment and tags, as an API has them.
LABELS: tuple[tuple[Any, ...], ...] = (
    ("", ""),
    ("agent_xyz", "", ("company_id", "abc")),
    ("agent_xyz", "production", ("b", ""), ("a", "1")),
    ("agent_xyz", "production", ("a", "1")),
)
LABEL_SETS = KnownLabelSets[Any](lambda key: key, lambda tag: tag)
SESSIONS = ("session_1", "session_2", "session_1")
GOOD = UncheckedColumns(
    names=NAMES,
    types=TYPES,
    name_indexes=[0, 1, 2],
    values=[1.0, -2.0, 640.5],
    times_us=[NOW_US, 0, NOW_US - 1],
    label_keys=LABELS,
    label_sets=LABEL_SETS,
    label_set_indexes=[0, 1, 2],
    sessions=SESSIONS,
    session_indexes=[0, 1, 2],
)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(0, 100),
            st.integers(0, NOW_US),
            st.integers(0, 3),
            st.integers(0, 3),
        ),
        max_size=20,
    )
)
def test_a_batch_of_columns_is_the_batch_of_its_points(
    rows: list[tuple[int, int, int, int, int]],
) -> None:
    columns = UncheckedColumns(
        names=NAMES,
        types=TYPES,
        name_indexes=[row[0] for row in rows],
        values=[float(row[1]) for row in rows],
        times_us=[row[2] for row in rows],
        label_keys=LABELS,
        label_sets=LABEL_SETS,
        label_set_indexes=[row[3] for row in rows],
        sessions=SESSIONS,
        session_indexes=[row[4] for row in rows],
    )
    points = UncheckedPoints(
        names=[NAMES[row[0]] for row in rows],
        types=[TYPES[row[0]] for row in rows],
        values=[float(row[1]) for row in rows],
        timestamps=[row[2] for row in rows],
        session_ids=["" if not row[4] else SESSIONS[row[4] - 1] for row in rows],
        label_keys=[LABELS[row[3]] for row in rows],
        label_sets=LABEL_SETS,
    )
    batch, expected = validate_columns(columns, NOW_US), validate(points, NOW_US)
    assert batch.digest() == expected.digest()
    assert opened(batch) == opened(expected)


def test_columns_that_are_left_out_are_points_without() -> None:
    left_out = replace(
        GOOD, types=(), values=(), times_us=(), label_set_indexes=(), session_indexes=()
    )
    points = columns_of([Point(name=name) for name in NAMES])
    assert validate_columns(left_out, NOW_US).digest() == validate(points, NOW_US).digest()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name_indexes": [0, 1, 3]}, "columns.name_indexes[2]"),
        ({"name_indexes": [0] * 10_001}, "columns.name_indexes"),
        ({"names": ("9", *NAMES[1:])}, "columns.names[0]"),
        ({"types": (1, 2)}, "columns.types"),
        ({"types": (1, 2, 4)}, "columns.types[2]"),
        ({"values": [1.0, 2.0]}, "columns.values"),
        ({"values": [1.0, float("nan"), 1.0]}, "columns.values[1]"),
        ({"values": [1.0, 1.0, float("inf")]}, "columns.values[2]"),
        ({"values": [-1.0, 1.0, 1.0]}, "columns.values[0]"),
        ({"values": [1.0, 2e15, 1.0]}, "columns.values[1]"),
        ({"times_us": [0, -1, 0]}, "columns.times_us[1]"),
        ({"times_us": [0, 0, NOW_US + 600_000_001]}, "columns.times_us[2]"),
        ({"label_set_indexes": [0, 4, 0]}, "columns.label_set_indexes[1]"),
        (
            {"label_keys": (LABELS[0], (*LABELS[1], ("date", "x")), *LABELS[2:])},
            "columns.label_sets[1].tags.date",
        ),
        (
            {"label_keys": (("a" * 257, ""), *LABELS[1:])},
            "columns.label_sets[0].agent_id",
        ),
        ({"sessions": ("s", "", "t")}, "columns.sessions[1]"),
        ({"session_indexes": [0, 1, 4]}, "columns.session_indexes[2]"),
    ],
)
def test_what_is_wrong_with_columns_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        validate_columns(replace(GOOD, **change), NOW_US)
    assert caught.value.violations[0].field == field
