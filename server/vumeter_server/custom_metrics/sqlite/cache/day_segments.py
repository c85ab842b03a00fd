"""Decoded day segments, as prefix sums over their points: what the ends of ranges are summed from.

A range seldom ends where a rollup interval does. What is between is summed from the points of that
interval, and these lie side by side in the day's segment, by metric and time.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache

from vumeter_server.custom_metrics.exact_sums import FRACTIONS, SCALE, ExactSums
from vumeter_server.custom_metrics.sqlite.formats.columns import Array, Kind, decode
from vumeter_server.custom_metrics.sqlite.rollups.intervals import EXACT_BELOW
from vumeter_server.sqlite import check_cancelled

# What the segments of all organizations may take together.
MAX_BYTES = 64 << 20
# A day has fewer microseconds than 2^37, and metrics are numbered below 2^15.
_TIME_BITS = 37
# So many days are read with one statement.
DAYS_AT_ONCE = 8

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class DaySegment:
    """The points of some metrics on one day that are flushed; never changed.

    Attributes:
        codes: interned ids of the metrics that were read, those without a point among them.
        size_bytes: what the arrays take.
    """

    def __init__(self, codes: Collection[int], keys: Integers, values: Floats) -> None:
        """Take points in any order.

        Args:
            codes: the metrics that were read.
            keys: int64[points], see `key_of`.
            values: float64[points].
        """
        if len(keys) and not (keys[1:] >= keys[:-1]).all():
            order = np.argsort(keys, kind="stable")
            keys, values = keys[order], values[order]
        self.codes = frozenset(codes)
        self._keys = keys
        # The values in units of 1, 2^-30, ...: float64[parts, points].
        parts = _parts_of(values)
        # The sums of the points before each one, and of all: float64[parts, points + 1].
        before = np.zeros((len(parts), len(keys) + 1))
        np.cumsum(parts, axis=1, out=before[:, 1:])
        is_exact = np.abs(before[:FRACTIONS]).max(initial=0.0) < EXACT_BELOW
        self._before: Floats | None = before if is_exact else None
        # Values whose prefix sums would be rounded are kept as they are.
        self._values: Floats | None = None if is_exact else values
        kept = before if is_exact else values
        self.size_bytes = keys.nbytes + kept.nbytes

    def sums_between(
        self, codes: Integers, starts_us: Integers, ends_us: Integers
    ) -> tuple[Integers, Floats]:
        """Return counts and sums of metrics in ranges of time.

        Args:
            codes: int64[metrics].
            starts_us: int64[ranges], in microseconds since the day began.
            ends_us: int64[ranges].

        Returns:
            Counts, int64[metrics, ranges], and sums, float64[parts, metrics, ranges].
        """
        first_keys = codes[:, None] << _TIME_BITS
        starts = self._keys.searchsorted(first_keys + starts_us)
        ends = self._keys.searchsorted(first_keys + ends_us)
        counts = ends - starts
        if self._before is not None:
            return counts, self._before.take(ends, axis=1) - self._before.take(starts, axis=1)
        assert self._values is not None
        ranges = np.repeat(np.arange(counts.size), counts.reshape(-1))
        within = np.arange(len(ranges)) - np.repeat(
            np.cumsum(counts) - counts.reshape(-1), counts.reshape(-1)
        )
        values = self._values[np.repeat(starts.reshape(-1), counts.reshape(-1)) + within]
        sums = ExactSums.of(ranges, values, counts.size)
        return counts, np.stack(sums.parts).reshape(-1, *counts.shape)


def key_of(code: int, times_us: Array) -> Integers:
    """Return what points are sorted by: the metric, then microseconds since the day began."""
    keys: Integers = times_us.astype(np.int64) + (code << _TIME_BITS)
    return keys


def _parts_of(values: Floats) -> Floats:
    """Return values as rows of ExactSums' parts: one if all are whole, else up to four."""
    units = np.trunc(values)
    rows = [units]
    rest = (values - units) * SCALE
    while rest.any() and len(rows) < FRACTIONS:
        units = np.trunc(rest)
        rows.append(units)
        rest = (rest - units) * SCALE
    if rest.any():
        rows.append(rest)
    return np.stack(rows)


def read_segments(
    connection: sqlite3.Connection,
    organization_id: int,
    days: Collection[int],
    codes: Collection[int],
) -> Iterator[tuple[int, DaySegment]]:
    """Read the points of some metrics on some days: one statement for all metrics."""
    asked = sorted(days)
    for start in range(0, len(asked), DAYS_AT_ONCE):
        check_cancelled()
        chunk = asked[start : start + DAYS_AT_ONCE]
        rows = connection.execute(
            "SELECT day, metric_code, part, kind, column FROM metric_columns"
            " WHERE organization_id = ?1 AND metric_code IN (SELECT value FROM json_each(?2))"
            " AND kind IN (?3, ?4) AND day IN (SELECT value FROM json_each(?5))",
            (
                organization_id,
                json.dumps(sorted(codes)),
                int(Kind.TIME),
                int(Kind.VALUE),
                json.dumps(chunk),
            ),
        )
        columns: dict[int, dict[tuple[int, int], dict[int, Array]]] = {day: {} for day in chunk}
        for day, code, part, kind, column in rows:
            columns[day].setdefault((code, part), {})[kind] = decode(column)
        for day, by_part in columns.items():
            keys = [np.empty(0, np.int64)]
            values = [np.empty(0)]
            for (code, _), of_part in sorted(by_part.items()):
                keys.append(key_of(code, of_part[Kind.TIME]))
                values.append(of_part[Kind.VALUE].astype(np.float64))
            yield day, DaySegment(codes, np.concatenate(keys), np.concatenate(values))


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose segments some are: an organization's cache in one layout of its days."""

    cache: int
    layout: int


class DaySegments:
    """The segments of all organizations that were used last, bounded in bytes.

    Its lock is taken last and held for no more than some steps in memory.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._segments: LRUCache[tuple[Owner, int], DaySegment] = LRUCache(
            maxsize=MAX_BYTES, getsizeof=lambda segment: segment.size_bytes
        )

    def get(self, owner: Owner, day: int) -> DaySegment | None:
        """Return a segment; None if it is not cached."""
        with self._lock:
            return self._segments.get((owner, day))

    def put(self, owner: Owner, day: int, segment: DaySegment) -> None:
        """Keep a segment in the place of what there was of its day."""
        with self._lock:
            self._segments.pop((owner, day), None)
            if segment.size_bytes <= MAX_BYTES:
                self._segments[owner, day] = segment

    def drop(self, owner: Owner, days: Iterable[int]) -> None:
        """Drop the segments of days that have further points."""
        with self._lock:
            for day in days:
                self._segments.pop((owner, day), None)


class SegmentsOfView:
    """The segments that one view has found; they stay found though they are evicted meanwhile."""

    def __init__(self, segments: DaySegments, owner: Owner) -> None:
        self._segments = segments
        self._owner = owner
        self._found: dict[int, DaySegment] = {}

    def get(self, day: int) -> DaySegment | None:
        """Return the segment of a day; None if it is not cached."""
        segment = self._found.get(day)
        if segment is None:
            segment = self._segments.get(self._owner, day)
            if segment is not None:
                self._found[day] = segment
        return segment
