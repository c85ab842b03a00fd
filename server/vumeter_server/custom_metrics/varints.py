"""Packed varints, as protobuf writes repeated integers, to and from arrays.

A varint has 7 bits of a number in each byte, the lowest first; all bytes but the last have the
highest bit set. Here numbers take at most 8 bytes, so that a number and its bytes both fit into one
64-bit word, and all words of an array are converted at once.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

_WORD: Final = np.dtype("<u8")
_BYTES: Final = 8
END: Final = 2 ** (7 * _BYTES)
"""The first number that is too large."""
# The lower and the upper half of each group of 56, 28 and 14 bits, and how far the upper one moves
# so that each half has 32, 16 and 8 bits for itself.
_HALVES: Final = tuple(
    (np.uint64(lower), np.uint64(upper), np.uint64(distance))
    for lower, upper, distance in (
        (0x000000000FFFFFFF, 0x00FFFFFFF0000000, 4),
        (0x00003FFF00003FFF, 0x0FFFC0000FFFC000, 2),
        (0x007F007F007F007F, 0x3F803F803F803F80, 1),
    )
)
_LENGTHS: Final = range(_BYTES + 1)
# By length, the bits of a word that are data, and those that say that another byte follows.
_DATA: Final = np.array([int.from_bytes(b"\x7f" * each, "little") for each in _LENGTHS], _WORD)
_MORE: Final = np.array(
    [int.from_bytes(b"\x80" * max(each - 1, 0), "little") for each in _LENGTHS], _WORD
)


def encode(numbers: npt.NDArray[np.integer]) -> bytes:
    """Return whole numbers as packed varints; raises ValueError unless all are in [0, END)."""
    if not len(numbers):
        return b""
    least, most = int(numbers.min()), int(numbers.max())
    if least < 0 or most >= END:
        raise ValueError("the numbers must not be negative, and less than 2^56")
    shortest, longest = _length(least), _length(most)
    if longest == 1:
        return numbers.astype(np.uint8).tobytes()
    words = numbers.astype(_WORD)
    lengths = np.full(len(words), shortest, np.intp)
    for length in range(shortest, longest):
        lengths += words >= 2 ** (7 * length)
    for lower, upper, distance in _HALVES:
        words = (words & lower) | ((words & upper) << distance)
    written = (words | _MORE[lengths]).view(np.uint8).reshape(-1, _BYTES)[:, :longest]
    if shortest == longest:
        return written.tobytes()
    return written[np.arange(longest) < lengths[:, np.newaxis]].tobytes()


def decode(data: bytes) -> npt.NDArray[np.int64]:
    """Return the numbers of packed varints; raises ValueError for what are none of 8 bytes."""
    ends = np.flatnonzero(np.frombuffer(data, np.int8) >= 0) + 1
    lengths = np.diff(ends, prepend=0)
    if (ends[-1] if len(ends) else 0) != len(data) or lengths.max(initial=0) > _BYTES:
        raise ValueError("these are no varints of at most 8 bytes")
    # Every word of 8 bytes in the data, whatever place it begins at.
    all_words = np.ndarray(len(data), _WORD, data + bytes(_BYTES), strides=(1,))
    words = all_words[ends - lengths] & _DATA[lengths]
    for lower, upper, distance in reversed(_HALVES):
        words = (words & lower) | ((words >> distance) & upper)
    return words.astype(np.int64)


def _length(number: int) -> int:
    return max(-(-number.bit_length() // 7), 1)
