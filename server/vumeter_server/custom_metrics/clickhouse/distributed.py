"""Distributions as they are stored: read again, and percentiles of them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vumeter_server.custom_metrics.distribution_percentiles import elements_of, percentiles
from vumeter_server.custom_metrics.distributions import Distributions

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

POINT_COLUMNS: Final = {
    name: name
    for name in (
        *("value", "is_distribution", "value_count", "minimum", "maximum"),
        *("bucket_lower", "bucket_upper", "bucket_counts"),
    )
}
"""What percentiles need of points."""


def distributions_of(table: pa.Table) -> Distributions | None:
    """Return the distributions among points; None if there are none."""
    is_distribution = table.column("is_distribution").to_numpy().astype(np.bool_)
    positions = np.flatnonzero(is_distribution)
    if not len(positions):
        return None
    lower = table.column("bucket_lower").combine_chunks()
    lengths = lower.value_lengths().to_numpy()[positions]

    def numbers(name: str) -> npt.NDArray[Any]:
        return np.asarray(table.column(name).to_numpy())[positions]

    def flat(name: str) -> npt.NDArray[Any]:
        return np.asarray(table.column(name).combine_chunks().flatten().to_numpy())

    return Distributions(
        positions=positions,
        counts=numbers("value_count").astype(np.int64),
        minima=numbers("minimum"),
        maxima=numbers("maximum"),
        starts=np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        lower=flat("bucket_lower"),
        upper=flat("bucket_upper"),
        weights=flat("bucket_counts").astype(np.int64),
    )


def distributed_percentiles(
    table: pa.Table, cells: Integers, count: int, percent: int | Fraction
) -> tuple[Floats, Floats]:
    """Return a percentile of the points of each cell, and how far it may be off."""
    distributions = distributions_of(table)
    if distributions is None:
        raise ValueError("there are no distributions among the points")
    values = np.asarray(table.column("value").to_numpy())
    elements = elements_of(values, distributions)
    return percentiles(elements, cells[elements.points], count, percent)
