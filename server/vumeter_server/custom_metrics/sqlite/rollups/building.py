"""Computes rollups of points: by interval, by label and by label set."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.extremes import Extremes
from vumeter_server.custom_metrics.sqlite.formats.columns import Array
from vumeter_server.custom_metrics.sqlite.formats.tables import (
    decode_sums_and_extremes,
    encode_sums,
)
from vumeter_server.custom_metrics.sqlite.rollups.intervals import CELL_US, CELLS_A_DAY
from vumeter_server.custom_metrics.sqlite.rollups.rows import RollupRows

_METRIC_BITS = 31

Summed = tuple[Array, ExactSums, Extremes | None]
"""Keys, ascending, with the sums, minima and maxima of each; None where these are not known."""


class LabelColumns(Protocol):
    """The labels of an organization, by label set."""

    @property
    def keys(self) -> Mapping[str, int]:
        """The keys of labels that there are."""

    def column(self, key: str) -> npt.NDArray[np.int32]:
        """Return int32[label sets]: the interned label of a key, -1 where there is none."""


def add_rollups(
    rows: RollupRows,
    organization_id: int,
    labels: LabelColumns,
    day: int,
    part: int,
    *,
    metrics: Array,
    times_us: Array,
    label_sets: Array,
    values: Array,
    counts: Array | None = None,
    minima: Array | None = None,
    maxima: Array | None = None,
) -> None:
    """Add the rollups of the points of one segment.

    Args:
        rows: what is added to.
        organization_id: whose.
        labels: the labels of the label sets.
        day: the day since the epoch.
        part: the segment's number.
        metrics: interned metrics, [points], ascending.
        times_us: microseconds since the day began, [points].
        label_sets: interned label sets, [points].
        values: [points].
        counts: how many values each is the sum of, [points]; None for one each.
        minima: the smallest of these, [points]; None for `values`.
        maxima: the greatest of these, [points]; None for `values`.
    """
    metrics = metrics.astype(np.int64)
    of_points = (values, counts, minima, maxima)
    keys, sums, extremes = sum_by(metrics * CELLS_A_DAY + times_us // CELL_US, *of_points)
    for metric, start, stop in runs_of(keys // CELLS_A_DAY):
        run = slice(start, stop)
        blob = encode_sums([keys[run] % CELLS_A_DAY], sums.sliced(run), extremes.taken(run))
        rows.intervals.append((organization_id, metric, day, part, blob))
    # Points of one metric and label set have the same labels: they are summed among themselves
    # first.
    pairs, sums, extremes = sum_by(metrics << 32 | label_sets, *of_points)
    of_metrics, of_label_sets = pairs >> 32 << _METRIC_BITS, pairs & 0xFFFFFFFF
    for key in labels.keys:
        codes = labels.column(key)[of_label_sets].astype(np.int64) + 1
        if not codes.any():
            continue
        merged, places = np.unique(of_metrics | codes, return_inverse=True)
        by_label = ExactSums.zeros(len(merged))
        by_label.merge(places, sums)
        columns = [merged >> _METRIC_BITS, merged & ((1 << _METRIC_BITS) - 1)]
        blob = encode_sums(columns, by_label, extremes.merged(places, len(merged)))
        rows.labels.append((organization_id, key, day, part, blob))


def sum_by(
    keys: Array,
    values: Array,
    counts: Array | None = None,
    minima: Array | None = None,
    maxima: Array | None = None,
) -> tuple[npt.NDArray[np.int64], ExactSums, Extremes]:
    """Return the distinct keys, in ascending order, with the sums and extremes of their values.

    `counts`, `minima` and `maxima` are as those of `add_rollups`.
    """
    smallest, greatest = (values if each is None else each for each in (minima, maxima))
    if len(keys) and (keys[1:] >= keys[:-1]).all():
        # Nothing has to be sorted, and each key's points are neighbours.
        is_first = np.append(True, keys[1:] != keys[:-1])
        starts = np.flatnonzero(is_first)
        return (
            keys[starts],
            ExactSums.of(np.cumsum(is_first) - 1, values, len(starts), counts),
            Extremes.of_runs(starts, smallest, greatest),
        )
    distinct, where = np.unique(keys, return_inverse=True)
    return (
        distinct,
        ExactSums.of(where, values, len(distinct), counts),
        Extremes.of(where, smallest, greatest, len(distinct)),
    )


def runs_of(column: Array) -> Iterator[tuple[int, int, int]]:
    """Yield each run of equal elements: the element, where it starts, and where it stops."""
    if len(column):
        bounds = [0, *(np.flatnonzero(column[1:] != column[:-1]) + 1).tolist(), len(column)]
        for start, stop in itertools.pairwise(bounds):
            yield int(column[start]), start, stop


def merge_by_label_set(parts: Sequence[Summed]) -> bytes:
    """Sum what each part has of a label set, and encode it."""
    series = np.concatenate([keys for keys, _, _ in parts])
    distinct, where = np.unique(series, return_inverse=True)
    merged = ExactSums.zeros(len(distinct))
    start = 0
    for keys, sums, _ in parts:
        merged.put(where[start : start + len(keys)], sums)
        start += len(keys)
    extremes = Extremes.joined([each for _, _, each in parts])
    return encode_sums(
        [distinct], merged, None if extremes is None else extremes.merged(where, len(distinct))
    )


def read_by_label_set(blob: bytes) -> Summed:
    """Decode what `merge_by_label_set` encoded."""
    (series,), sums, extremes = decode_sums_and_extremes(blob, 1)
    return series, sums, extremes
