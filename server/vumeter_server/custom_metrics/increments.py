"""From cumulative values to increments, exactly once, whatever restarts, repeats or comes late.

A series is identified by its exporter, its labels and the time at which it started: a process that
starts again, or a second one of the same identity, is another series. What holds then:

| a point | counts |
| --- | --- |
| the first of a series that started after `oldest_ns` and before the point | in full |
| the first of another one: its start is not known, is its time, or is older | 0 |
| later than the last, and not less | the difference |
| not later than the last: a repeat, or late | 0 |
| later than the last, but less, the start known | 0 |
| the same, the start not known: the process started again | in full |

A series of which more than 20 starts are kept at a time is treated as if its start were not known.
The sum of the increments is never above what was counted; see tests/custom_metrics/test_increments.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final

from vumeter_server.custom_metrics.given_distributions import (
    NO_BUCKETS,
    ExponentialBuckets,
    GivenDistribution,
    at_scale,
)

MAX_STARTS: Final = 20
START_UNKNOWN: Final = 0
_FORGOTTEN_EVERY_NS: Final = 3_600 * 10**9


class Note(Enum):
    """What is worth counting about how an increment was found."""

    BASELINE = auto()
    """The first value of a series whose start is not known counts 0."""
    LATE = auto()
    """A repeat, or a point that came after a later one."""
    RESET_GUESSED = auto()
    """A value fell."""


@dataclass(slots=True)
class Last:
    """The last value of a series since one start."""

    time_ns: int
    value: float = 0.0
    histogram: GivenDistribution | None = None


@dataclass(slots=True)
class SeriesStates:
    """The series of one metric and exporter: the last value of each, by start.

    `lasts` is by series, then by start in nanoseconds.
    """

    lasts: dict[bytes, dict[int, Last]] = field(default_factory=dict)
    _forgotten_before_ns: int = 0

    def __len__(self) -> int:
        return sum(map(len, self.lasts.values()))

    def forget(self, before_ns: int) -> None:
        """Forget what had no point since `before_ns`; some of it up to an hour later."""
        if before_ns < self._forgotten_before_ns + _FORGOTTEN_EVERY_NS:
            return
        self._forgotten_before_ns = before_ns
        for series, starts in list(self.lasts.items()):
            for start_ns in [each for each, last in starts.items() if last.time_ns < before_ns]:
                del starts[start_ns]
            if not starts:
                del self.lasts[series]

    def last_of(self, series: bytes, start_ns: int) -> tuple[dict[int, Last], int]:
        """Return the starts of a series, and the start under which a point is kept."""
        starts = self.lasts.setdefault(series, {})
        if start_ns not in starts and len(starts) >= MAX_STARTS:
            start_ns = START_UNKNOWN
        return starts, start_ns


def increment(
    states: SeriesStates,
    series: bytes,
    start_ns: int,
    time_ns: int,
    value: float,
    *,
    oldest_ns: int,
) -> tuple[float, Note | None]:
    """Return what a cumulative value adds, and keep it as the last one."""
    starts, key_ns = states.last_of(series, start_ns)
    last = starts.get(key_ns)
    if last is None:
        starts[key_ns] = Last(time_ns, value)
        if _counts_in_full(key_ns, time_ns, oldest_ns):
            return value, None
        return 0.0, Note.BASELINE
    if time_ns <= last.time_ns:
        return 0.0, Note.LATE
    before = last.value
    last.time_ns, last.value = time_ns, value
    if value >= before:
        return value - before, None
    return (value if key_ns == START_UNKNOWN else 0.0), Note.RESET_GUESSED


def increments(
    states: SeriesStates, points: Iterable[tuple[bytes, int, int, float]], *, oldest_ns: int
) -> tuple[list[float], Counter[Note]]:
    """Return what each point adds, as `increment` does; points are series, start, time, value."""
    found: list[float] = []
    notes: Counter[Note] = Counter()
    lasts = states.lasts
    for series, start_ns, time_ns, value in points:
        starts = lasts.get(series)
        last = None if starts is None else starts.get(start_ns)
        if last is not None and time_ns > last.time_ns and value >= last.value:
            # Nearly all are of a series that is known, and later.
            found.append(value - last.value)
            last.time_ns, last.value = time_ns, value
            continue
        added, note = increment(states, series, start_ns, time_ns, value, oldest_ns=oldest_ns)
        found.append(added)
        if note is not None:
            notes[note] += 1
    return found, notes


def running_sum(states: SeriesStates, series: bytes, time_ns: int, change: float) -> float:
    """Return the state of a gauge of which a change was sent."""
    starts, _ = states.last_of(series, START_UNKNOWN)
    last = starts.setdefault(START_UNKNOWN, Last(time_ns))
    last.time_ns, last.value = max(time_ns, last.time_ns), last.value + change
    return last.value


def histogram_increment(
    states: SeriesStates,
    series: bytes,
    start_ns: int,
    time_ns: int,
    histogram: GivenDistribution,
    *,
    oldest_ns: int,
) -> tuple[GivenDistribution | None, Note | None]:
    """Return what a cumulative histogram adds, None for nothing, and keep it as the last one."""
    starts, key_ns = states.last_of(series, start_ns)
    last = starts.get(key_ns)
    if last is None or last.histogram is None:
        starts[key_ns] = Last(time_ns, histogram=histogram)
        if _counts_in_full(key_ns, time_ns, oldest_ns):
            return _not_empty(histogram), None
        return None, Note.BASELINE
    if time_ns <= last.time_ns:
        return None, Note.LATE
    before = last.histogram
    last.time_ns, last.histogram = time_ns, histogram
    added = difference(before, histogram)
    if added is not None:
        return _not_empty(added), None
    if key_ns == START_UNKNOWN:
        return _not_empty(histogram), Note.RESET_GUESSED
    return None, Note.RESET_GUESSED


def _counts_in_full(start_ns: int, time_ns: int, oldest_ns: int) -> bool:
    return start_ns != START_UNKNOWN and oldest_ns <= start_ns < time_ns


def _not_empty(histogram: GivenDistribution) -> GivenDistribution | None:
    return histogram if histogram.count > 0 else None


def difference(before: GivenDistribution, after: GivenDistribution) -> GivenDistribution | None:
    """Return what came to a histogram; None if something of it became less or its buckets changed.

    The smallest and greatest values are of the whole life of a series: what came has one only if it
    changed. Of exponential buckets the finer ones are merged first.
    """
    if (before.scale is None) != (after.scale is None) or before.bounds != after.bounds:
        return None
    count = after.count - before.count
    minimum = after.min if before.min is None or after.min != before.min else None
    maximum = after.max if before.max is None or after.max != before.max else None
    if count < 0:
        return None
    if after.scale is None or before.scale is None:
        counts = _less(after.counts, before.counts)
        if counts is None:
            return None
        return replace(
            after, count=count, sum=after.sum - before.sum, min=minimum, max=maximum, counts=counts
        )
    scale = min(before.scale, after.scale)
    before, after = at_scale(before, scale), at_scale(after, scale)
    positive = _buckets_less(after.positive, before.positive)
    negative = _buckets_less(after.negative, before.negative)
    zero_count = after.zero_count - before.zero_count
    if positive is None or negative is None or zero_count < 0:
        return None
    return replace(
        after,
        count=count,
        sum=after.sum - before.sum,
        min=minimum,
        max=maximum,
        zero_count=zero_count,
        positive=positive,
        negative=negative,
    )


def _less(after: tuple[int, ...], before: tuple[int, ...]) -> tuple[int, ...] | None:
    if len(after) != len(before):
        return None
    counts = tuple(map(operator.sub, after, before))
    return None if min(counts, default=0) < 0 else counts


def _buckets_less(
    after: ExponentialBuckets, before: ExponentialBuckets
) -> ExponentialBuckets | None:
    counts = dict(enumerate(after.counts, after.offset))
    for index, count in enumerate(before.counts, before.offset):
        if count:
            counts[index] = counts.get(index, 0) - count
            if counts[index] < 0:
                return None
    used = [index for index, count in counts.items() if count]
    if not used:
        return NO_BUCKETS
    first, last = min(used), max(used)
    return ExponentialBuckets(first, tuple(counts.get(i, 0) for i in range(first, last + 1)))
