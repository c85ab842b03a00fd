"""How rollups lie in a blob: columns of keys, counts, sums, minima and maxima side by side.

Behind the blob's header come the number of columns and the bytes of each, as int64, and then the
columns without headers of their own, each at a multiple of 8 bytes. Rollups that earlier versions
wrote have no minima and maxima; the blob's header says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.extremes import Extremes
from vumeter_server.custom_metrics.sqlite.formats.columns import (
    Array,
    decode_bare,
    encode_bare_each,
)
from vumeter_server.errors import StorageDamaged
from vumeter_server.sqlite.blobs import Holds, checked_content_of, damaged, with_header

# The last columns of a rollup: minima and maxima.
_EXTREMES = 2


def encode_table(columns: Sequence[Array], holds: Holds = Holds.TABLE) -> bytes:
    """Write columns of equal length side by side."""
    return with_header(holds, encode_columns(columns))


def encode_columns(columns: Sequence[Array]) -> bytes:
    """Write columns of any lengths side by side, without a header."""
    blobs = encode_bare_each(columns)
    lengths = np.array([len(columns), *(len(blob) for blob in blobs)], "<i8")
    # Each column begins at a multiple of 8 bytes, where processors read numbers fastest.
    padded = b"".join(blob.ljust(_padded(len(blob)), b"\0") for blob in blobs)
    return lengths.tobytes() + padded


def decode_table(blob: bytes) -> list[Array]:
    """Read what `encode_table` wrote of a table, without a copy.

    Raises StorageDamaged if the blob is not as it was written.
    """
    content = checked_content_of(Holds.TABLE, blob)
    if content is not None:
        return decode_columns(content)
    # A table of 0.1.0 has no checksum, but lengths that fit.
    columns = decode_columns(memoryview(blob))
    if len({len(column) for column in columns}) != 1:
        raise damaged(Holds.TABLE, "its columns are not of one length")
    return columns


def _is_rollup(blob: bytes) -> bool:
    """Whether the header says so; the second byte of a blob without one is 0."""
    return blob[1:2] == Holds.ROLLUP.value


def _decode_rollup(blob: bytes, *, without: int = 0) -> list[Array]:
    """Do as `decode_table` for a rollup, but for the last columns."""
    content = checked_content_of(Holds.ROLLUP, blob)
    if content is None:
        raise damaged(Holds.ROLLUP, "its header is none that is known")
    return decode_columns(content, without=without)


def decode_columns(view: memoryview, *, without: int = 0) -> list[Array]:
    """Read what `encode_columns` wrote, but for the last columns.

    Raises StorageDamaged if the lengths do not fit.
    """
    count = int.from_bytes(view[:8], "little")
    if count >= len(view) // 8:
        raise damaged(Holds.TABLE, "its number of columns does not fit")
    lengths = np.frombuffer(view, "<i8", count, offset=8).tolist()
    start = 8 + 8 * count
    if min(lengths, default=0) < 0 or start + sum(map(_padded, lengths)) != len(view):
        raise damaged(Holds.TABLE, "its lengths do not fit")
    columns = []
    for length in lengths[: count - without]:
        columns.append(decode_bare(view[start : start + length]))
        start += _padded(length)
    return columns


def _padded(length: int) -> int:
    return -(-length // 8) * 8


def encode_sums(keys: Sequence[Array], sums: ExactSums, extremes: Extremes | None) -> bytes:
    """Write sums, with their minima and maxima if these are known, beside their keys."""
    sums.carry()
    columns = [*keys, sums.counts, *sums.parts]
    if extremes is None:
        return encode_table(columns)
    return encode_table([*columns, extremes.minima, extremes.maxima], Holds.ROLLUP)


def decode_sums(blob: bytes, keys: int) -> tuple[list[Array], ExactSums]:
    """Read what `encode_sums` wrote with that many columns of keys; nothing may be added to it."""
    is_rollup = _is_rollup(blob)
    columns = _decode_rollup(blob, without=_EXTREMES) if is_rollup else decode_table(blob)
    return _keys_and_sums(columns, keys)


def decode_sums_and_extremes(
    blob: bytes, keys: int
) -> tuple[list[Array], ExactSums, Extremes | None]:
    """Do as `decode_sums`, with minima and maxima; None for what an earlier version wrote."""
    if not _is_rollup(blob):
        return *_keys_and_sums(decode_table(blob), keys), None
    columns = _decode_rollup(blob)
    wide, sums = _keys_and_sums(columns[:-_EXTREMES], keys)
    minima, maxima = (column.astype(np.float64) for column in columns[-_EXTREMES:])
    if not len(minima) == len(maxima) == len(sums.counts):
        raise _do_not_fit()
    return wide, sums, Extremes(minima, maxima)


def _keys_and_sums(columns: list[Array], keys: int) -> tuple[list[Array], ExactSums]:
    # Behind the keys there are counts and at least one part of sums.
    if len(columns) < keys + 2 or len({len(column) for column in columns}) != 1:
        raise _do_not_fit()
    # Callers calculate with keys, which overflow in the types in which they are written.
    wide = [column.astype(np.int64) for column in columns[:keys]]
    return wide, ExactSums(columns[keys], columns[keys + 1 :])


def _do_not_fit() -> StorageDamaged:
    return damaged(Holds.TABLE, "its columns do not fit together")
