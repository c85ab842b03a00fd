"""Makes the sums that sealed days are answered from: by cell, by label value and by series."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.sqlite.cache.snapshots import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.columns import Array
from vumeter_server.custom_metrics.sqlite.formats.tables import decode_table, encode_sums
from vumeter_server.custom_metrics.sqlite.rollups.intervals import CELL_US, CELLS_A_DAY

_METRIC_BITS = 31
CellRow = tuple[int, int, int, int, bytes]
LabelRow = tuple[int, str, int, int, bytes]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PartSums:
    """Rows of metric_cells and label_sums of one part of a day."""

    cells: list[CellRow]
    labels: list[LabelRow]


def sum_part(
    snapshot: Snapshot,
    day: int,
    part: int,
    metrics: Array,
    times_us: Array,
    series: Array,
    values: Array,
) -> PartSums:
    """Sum the points of one part of a day; times count from the beginning of the day."""
    where = (snapshot.organization_id,)
    metrics = metrics.astype(np.int64)
    keys, sums = sum_by(metrics * CELLS_A_DAY + times_us // CELL_US, values)
    cells: list[CellRow] = []
    for metric, start, stop in runs_of(keys // CELLS_A_DAY):
        blob = encode_sums([keys[start:stop] % CELLS_A_DAY], sums.taken(np.arange(start, stop)))
        cells.append((*where, metric, day, part, blob))
    # Points of one metric and series have the same labels: first they are summed among themselves.
    pairs, sums = sum_by(metrics << 32 | series, values)
    labels: list[LabelRow] = []
    for key in snapshot.labels.keys:
        codes = snapshot.labels.column(key)[pairs & 0xFFFFFFFF].astype(np.int64) + 1
        if not codes.any():
            continue
        merged, cells_of = np.unique(pairs >> 32 << _METRIC_BITS | codes, return_inverse=True)
        by_label = ExactSums.zeros(len(merged))
        by_label.merge(cells_of, sums)
        columns = [merged >> _METRIC_BITS, merged & ((1 << _METRIC_BITS) - 1)]
        labels.append((*where, key, day, part, encode_sums(columns, by_label)))
    return PartSums(cells=cells, labels=labels)


def sum_by(keys: Array, values: Array) -> tuple[npt.NDArray[np.int64], ExactSums]:
    """Return the distinct keys, in ascending order, and the sums of their values."""
    distinct, where = np.unique(keys, return_inverse=True)
    return distinct, ExactSums.of(where, values, len(distinct))


def runs_of(column: Array) -> Iterator[tuple[int, int, int]]:
    """Yield each run of equal elements: the element, where it starts, and where it stops."""
    if len(column):
        bounds = [0, *(np.flatnonzero(column[1:] != column[:-1]) + 1).tolist(), len(column)]
        for start, stop in itertools.pairwise(bounds):
            yield int(column[start]), start, stop


def merge_by_series(parts: list[tuple[Array, ExactSums]]) -> bytes:
    """Sum what each part has of a series, and write it."""
    series = np.concatenate([keys for keys, _ in parts])
    distinct, where = np.unique(series, return_inverse=True)
    merged = ExactSums.zeros(len(distinct))
    start = 0
    for keys, sums in parts:
        merged.put(where[start : start + len(keys)], sums)
        start += len(keys)
    return encode_sums([distinct], merged)


def read_by_series(blob: bytes) -> tuple[Array, ExactSums]:
    """Read what `merge_by_series` wrote."""
    series, counts, *parts = decode_table(blob)
    return series, ExactSums(counts, parts)
