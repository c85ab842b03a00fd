"""Hashes of points: equal for equal points, whichever store they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import orjson

from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.model import Batch

Hashes = npt.NDArray[np.uint64]


def hash_points(batch: Batch, places: npt.NDArray[np.int64]) -> Hashes:
    """Return a hash of each point with everything that is stored of it.

    `places` says which a point is of those of its metric and time, in the order of recording: so
    the order counts, too, by which the last value is found.
    """
    sessions = np.append(_texts([each.encode() for each in batch.sessions]), np.uint64(0))
    label_sets = _texts([orjson.dumps(each) for each in batch.label_sets])
    names = _texts([each.encode() for each in batch.names])
    columns: Sequence[Hashes] = (
        names[batch.name_indexes],
        label_sets[batch.label_set_indexes],
        # Without a session the index is -1.
        sessions[batch.session_indexes],
        batch.types.astype(np.uint64),
        batch.times_us.view(np.uint64),
        # Without a negative zero.
        (batch.values + 0.0).view(np.uint64),
        _distributions(batch.distributions, len(batch)),
        places.astype(np.uint64),
    )
    hashes = np.zeros(len(batch), np.uint64)
    for column in columns:
        hashes = _mixed(hashes ^ column)
    return hashes


def _mixed(values: Hashes) -> Hashes:
    """Return values in which each bit depends on all bits, as MurmurHash3 does it at its end."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    values = (values ^ (values >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return values ^ (values >> np.uint64(33))


def _texts(texts: Sequence[bytes]) -> Hashes:
    return np.array([_digest(text) for text in texts], np.uint64)


def _digest(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def _distributions(distributions: Distributions | None, points: int) -> Hashes:
    hashes = np.zeros(points, np.uint64)
    if distributions is None:
        return hashes
    starts = distributions.starts.tolist()
    for row, position in enumerate(distributions.positions.tolist()):
        buckets = slice(starts[row], starts[row + 1])
        content = hashlib.blake2b(digest_size=8)
        content.update(distributions.counts[row : row + 1].astype(np.int64).tobytes())
        for numbers in (
            distributions.minima[row : row + 1],
            distributions.maxima[row : row + 1],
            distributions.lower[buckets],
            distributions.upper[buckets],
        ):
            content.update((numbers + 0.0).tobytes())
        content.update(distributions.weights[buckets].astype(np.int64).tobytes())
        hashes[position] = int.from_bytes(content.digest(), "little")
    return hashes
