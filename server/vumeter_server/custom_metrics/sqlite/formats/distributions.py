"""How the distributions among some points lie in a blob.

Behind the header come columns as in a table of sums (see `tables`): the positions of the points and
how many buckets each has; how many values; the smallest and the greatest; the distinct bounds; and
for each bucket the number of its lower bound among these, by how many its upper bound is behind it,
and how many values it has. Distributions of one metric share their bounds, so that a bucket takes
about four bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.sqlite.formats.columns import Array
from vumeter_server.custom_metrics.sqlite.formats.tables import decode_columns, encode_columns
from vumeter_server.errors import StorageDamaged
from vumeter_server.sqlite.blobs import Holds, checked_content_of, damaged, with_header

_COLUMNS: Final = 9


def encode_distributions(distributions: Distributions) -> bytes:
    """Write distributions behind a header of their own."""
    return with_header(Holds.DISTRIBUTIONS, encode_bare_distributions(distributions))


def encode_bare_distributions(distributions: Distributions) -> bytes:
    """Do as `encode_distributions`, without the header: for a part of another blob."""
    bounds = np.unique(np.concatenate([distributions.lower, distributions.upper]))
    # There are few, so that finding them is quicker than sorting all with their numbers.
    lower = np.searchsorted(bounds, distributions.lower)
    upper = np.searchsorted(bounds, distributions.upper)
    return encode_columns(
        [
            distributions.positions,
            np.diff(distributions.starts),
            distributions.counts,
            distributions.minima,
            distributions.maxima,
            bounds,
            lower,
            upper - lower,
            distributions.weights,
        ]
    )


def decode_distributions(blob: bytes) -> Distributions:
    """Read what `encode_distributions` wrote.

    Raises StorageDamaged if the blob is not as it was written.
    """
    content = checked_content_of(Holds.DISTRIBUTIONS, blob)
    if content is None:
        raise damaged(Holds.DISTRIBUTIONS, "it has no header")
    return decode_bare_distributions(content)


def decode_bare_distributions(content: bytes | memoryview) -> Distributions:
    """Read what `encode_bare_distributions` wrote."""
    columns: Sequence[Array] = decode_columns(memoryview(content))
    if len(columns) != _COLUMNS:
        raise damaged(Holds.DISTRIBUTIONS, "its number of columns does not fit")
    positions, lengths, counts, minima, maxima, bounds, lower, more, weights = columns
    if len({len(positions), len(lengths), len(counts), len(minima), len(maxima)}) != 1 or not len(
        lower
    ) == len(more) == len(weights):
        raise _do_not_fit()
    positions, lengths, lower, more = (
        each.astype(np.int64) for each in (positions, lengths, lower, more)
    )
    upper = lower + more
    starts = np.concatenate(([0], np.cumsum(lengths)))
    if (
        starts[-1] != len(lower)
        or min(each.min(initial=0) for each in (positions, lengths, lower, upper)) < 0
        or max(each.max(initial=-1) for each in (lower, upper)) >= len(bounds)
    ):
        raise _do_not_fit()
    edges = bounds.astype(np.float64)
    return Distributions(
        positions=positions,
        counts=counts.astype(np.int64),
        minima=minima.astype(np.float64),
        maxima=maxima.astype(np.float64),
        starts=starts,
        lower=edges[lower],
        upper=edges[upper],
        weights=weights.astype(np.int64),
    )


def _do_not_fit() -> StorageDamaged:
    return damaged(Holds.DISTRIBUTIONS, "its columns do not fit together")
