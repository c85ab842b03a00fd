"""How rollups lie in a blob: columns of keys, counts and sums side by side.

Behind the blob's header come the number of columns and the bytes of each, as int64, and then the
columns without headers of their own, each at a multiple of 8 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.sqlite.formats.columns import Array, decode_bare, encode_bare
from vumeter_server.sqlite.blobs import Holds, checked_content_of, damaged, with_header


def encode_table(columns: Sequence[Array]) -> bytes:
    """Write columns of equal length side by side."""
    blobs = [encode_bare(column) for column in columns]
    lengths = np.array([len(columns), *(len(blob) for blob in blobs)], "<i8")
    # Each column begins at a multiple of 8 bytes, where processors read numbers fastest.
    padded = b"".join(blob.ljust(_padded(len(blob)), b"\0") for blob in blobs)
    return with_header(Holds.TABLE, lengths.tobytes() + padded)


def decode_table(blob: bytes) -> list[Array]:
    """Read what `encode_table` wrote, without a copy.

    Raises StorageDamaged if the blob is not as it was written.
    """
    content = checked_content_of(Holds.TABLE, blob)
    if content is not None:
        return _columns_of(content)
    # A table of 0.1.0 has no checksum, but lengths that fit.
    try:
        columns = _columns_of(memoryview(blob))
    except ValueError:
        raise damaged(Holds.TABLE, "its lengths do not fit") from None
    if len({len(column) for column in columns}) != 1:
        raise damaged(Holds.TABLE, "its columns are not of one length")
    return columns


def _columns_of(view: memoryview) -> list[Array]:
    (count,) = np.frombuffer(view, "<i8", 1).tolist()
    if not 0 <= count < len(view) // 8:
        raise damaged(Holds.TABLE, "its number of columns does not fit")
    lengths = np.frombuffer(view, "<i8", count, offset=8).tolist()
    start = 8 + 8 * count
    if min(lengths, default=0) < 0 or start + sum(map(_padded, lengths)) != len(view):
        raise damaged(Holds.TABLE, "its lengths do not fit")
    columns = []
    for length in lengths:
        columns.append(decode_bare(view[start : start + length]))
        start += _padded(length)
    return columns


def _padded(length: int) -> int:
    return -(-length // 8) * 8


def encode_sums(keys: Sequence[Array], sums: ExactSums) -> bytes:
    """Write sums with the columns of their keys."""
    sums.carry()
    return encode_table([*keys, sums.counts, *sums.parts])


def decode_sums(blob: bytes, keys: int) -> tuple[list[Array], ExactSums]:
    """Read what `encode_sums` wrote with that many columns of keys; nothing may be added to it."""
    columns = decode_table(blob)
    # Callers calculate with keys, which overflow in the types in which they are written.
    wide = [column.astype(np.int64) for column in columns[:keys]]
    return wide, ExactSums(columns[keys], columns[keys + 1 :])
