"""Increments of cumulative series: never above what was counted, and equal to it at the end.

The property holds over random lives of processes: they count, export cumulative values, lose
exports, send some twice or late, end, start again, and up to three of them have the same identity.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import tries

from vumeter_server.custom_metrics.given_distributions import (
    ExponentialBuckets,
    GivenDistribution,
    at_scale,
)
from vumeter_server.custom_metrics.increments import (
    MAX_STARTS,
    Note,
    SeriesStates,
    difference,
    histogram_increment,
    increment,
    running_sum,
)
from vumeter_server.custom_metrics.sqlite.formats.series_states import (
    decode_states,
    encode_states,
)

SERIES = b"0123456789abcdef"
SECOND_NS = 1_000_000_000
START_NS = 1_795_000_000 * SECOND_NS
OLDEST_NS = START_NS - 7 * 86_400 * SECOND_NS


@dataclass
class Life:
    """A process from its start to its end: what it exported, in order."""

    start_ns: int
    exports: list[tuple[int, int]] = field(default_factory=list)

    @property
    def counted(self) -> int:
        return self.exports[-1][1]


@st.composite
def lives(draw: st.DrawFn) -> list[Life]:
    processes = []
    for process in range(draw(st.integers(1, 3))):
        now_ns = START_NS + process
        for _ in range(draw(st.integers(1, 4))):
            now_ns += draw(st.integers(1, 90)) * SECOND_NS
            life, value = Life(now_ns), 0
            for _ in range(draw(st.integers(1, 6))):
                now_ns += draw(st.integers(1, 60)) * SECOND_NS
                value += draw(st.integers(0, 9))
                life.exports.append((now_ns, value))
            processes.append(life)
    return processes


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Life], list[tuple[Life, int, int]]]:
    """Some exports are lost, but not the last of a life; some come twice, and not in order."""
    processes = draw(lives())
    sent = []
    for life in processes:
        for index, (time_ns, value) in enumerate(life.exports):
            is_last = index == len(life.exports) - 1
            if is_last or draw(st.integers(0, 3)):
                sent.append((life, time_ns, value))
                if not draw(st.integers(0, 4)):
                    sent.append((life, time_ns, value))
    sent.sort(key=lambda each: each[1])
    # What comes late comes by some places later.
    order = draw(st.randoms(use_true_random=False))
    places = [
        index + (order.randint(1, 5) if order.random() < 0.2 else 0) for index in range(len(sent))
    ]
    return processes, [
        each for _, each in sorted(zip(places, sent, strict=True), key=lambda p: p[0])
    ]


@settings(max_examples=tries(100, 3_000), deadline=None)
@given(deliveries(), st.booleans())
def test_increments_are_never_above_what_was_counted_and_equal_at_the_end(
    given: tuple[list[Life], list[tuple[Life, int, int]]], restarts: bool
) -> None:
    processes, sent = given
    states = SeriesStates()
    total = 0.0
    known: dict[int, int] = {}
    for life, time_ns, value in sent:
        added, _ = increment(states, SERIES, life.start_ns, time_ns, value, oldest_ns=OLDEST_NS)
        assert added >= 0
        total += added
        known[life.start_ns] = max(known.get(life.start_ns, 0), value)
        assert total == sum(known.values())
        if restarts:
            states = decode_states(encode_states(states))
    assert total == sum(life.counted for life in processes)


@settings(max_examples=tries(80, 3_000), deadline=None)
@given(deliveries(), st.integers(-2, 3))
def test_increments_of_histograms_add_up_bucket_by_bucket(
    given: tuple[list[Life], list[tuple[Life, int, int]]], scale: int
) -> None:
    processes, sent = given
    states = SeriesStates()
    count, total, buckets = 0, 0.0, dict[int, int]()
    for life, time_ns, value in sent:
        added, _ = histogram_increment(
            states,
            SERIES,
            life.start_ns,
            time_ns,
            histogram_of(value, scale, life.start_ns),
            oldest_ns=OLDEST_NS,
        )
        states = decode_states(encode_states(states))
        if added is None:
            continue
        count, total = count + added.count, total + added.sum
        for index, of_bucket in enumerate(added.positive.counts, added.positive.offset):
            buckets[index] = buckets.get(index, 0) + of_bucket
    assert count == sum(life.counted for life in processes)
    assert total == pytest.approx(sum(2.0 * life.counted for life in processes))
    assert sum(buckets.values()) == count


def histogram_of(count: int, scale: int, seed: int) -> GivenDistribution:
    """Return the first `count` values of a process: those of fewer are among them."""
    chosen = random.Random(seed)
    counts = [0] * 12
    for _ in range(count):
        counts[chosen.randrange(12)] += 1
    return GivenDistribution(
        count=count, sum=2.0 * count, scale=scale, positive=ExponentialBuckets(-3, tuple(counts))
    )


@pytest.mark.parametrize(
    ("start_ns", "time_ns", "expected", "note"),
    [
        (START_NS, START_NS + 1, 7.0, None),
        (START_NS, START_NS, 0.0, Note.BASELINE),
        (0, START_NS, 0.0, Note.BASELINE),
        (OLDEST_NS - 1, START_NS, 0.0, Note.BASELINE),
    ],
    ids=["known start", "start is its time", "no start", "older than states are kept"],
)
def test_the_first_value_counts_in_full_only_with_a_start_that_is_known(
    start_ns: int, time_ns: int, expected: float, note: Note | None
) -> None:
    states = SeriesStates()
    assert increment(states, SERIES, start_ns, time_ns, 7.0, oldest_ns=OLDEST_NS) == (
        expected,
        note,
    )
    assert increment(states, SERIES, start_ns, time_ns + 5, 9.0, oldest_ns=OLDEST_NS) == (2.0, None)


@pytest.mark.parametrize(("start_ns", "expected"), [(START_NS, 0.0), (0, 3.0)])
def test_a_value_that_falls_counts_in_full_only_without_a_start(
    start_ns: int, expected: float
) -> None:
    states = SeriesStates()
    increment(states, SERIES, start_ns, START_NS + 1, 10.0, oldest_ns=OLDEST_NS)
    assert increment(states, SERIES, start_ns, START_NS + 2, 3.0, oldest_ns=OLDEST_NS) == (
        expected,
        Note.RESET_GUESSED,
    )
    assert increment(states, SERIES, start_ns, START_NS + 3, 5.0, oldest_ns=OLDEST_NS) == (
        2.0,
        None,
    )


def test_a_series_keeps_no_more_than_some_starts() -> None:
    states = SeriesStates()
    for number in range(3 * MAX_STARTS):
        increment(states, SERIES, START_NS + number, START_NS + 1_000, 5.0, oldest_ns=OLDEST_NS)
    assert len(states) == MAX_STARTS + 1


def test_series_without_points_for_long_are_forgotten() -> None:
    states = SeriesStates()
    increment(states, SERIES, START_NS, START_NS + 10, 5.0, oldest_ns=OLDEST_NS)
    increment(states, b"f" * 16, START_NS, START_NS + 20, 5.0, oldest_ns=OLDEST_NS)
    states.forget(START_NS + 15)
    assert list(states.lasts) == [b"f" * 16]


def test_changes_of_a_gauge_add_up() -> None:
    states = SeriesStates()
    values = [
        running_sum(states, SERIES, START_NS + n, change) for n, change in enumerate([3, -1, 4])
    ]
    assert values == [3, 2, 6]


EXPLICIT = GivenDistribution(
    count=3, sum=30.0, min=1.0, max=20.0, bounds=(5.0, 10.0), counts=(1, 1, 1)
)


def test_what_came_to_a_histogram_has_a_minimum_only_if_it_changed() -> None:
    after = GivenDistribution(
        count=5, sum=42.0, min=1.0, max=25.0, bounds=(5.0, 10.0), counts=(2, 1, 2)
    )
    assert difference(EXPLICIT, after) == GivenDistribution(
        count=2, sum=12.0, min=None, max=25.0, bounds=(5.0, 10.0), counts=(1, 0, 1)
    )


def test_histograms_whose_bounds_changed_or_whose_counts_fell_have_no_difference() -> None:
    other = GivenDistribution(count=4, sum=31.0, bounds=(5.0, 11.0), counts=(1, 2, 1))
    fewer = GivenDistribution(count=3, sum=30.0, bounds=(5.0, 10.0), counts=(2, 0, 1))
    assert difference(EXPLICIT, other) is None
    assert difference(EXPLICIT, fewer) is None


def test_finer_buckets_are_merged_before_they_are_subtracted() -> None:
    before = GivenDistribution(count=2, sum=4.0, scale=1, positive=ExponentialBuckets(-1, (1, 1)))
    after = GivenDistribution(count=3, sum=9.0, scale=0, positive=ExponentialBuckets(-1, (1, 1, 1)))
    added = difference(before, after)
    assert added is not None
    assert (added.scale, added.count, added.sum) == (0, 1, 5.0)
    assert added.positive == ExponentialBuckets(1, (1,))


def test_merging_shifts_negative_indexes_downward() -> None:
    fine = GivenDistribution(
        count=4, sum=0.0, scale=2, positive=ExponentialBuckets(-3, (1, 1, 1, 1))
    )
    assert at_scale(fine, 1).positive == ExponentialBuckets(-2, (1, 2, 1))
    assert at_scale(fine, 0).positive == ExponentialBuckets(-1, (3, 1))


def test_a_histogram_that_has_other_buckets_than_when_it_was_empty_adds_nothing_to_them() -> None:
    before = GivenDistribution(count=0, sum=0.0, counts=(0, 0))
    after = GivenDistribution(count=1, sum=2.0, min=2.0, max=2.0)
    assert difference(before, after) is None
