"""How the points of one recorded batch lie in a blob: a structured array behind the header."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

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


def encode_batch(points: npt.NDArray[np.void]) -> bytes:
    """Write points of type POINT."""
    return with_header(Holds.BATCH, points.tobytes())


def content_of_batch(blob: bytes) -> bytes | memoryview:
    """Return the bytes of the points that `encode_batch` wrote: POINT.itemsize bytes per point.

    Batches of 0.1.0 have no header, so that their length is a multiple of that of a point.
    """
    content = content_of(Holds.BATCH, blob)
    if content is not None and not len(content) % POINT.itemsize:
        return content
    if content is None and not len(blob) % POINT.itemsize:
        return blob
    raise damaged(Holds.BATCH, "its length is no number of points")


def decode_batches(blobs: Sequence[bytes]) -> npt.NDArray[np.void]:
    """Return the points of batches, one after another."""
    return np.frombuffer(b"".join(map(content_of_batch, blobs)), POINT)
