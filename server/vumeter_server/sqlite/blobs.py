"""The header of each blob that is stored: which form it has, and a checksum of its bytes.

SQLite notices a damaged page only where its own structure is hit. A flipped bit within a blob would
be a wrong answer. See docs/formats.md.

The 8 bytes of the header are:

    0     version: 0xA9 is the first
    1     what the blob holds: a letter of `Holds`
    2, 3  "vm"
    4..7  CRC-32 of bytes 0 to 3 and of all bytes behind the header, little-endian

Blobs of 0.1.0 have no header. Bit 7 of their first byte is never set, or their length tells them;
each format says which.
"""

from __future__ import annotations

import zlib
from enum import Enum
from typing import Final

from vumeter_server.errors import StorageDamaged

HEADER_BYTES: Final = 8
# Without bit 7 it is the first byte of no blob of 0.1.0, so that one flipped bit makes none of it.
VERSION_1: Final = 0xA9
_HAS_HEADER: Final = 0x80


class Holds(Enum):
    """What a blob holds: the second byte of its header."""

    BATCH = b"B"
    """Points of one recorded batch."""
    COLUMN = b"C"
    """One column of one metric in a segment."""
    SESSION = b"S"
    """The points of one session in a segment."""
    TABLE = b"T"
    """Rollups without minima and maxima: columns of keys, counts and sums."""
    ROLLUP = b"R"
    """Rollups: columns of keys, counts, sums, minima and maxima."""
    LATENCIES = b"L"
    """A page of the latencies of simulated calls."""


_STARTS: Final = {each: bytes([VERSION_1]) + each.value + b"vm" for each in Holds}
# CRC-32 goes on from that of the header's first bytes.
_SEEDS: Final = {each: zlib.crc32(start) for each, start in _STARTS.items()}


def with_header(holds: Holds, content: bytes) -> bytes:
    """Return `content` behind its header."""
    checksum = zlib.crc32(content, _SEEDS[holds])
    return _STARTS[holds] + checksum.to_bytes(4, "little") + content


def content_of(holds: Holds, blob: bytes) -> memoryview | None:
    """Return what is behind the header, without a copy; None if the blob has no header.

    Raises StorageDamaged if the header or the checksum is not as it was written.
    """
    if blob[:4] == _STARTS[holds]:
        content = memoryview(blob)[HEADER_BYTES:]
        if zlib.crc32(content, _SEEDS[holds]) != int.from_bytes(blob[4:HEADER_BYTES], "little"):
            raise damaged(holds, "the checksum does not match")
        return content
    if not blob:
        raise damaged(holds, "it is empty")
    if blob[1:4] == _STARTS[holds][1:] and zlib.crc32(
        blob[HEADER_BYTES:], _SEEDS[holds]
    ) == int.from_bytes(blob[4:HEADER_BYTES], "little"):
        raise damaged(holds, "the version is none that is known")
    return None


def checked_content_of(holds: Holds, blob: bytes) -> memoryview | None:
    """Do as `content_of` for formats of which bit 7 of the first byte is set in headers alone."""
    content = content_of(holds, blob)
    if content is None and blob[0] & _HAS_HEADER:
        raise damaged(holds, "its header is none that is known")
    return content


def damaged(holds: Holds, problem: str) -> StorageDamaged:
    """Return the error for a blob that is not as it was written; the log tells the problem."""
    return StorageDamaged(detail=f"a blob of kind {holds.name.lower()}: {problem}")
