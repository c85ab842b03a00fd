"""The header of each blob that is stored: which form it has, and a checksum of its bytes.

SQLite notices a damaged page only where its own structure is hit. A flipped bit within a blob would
be a wrong answer. See docs/formats.md.

The 8 bytes of the header are:

    0     version: 0xB6; 0xA9 had another checksum, and is read
    1     what the blob holds: a letter of `Holds`
    2, 3  "vm"
    4..7  checksum of bytes 0 to 3 and of all bytes behind the header, little-endian

It is checked at every read. So it is XXH3, which takes a twentieth of the time of a CRC-32.

Blobs of 0.1.0 have no header. Bit 7 of their first byte is never set, or their length shows
what they are; each format says which.
"""

from __future__ import annotations

import zlib
from enum import Enum
from typing import Final

from xxhash import xxh3_64_intdigest

from vumeter_server.errors import StorageDamaged

HEADER_BYTES: Final = 8
# Without bit 7 they are the first byte of no blob of 0.1.0. No flipped bit makes one the other.
VERSION: Final = 0xB6
_VERSION_OF_CRC_32: Final = 0xA9
_HAS_HEADER: Final = 0x80
_MARK: Final = b"vm"
_LOW_HALF: Final = 0xFFFF_FFFF
_CHECKSUM_BYTES: Final = 4


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
    DISTRIBUTIONS = b"D"
    """The distributions of one metric in a segment."""
    BATCH_WITH_DISTRIBUTIONS = b"G"
    """A batch with distributions among its points."""
    SESSION_WITH_DISTRIBUTIONS = b"H"
    """The points of one session in a segment, with distributions among them."""
    SERIES_STATES = b"E"
    """The last values of the series of one metric of one exporter."""
    LATENCIES = b"L"
    """A page of the latencies of simulated calls."""

    def __init__(self, letter: bytes) -> None:
        # Attributes: members of an Enum are slow as the keys of a dict.
        self.start = bytes([VERSION]) + letter + _MARK
        self.seed = int.from_bytes(self.start, "little")
        self.start_of_crc_32 = bytes([_VERSION_OF_CRC_32]) + letter + _MARK


def with_header(holds: Holds, content: bytes) -> bytes:
    """Return `content` behind its header."""
    return holds.start + _checksum(holds, content) + content


def content_of(holds: Holds, blob: bytes) -> memoryview | None:
    """Return what is behind the header, without a copy; None if the blob has no header.

    Raises StorageDamaged if the header or the checksum is not as it was written.
    """
    content = memoryview(blob)[HEADER_BYTES:]
    start, checksum = blob[:4], blob[4:HEADER_BYTES]
    if start == holds.start:
        # As `_checksum`, without a call: a query may read thousands.
        found = xxh3_64_intdigest(content, holds.seed) & _LOW_HALF
        if found.to_bytes(_CHECKSUM_BYTES, "little") != checksum:
            raise damaged(holds, "the checksum does not match")
        return content
    if not blob:
        raise damaged(holds, "it is empty")
    if start[1:] == holds.start[1:]:
        is_crc_32 = _crc_32(holds, content) == checksum
        if start == holds.start_of_crc_32:
            if not is_crc_32:
                raise damaged(holds, "the checksum does not match")
            return content
        if is_crc_32 or _checksum(holds, content) == checksum:
            raise damaged(holds, "the version is none that is known")
    return None


def _checksum(holds: Holds, content: bytes | memoryview) -> bytes:
    """Return the low half of XXH3-64, of which the header's first bytes are the seed."""
    found = xxh3_64_intdigest(content, holds.seed) & _LOW_HALF
    return found.to_bytes(_CHECKSUM_BYTES, "little")


def _crc_32(holds: Holds, content: memoryview) -> bytes:
    return zlib.crc32(content, zlib.crc32(holds.start_of_crc_32)).to_bytes(4, "little")


def checked_content_of(holds: Holds, blob: bytes) -> memoryview | None:
    """Do as `content_of` for formats of which bit 7 of the first byte is set in headers alone."""
    content = content_of(holds, blob)
    if content is None and blob[0] & _HAS_HEADER:
        raise damaged(holds, "its header is none that is known")
    return content


def damaged(holds: Holds, problem: str) -> StorageDamaged:
    """Return the error for a blob that is not as it was written; the log names the problem."""
    return StorageDamaged(detail=f"a blob of kind {holds.name.lower()}: {problem}")
