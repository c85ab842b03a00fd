"""Blobs with a header: every flipped bit is noticed, and those of earlier forms are read."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.extremes import Extremes
from vumeter_server.custom_metrics.sqlite.formats.batches import (
    POINT,
    decode_batches,
    encode_batch,
)
from vumeter_server.custom_metrics.sqlite.formats.columns import decode, encode
from vumeter_server.custom_metrics.sqlite.formats.distributions import decode_distributions
from vumeter_server.custom_metrics.sqlite.formats.sessions import encode_sessions, read_session
from vumeter_server.custom_metrics.sqlite.formats.tables import (
    decode_sums_and_extremes,
    decode_table,
    encode_columns,
    encode_sums,
    encode_table,
)
from vumeter_server.errors import StorageDamaged
from vumeter_server.sqlite.blobs import HEADER_BYTES, Holds, content_of, with_header

POINTS = np.array(
    [(3, 1, 5, 1_767_225_600_000_000, 640.3), (3, 2, 5, 1_767_225_600_900_000, 97.5)], POINT
)
Read = Callable[[bytes], Iterable[object]]


def read_rollup(blob: bytes) -> list[list[float]]:
    (keys,), sums, extremes = decode_sums_and_extremes(blob, 1)
    assert extremes is not None
    columns = (keys, sums.counts, sums.totals(), extremes.minima, extremes.maxima)
    return [column.tolist() for column in columns]


WRITTEN: dict[str, tuple[bytes, Read]] = {
    "batch": (encode_batch(POINTS), lambda blob: decode_batches([blob]).tolist()),
    "doubles": (encode(np.array([640.3, 0.1 + 0.2])), lambda blob: decode(blob).tolist()),
    "decimals": (encode(np.array([640.3, 97.5])), lambda blob: decode(blob).tolist()),
    "times": (
        encode(np.array([30_000_000, 86_399_000_000]), ascending=True),
        lambda blob: decode(blob).tolist(),
    ),
    "codes": (encode(np.array([0, 7, 65_536])), lambda blob: decode(blob).tolist()),
    "session": (
        encode_sessions(POINTS, np.array([0]))[0],
        lambda blob: list(read_session(blob)),
    ),
    "table": (
        encode_table([np.array([1, 2, 3]), np.array([5, 6, 7]), np.array([0.5, 1.5, 2.25])]),
        lambda blob: [column.tolist() for column in decode_table(blob)],
    ),
    "rollup": (
        encode_sums(
            [np.array([1, 2, 3])],
            ExactSums(np.array([5, 6, 7]), [np.array([3.0, 12.0, 7.0])]),
            Extremes(np.array([0.5, 1.5, 1.0]), np.array([0.75, 2.25, 1.0])),
        ),
        read_rollup,
    ),
}


def with_crc_32(blob: bytes) -> bytes:
    """Return the blob as docs/formats.md says of version 0xA9."""
    start, content = b"\xa9" + blob[1:4], blob[HEADER_BYTES:]
    return start + zlib.crc32(start + content).to_bytes(4, "little") + content


FORMATS = WRITTEN | {
    f"{name}, CRC-32": (with_crc_32(blob), read) for name, (blob, read) in WRITTEN.items()
}


@pytest.mark.parametrize("name", FORMATS)
def test_no_flipped_bit_is_read_as_an_answer(name: str) -> None:
    blob, read = FORMATS[name]
    for bit in range(8 * len(blob)):
        flipped = bytearray(blob)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(StorageDamaged):
            list(read(bytes(flipped)))


@pytest.mark.parametrize("name", FORMATS)
def test_no_blob_that_was_cut_or_zeroed_is_read_as_an_answer(name: str) -> None:
    blob, read = FORMATS[name]
    for end in range(1, len(blob)):
        for damaged in (blob[:end], blob[:end] + bytes(len(blob) - end)):
            if damaged != blob:
                with pytest.raises(StorageDamaged):
                    list(read(damaged))
    for start in range(HEADER_BYTES, len(blob)):
        damaged = bytes(start) + blob[start:]
        if name.startswith(("batch", "table", "rollup")):
            with pytest.raises(StorageDamaged):
                list(read(damaged))


def test_rollups_are_read_with_their_minima_and_maxima() -> None:
    blob, read = FORMATS["rollup"]
    assert list(read(blob)) == [
        [1, 2, 3],
        [5, 6, 7],
        [3.0, 12.0, 7.0],
        [0.5, 1.5, 1.0],
        [0.75, 2.25, 1.0],
    ]


@pytest.mark.parametrize("name", sorted(WRITTEN.keys() - {"rollup"}))
def test_blobs_of_0_1_0_have_no_header_and_are_read(name: str) -> None:
    blob, read = WRITTEN[name]
    assert list(read(blob[HEADER_BYTES:])) == list(read(blob))


@pytest.mark.parametrize("name", WRITTEN)
def test_blobs_with_the_checksum_of_before_are_read(name: str) -> None:
    blob, read = WRITTEN[name]
    assert list(read(with_crc_32(blob))) == list(read(blob))


@pytest.mark.parametrize(
    ("holds", "content", "blob"),
    [
        # What databases have: other numbers here would mean that they can no longer be read.
        (Holds.COLUMN, b"", "b6 43 76 6d 8b 06 79 da"),
        (Holds.BATCH, bytes(range(28)), "b6 42 76 6d 6c cb e9 25"),
        (Holds.TABLE, bytes(range(256)) * 4, "b6 54 76 6d e2 88 31 cc"),
    ],
)
def test_the_header_never_changes(holds: Holds, content: bytes, blob: str) -> None:
    assert with_header(holds, content)[:HEADER_BYTES].hex(" ") == blob
    assert bytes(content_of(holds, bytes.fromhex(blob) + content) or b"") == content


ARRAYS = [np.array([1, 2, 3]), np.array([5, 6, 7]), np.array([0.5, 1.5, 2.25])]


@pytest.mark.parametrize(
    "blob",
    [
        with_header(Holds.TABLE, b""),
        with_header(Holds.TABLE, b"\1\0\0"),
        encode_table(ARRAYS[:2]),
        encode_table([*ARRAYS[:2], ARRAYS[2][:2]]),
        encode_table(ARRAYS[:1], Holds.ROLLUP),
        encode_table([*ARRAYS, ARRAYS[2], ARRAYS[2][:1]], Holds.ROLLUP),
    ],
    ids=[
        *("nothing", "cut short", "no sums", "columns of two lengths"),
        *("a rollup of one column", "an extreme for each row but some"),
    ],
)
def test_sums_whose_columns_do_not_fit_are_damaged_whatever_their_checksum(blob: bytes) -> None:
    with pytest.raises(StorageDamaged):
        decode_sums_and_extremes(blob, 1)


@pytest.mark.parametrize(
    ("column", "numbers"),
    [
        (0, [-1]),
        (1, [-1]),
        (1, [3]),
        (6, [0, -1]),
        (6, [0, 9]),
        (7, [0, 9]),
        (7, [0, -2]),
        (7, [1]),
    ],
    ids=str,
)
def test_distributions_whose_columns_do_not_fit_are_damaged_whatever_their_checksum(
    column: int, numbers: list[int]
) -> None:
    def columns() -> list[Any]:
        positions, lengths, counts, extremes = ([0], [2], [3], [1.5])
        bounds, lower, more, weights = ([1.0, 2.0, 3.0], [0, 1], [1, 1], [1, 2])
        written = (positions, lengths, counts, extremes, extremes, bounds, lower, more, weights)
        return [np.array(each, np.float64) for each in written]

    whole = columns()
    good = with_header(Holds.DISTRIBUTIONS, encode_columns(whole))
    assert decode_distributions(good).upper.tolist() == [2.0, 3.0]
    whole[column] = np.array(numbers, np.float64)
    with pytest.raises(StorageDamaged):
        decode_distributions(with_header(Holds.DISTRIBUTIONS, encode_columns(whole)))
