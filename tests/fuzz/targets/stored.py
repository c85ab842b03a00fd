"""Blobs that are stored: what is not as it was written is StorageDamaged, and nothing else.

A blob is read as it is, and once more behind a header whose checksum is right, so that what is
behind the checksum has to hold by itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from tests.fuzz.targets.target import Target

from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.extremes import Extremes
from vumeter_server.custom_metrics.given_distributions import (
    ExponentialBuckets,
    GivenDistribution,
)
from vumeter_server.custom_metrics.increments import Last, SeriesStates
from vumeter_server.custom_metrics.sqlite.formats.batches import (
    POINT,
    decode_batches,
    decode_distributions_of_batches,
    encode_batch,
)
from vumeter_server.custom_metrics.sqlite.formats.columns import decode, encode
from vumeter_server.custom_metrics.sqlite.formats.distributions import (
    decode_distributions,
    encode_distributions,
)
from vumeter_server.custom_metrics.sqlite.formats.series_states import (
    decode_states,
    encode_states,
)
from vumeter_server.custom_metrics.sqlite.formats.sessions import (
    distributions_of_session,
    encode_sessions,
    read_session,
)
from vumeter_server.custom_metrics.sqlite.formats.tables import (
    decode_sums,
    decode_sums_and_extremes,
    decode_table,
    encode_sums,
    encode_table,
)
from vumeter_server.errors import StorageDamaged
from vumeter_server.simulation.sqlite import latencies
from vumeter_server.sqlite.blobs import HEADER_BYTES, Holds, with_header

MOST_POINTS: Final = 100_000
POINTS: Final = np.array(
    [(3, 1, 5, 1_767_225_600_000_000, 640.3), (300, 2, 5, 1_767_225_600_900_000, 7.0)], POINT
)
DISTRIBUTIONS: Final = Distributions(
    positions=np.array([1]),
    counts=np.array([3]),
    minima=np.array([0.5]),
    maxima=np.array([4.0]),
    starts=np.array([0, 2]),
    lower=np.array([-np.inf, 1.0]),
    upper=np.array([1.0, np.inf]),
    weights=np.array([1, 2]),
)
SUMS: Final = (
    [np.array([1, 2, 3])],
    ExactSums(np.array([5, 6, 7]), [np.array([3.0, 12.0, 7.0])]),
    Extremes(np.array([0.5, 1.5, 1.0]), np.array([0.75, 2.25, 1.0])),
)


def _read_batch(blob: bytes) -> None:
    decode_batches([blob])
    found = decode_distributions_of_batches([blob])
    if found is not None:
        _look_at(found)


def _read_session(blob: bytes) -> None:
    list(read_session(blob))
    found = distributions_of_session(blob)
    if found is not None:
        _look_at(found)


def _look_at(found: Distributions) -> None:
    """Use distributions as a query does."""
    points = int(found.positions.max(initial=-1)) + 1
    if points < MOST_POINTS:
        assert len(found.value_counts(points)) == points
        found.taken(np.arange(points), points)


def _read_distributions(blob: bytes) -> None:
    _look_at(decode_distributions(blob))


def _read_sums(blob: bytes) -> None:
    _read_sums_of(blob, 1)
    # Those of two keys are read alike; what has fewer columns is not as it was written.
    with contextlib.suppress(StorageDamaged):
        _read_sums_of(blob, 2)


def _read_sums_of(blob: bytes, keys: int) -> None:
    columns, sums = decode_sums(blob, keys)
    assert {len(each) for each in (*columns, *sums.parts)} <= {len(sums.counts)}
    sums.totals()
    _, sums, extremes = decode_sums_and_extremes(blob, keys)
    assert extremes is None or len(extremes.minima) == len(extremes.maxima) == len(sums.counts)


def _states() -> SeriesStates:
    histogram = GivenDistribution(
        count=3, sum=4.5, scale=2, positive=ExponentialBuckets(-1, (1, 2))
    )
    states = SeriesStates()
    states.lasts[b"s" * 16] = {7: Last(9, 1.5), 8: Last(10, histogram=histogram)}
    return states


def _target(
    read: Callable[[bytes], object], holds: Sequence[Holds], *seeds: bytes
) -> dict[str, Target]:
    """Return the target of a reader, and of what is behind a right checksum."""

    def behind(data: bytes) -> object:
        return read(with_header(holds[data[0] % len(holds)] if data else holds[0], data[1:]))

    name = holds[0].name.lower()
    numbers = [bytes([index]) for index in range(len(holds))]
    return {
        f"stored_{name}": Target(read=read, seeds=lambda: seeds, allowed=(StorageDamaged,)),
        f"stored_{name}_checked": Target(
            read=behind,
            seeds=lambda: [number + seed[HEADER_BYTES:] for number in numbers for seed in seeds],
            allowed=(StorageDamaged,),
        ),
    }


_STARTS: Final = np.array([0])
_ARRAYS: Final[Sequence[Any]] = (
    np.array([640.3, 97.5]),
    np.array([0.1 + 0.2]),
    np.array([0, 7, 65_536]),
    np.array([1e300, -1.0]),
)

TARGETS: Final = {
    **_target(
        _read_batch,
        (Holds.BATCH, Holds.BATCH_WITH_DISTRIBUTIONS),
        encode_batch(POINTS),
        encode_batch(POINTS, DISTRIBUTIONS),
    ),
    **_target(
        decode,
        (Holds.COLUMN,),
        *map(encode, _ARRAYS),
        encode(np.array([30_000_000, 86_399_000_000]), ascending=True),
    ),
    **_target(
        _read_session,
        (Holds.SESSION, Holds.SESSION_WITH_DISTRIBUTIONS),
        encode_sessions(POINTS, _STARTS)[0],
        encode_sessions(POINTS, _STARTS, DISTRIBUTIONS)[0],
    ),
    **_target(decode_table, (Holds.TABLE,), encode_table([*_ARRAYS[:1]] * 3)),
    **_target(
        _read_sums, (Holds.ROLLUP, Holds.TABLE), encode_sums(*SUMS), encode_sums(*SUMS[:2], None)
    ),
    **_target(_read_distributions, (Holds.DISTRIBUTIONS,), encode_distributions(DISTRIBUTIONS)),
    **_target(decode_states, (Holds.SERIES_STATES,), encode_states(_states())),
    **_target(latencies._content, (Holds.LATENCIES,), with_header(Holds.LATENCIES, bytes(8 * 512))),
}
