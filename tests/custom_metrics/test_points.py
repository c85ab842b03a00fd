"""Rules that recorded points are held to."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.custom_metrics.points import NOW_US, Point, checked, columns_of, opened

from vumeter_server.custom_metrics.validation import (
    check_idempotency_key,
    validate,
)
from vumeter_server.errors import InvalidArgument


def problems(*points: Point) -> list[str]:
    with pytest.raises(InvalidArgument) as caught:
        checked(*points)
    return [violation.sentence for violation in caught.value.violations]


def test_a_point_with_everything() -> None:
    batch = checked(
        Point(
            name="e2e_latency_ms",
            type="histogram",
            value=640,
            timestamp="2025-03-31T20:00:00.25+08:00",
            agent_id="agent_xyz",
            environment_id="production",
            session_id="session_abc123",
            tags={"origin": "phone", "company_id": "abc", "branch_id": ""},
        )
    )
    assert opened(batch) == {
        "names": ["e2e_latency_ms"],
        "types": [3],
        "values": [640.0],
        "times_us": [NOW_US - 12 * 3_600_000_000 + 250_000],
        "label_sets": [
            (
                ("agent_id", "agent_xyz"),
                ("company_id", "abc"),
                ("environment_id", "production"),
                ("origin", "phone"),
            )
        ],
        "sessions": ["session_abc123"],
    }
    assert len(batch) == 1


def test_what_is_not_given_stays_open() -> None:
    assert opened(checked(Point())) == {
        "names": ["booking_attempt"],
        "types": [0],
        "values": [None],
        "times_us": [-1],
        "label_sets": [()],
        "sessions": [None],
    }


def test_points_with_and_without_a_session_are_told_apart() -> None:
    sessions = [None, "s1", "", "s2", "s1"]
    batch = checked(*[Point(session_id=each) for each in sessions])
    assert batch.sessions == ["s1", "s2"]
    assert batch.session_indexes.tolist() == [-1, 0, -1, 1, 0]


def test_label_sets_are_told_apart_by_content_alone() -> None:
    batch = checked(
        Point(tags={"a": "1", "b": "2"}),
        Point(tags={"b": "2", "a": "1"}),
        Point(tags={"a": "1", "b": "2", "c": ""}),
        Point(tags={}),
        Point(tags={"a": ""}),
        Point(tags=None),
        Point(tags={"a": "12"}),
    )
    one, none, other = (("a", "1"), ("b", "2")), (), (("a", "12"),)
    assert opened(batch)["label_sets"] == [one, one, one, none, none, none, other]
    same = checked(*(Point(tags=dict(tags)) for tags in (one, one, one, none, none, none, other)))
    assert batch.digest() == same.digest()


def test_timestamps_may_come_as_microseconds() -> None:
    columns = replace(columns_of([Point(), Point()]), timestamps=[0, NOW_US + 600_000_000])
    assert validate(columns, NOW_US).times_us.tolist() == [0, NOW_US + 600_000_000]
    columns = replace(columns, timestamps=[-1, NOW_US + 600_000_001])
    with pytest.raises(InvalidArgument) as caught:
        validate(columns, NOW_US)
    assert [violation.sentence for violation in caught.value.violations] == [
        "points[0].timestamp must not be before 1970",
        "points[1].timestamp must be at most 10 minutes ahead of the server",
    ]


NAME = "must match [a-zA-Z_][a-zA-Z0-9_.:]* and have at most 200 characters"
TIME = "must be an RFC 3339 time with an offset, such as 2025-04-01T10:00:00Z"
LABEL = "must match [a-zA-Z_][a-zA-Z0-9_]* in at most 128 characters: it is no label name"


@pytest.mark.parametrize(
    ("point", "sentence"),
    [
        (Point(name=""), f"name {NAME}"),
        (Point(name="booking-attempt"), f"name {NAME}"),
        (Point(name="x" * 201), f"name {NAME}"),
        (Point(type=""), "type must be counter, gauge or histogram"),
        (Point(type="Counter"), "type must be counter, gauge or histogram"),
        (Point(type="summary"), "type must be counter, gauge or histogram"),
        (Point(value=float("nan")), "value must be a finite number"),
        (Point(value=float("inf")), "value must be a finite number"),
        (Point(value=float("-inf"), type="gauge"), "value must be a finite number"),
        (Point(value=1.001e15), "value must be from -1e15 to 1e15"),
        (Point(value=-1.001e15, type="gauge"), "value must be from -1e15 to 1e15"),
        (Point(value=1e300), "value must be from -1e15 to 1e15"),
        (Point(value=-1, type="counter"), "value must not be negative for a counter"),
        (Point(type="gauge"), "value must be given for a gauge"),
        (Point(type="histogram"), "value must be given for a histogram"),
        (Point(timestamp="2025-04-01T00:00:00"), f"timestamp {TIME}"),
        (Point(timestamp=""), f"timestamp {TIME}"),
        (Point(timestamp="yesterday"), f"timestamp {TIME}"),
        (Point(timestamp="1969-12-31T23:59:59.999999Z"), "timestamp must not be before 1970"),
        (
            Point(timestamp="2025-04-01T00:10:00.000001Z"),
            "timestamp must be at most 10 minutes ahead of the server",
        ),
        (Point(agent_id="a" * 257), "agent_id must be text of at most 256 characters"),
        (Point(environment_id="e" * 257), "environment_id must be text of at most 256 characters"),
        (Point(session_id="s" * 257), "session_id must be text of at most 256 characters"),
        (Point(tags={"origin": "é" * 257}), "tags.origin must be text of at most 256 characters"),
        (Point(tags={"company-id": "abc"}), f'tags["company-id"] {LABEL}'),
        (Point(tags={"": "abc"}), f'tags[""] {LABEL}'),
        (Point(tags={"x" * 129: ""}), f'tags["{"x" * 39}…"] {LABEL}'),
        (Point(tags={f"tag_{n}": "x" for n in range(33)}), "tags must hold at most 32 labels"),
    ],
)
def test_a_broken_rule_names_point_and_attribute(point: Point, sentence: str) -> None:
    assert problems(Point(), Point(), Point(), point) == [f"points[3].{sentence}"]


@pytest.mark.parametrize(
    "label",
    [
        "metric_name",
        "organization_id",
        "agent_id",
        "environment_id",
        "session_id",
        "date",
        "metrics",
    ],
)
def test_reserved_names_are_no_tags(label: str) -> None:
    assert problems(Point(tags={"origin": "phone", label: "x"})) == [
        f"points[0].tags.{label} must not be used: the name is reserved"
    ]


@pytest.mark.parametrize(
    "point",
    [
        Point(name="x" * 200),
        Point(name="gen_ai.client:latency"),
        Point(value=1e15),
        Point(value=-1e15),
        Point(value=-1),
        Point(value=0, type="counter"),
        Point(value=-12.5, type="gauge"),
        Point(timestamp="1970-01-01T00:00:00Z"),
        Point(timestamp="2025-04-01T00:10:00Z"),
        Point(agent_id="ä" * 256, environment_id="", session_id="東" * 256),
        Point(tags={"x" * 128: "y" * 256}),
        Point(tags={f"tag_{n}": "x" for n in range(32)}),
        Point(tags={f"tag_{n}": "x" if n < 32 else "" for n in range(40)}),
    ],
)
def test_the_edge_of_each_rule_is_accepted(point: Point) -> None:
    assert len(checked(point)) == 1


def test_negative_zero_is_zero() -> None:
    batch = checked(Point(value=-0.0, type="counter"))
    assert str(batch.values.tolist()) == "[0.0]"


def test_ten_violations_are_told_by_point_then_by_attribute() -> None:
    broken = Point(name="9", type="x", timestamp="x", tags={"date": "x"})
    assert (
        problems(Point(), *[broken] * 5)
        == [
            f"points[{point}].{sentence}"
            for point in (1, 2, 3)
            for sentence in (
                f"name {NAME}",
                "type must be counter, gauge or histogram",
                f"timestamp {TIME}",
                "tags.date must not be used: the name is reserved",
            )
        ][:10]
    )


def test_a_call_holds_at_most_10000_points() -> None:
    assert len(checked(*[Point()] * 10_000)) == 10_000
    assert problems(*[Point()] * 10_001) == ["points must be at most 10,000 a call"]


def test_a_call_without_points_is_an_empty_batch() -> None:
    assert len(checked()) == 0


def test_text_that_cannot_be_stored_is_refused() -> None:
    assert problems(Point(session_id="\ud800"), Point(tags={"origin": "\udfff"})) == [
        "points[0].session_id must be text of at most 256 characters",
        "points[1].tags.origin must be text of at most 256 characters",
    ]


def test_content_is_equal_after_parsing_and_before_defaults() -> None:
    points = [
        Point(timestamp="2025-03-31T00:00:00Z", tags={"a": "1", "b": "2"}, value=1),
        Point(agent_id="agent_xyz"),
    ]
    same = [
        Point(timestamp="2025-03-31T08:00:00.000+08:00", tags={"b": "2", "a": "1"}, value=1.0),
        Point(agent_id="agent_xyz", session_id="", tags={"c": ""}),
    ]
    digest = checked(*points).digest()
    assert len(digest) == 32
    assert checked(*same).digest() == digest
    columns = replace(columns_of(points), timestamps=[NOW_US - 86_400_000_000, None])
    assert validate(columns, NOW_US + 5).digest() == digest


@pytest.mark.parametrize(
    "other",
    [
        [Point()],
        [Point(), Point(), Point()],
        [Point(value=1), Point(session_id="s")],
        [Point(type="counter"), Point(session_id="s")],
        [Point(timestamp="2025-04-01T00:00:00Z"), Point(session_id="s")],
        [Point(tags={"a": "1"}), Point(session_id="s")],
        [Point(agent_id="s"), Point()],
        [Point(session_id="s"), Point()],
        [Point(name="booking"), Point(session_id="s")],
    ],
)
def test_other_content_has_another_digest(other: list[Point]) -> None:
    assert checked(*other).digest() != checked(Point(), Point(session_id="s")).digest()


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["", "1", "2", "é"])), max_size=9
    ),
    st.randoms(),
)
def test_the_order_of_tags_never_shows(tags: list[dict[str, str]], rng: random.Random) -> None:
    shuffled = [dict(rng.sample(sorted(each.items()), len(each))) for each in tags]
    batch = checked(*[Point(tags=each) for each in tags])
    other = checked(*[Point(tags=each) for each in shuffled])
    assert batch.digest() == other.digest()
    assert [dict(batch.label_sets[index]) for index in batch.label_set_indexes] == [
        {name: value for name, value in each.items() if value} for each in tags
    ]


@pytest.mark.parametrize(("key", "expected"), [(None, None), ("", None), ("k" * 128, "k" * 128)])
def test_an_empty_idempotency_key_is_none(key: str | None, expected: str | None) -> None:
    assert check_idempotency_key(key) == expected


def test_an_idempotency_key_has_at_most_128_characters() -> None:
    with pytest.raises(InvalidArgument, match=r"^idempotency_key must have at most 128 characters"):
        check_idempotency_key("k" * 129)
