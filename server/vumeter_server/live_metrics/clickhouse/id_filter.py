"""Which ids may be in the table: most ids that servers get are new, and need no look.

A bit of a bitmap stands for many ids, so an id that is new may seem to be known; it is looked up
then. Bits stay when ids are dropped, until the server starts again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

_BITS: Final = 28
"""32 MiB. Of ten million ids one in 27 new ones is looked up."""
_SHIFT: Final = 32 - _BITS
_CALL: Final = b"c"

Bits = npt.NDArray[np.uint32]


def event_bit(column: str) -> str:
    """Return the expression of the bit of an event's id."""
    return f"bitShiftRight(CRC32({column}), {_SHIFT})"


def call_bit(column: str) -> str:
    """Return the expression of the bit of a call's id."""
    return event_bit(f"concat('{_CALL.decode()}', {column})")


class IdFilter:
    """The ids of events and calls, each a bit."""

    def __init__(self) -> None:
        self._bytes = np.zeros(1 << (_BITS - 3), np.uint8)

    def add(self, bits: Bits) -> None:
        """Add ids by their bits."""
        np.bitwise_or.at(self._bytes, bits >> 3, np.left_shift(1, bits & 7).astype(np.uint8))

    def add_ids(self, event_ids: Iterable[str], call_ids: Iterable[str]) -> None:
        """Add ids."""
        self.add(_event_bits(event_ids))
        self.add(_call_bits(call_ids))

    def events(self, event_ids: Iterable[str]) -> list[str]:
        """Return those of some events' ids that may be known."""
        ids = list(event_ids)
        return self._held(ids, _event_bits(ids))

    def calls(self, call_ids: Iterable[str]) -> list[str]:
        """Return those of some calls' ids that may be known."""
        ids = list(call_ids)
        return self._held(ids, _call_bits(ids))

    def _held(self, ids: list[str], bits: Bits) -> list[str]:
        is_held = (self._bytes[bits >> 3] >> (bits & 7).astype(np.uint8)) & 1
        return [ids[index] for index in np.flatnonzero(is_held)]


def _event_bits(ids: Iterable[str]) -> Bits:
    return np.fromiter((zlib.crc32(each.encode()) >> _SHIFT for each in ids), np.uint32)


def _call_bits(ids: Iterable[str]) -> Bits:
    return np.fromiter((zlib.crc32(_CALL + each.encode()) >> _SHIFT for each in ids), np.uint32)
