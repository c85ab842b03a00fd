"""How the points of one recorded batch lie in a blob: a structured array behind the header.

A batch with distributions is a blob of another kind: the number of points, as uint64, the points,
and the distributions as `distributions` writes them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.distributions import Distributions, joined
from vumeter_server.custom_metrics.sqlite.formats.distributions import (
    decode_bare_distributions,
    encode_bare_distributions,
)
from vumeter_server.sqlite.blobs import Holds, content_of, damaged, with_header

POINT = np.dtype(
    [
        ("metric", "<i4"),
        ("series", "<i4"),
        ("session", "<i4"),
        ("time_us", "<i8"),
        ("value", "<f8"),
    ]
)
"""A point of the log: ids within the organization (session -1: none), time and value."""

_COUNT_BYTES = 8
_WITH_DISTRIBUTIONS = Holds.BATCH_WITH_DISTRIBUTIONS


def encode_batch(points: npt.NDArray[np.void], distributions: Distributions | None = None) -> bytes:
    """Write points of type POINT, and the distributions among them."""
    if distributions is None:
        return with_header(Holds.BATCH, points.tobytes())
    count = len(points).to_bytes(_COUNT_BYTES, "little")
    written = encode_bare_distributions(distributions)
    return with_header(_WITH_DISTRIBUTIONS, count + points.tobytes() + written)


def content_of_batch(blob: bytes) -> bytes | memoryview:
    """Return the bytes of the points that `encode_batch` wrote: POINT.itemsize bytes per point.

    Batches of 0.1.0 have no header, so that their length is a multiple of that of a point.
    """
    if _has_distributions(blob):
        return _split(blob)[0]
    content = content_of(Holds.BATCH, blob)
    if content is not None and not len(content) % POINT.itemsize:
        return content
    if content is None and not len(blob) % POINT.itemsize:
        return blob
    raise damaged(Holds.BATCH, "its length is no number of points")


def distributions_of_batch(blob: bytes) -> Distributions | None:
    """Return the distributions among the points of a batch; None if there are none."""
    return decode_bare_distributions(_split(blob)[1]) if _has_distributions(blob) else None


def decode_batches(blobs: Sequence[bytes]) -> npt.NDArray[np.void]:
    """Return the points of batches, one after another."""
    return np.frombuffer(b"".join(map(content_of_batch, blobs)), POINT)


def decode_distributions_of_batches(blobs: Sequence[bytes]) -> Distributions | None:
    """Return the distributions among the points that `decode_batches` returns."""
    if not any(map(_has_distributions, blobs)):
        return None
    return joined(
        [
            (distributions_of_batch(blob), len(content_of_batch(blob)) // POINT.itemsize)
            for blob in blobs
        ]
    )


def _has_distributions(blob: bytes) -> bool:
    return blob[1:2] == _WITH_DISTRIBUTIONS.value and blob[2:4] == b"vm"


def _split(blob: bytes) -> tuple[memoryview, memoryview]:
    content = content_of(_WITH_DISTRIBUTIONS, blob)
    if content is None:
        raise damaged(_WITH_DISTRIBUTIONS, "its header is none that is known")
    end = _COUNT_BYTES + int.from_bytes(content[:_COUNT_BYTES], "little") * POINT.itemsize
    if end > len(content):
        raise damaged(_WITH_DISTRIBUTIONS, "its length does not fit")
    return content[_COUNT_BYTES:end], content[end:]
