"""Cuts the attributes that every call has others of out of the bytes of a point, unread.

An attribute begins with its tag, its length, and the tag, length and text of its key, so those of
some keys are found by a search. What is found may lie within the text of another attribute, so what
is left has to be read once: only if each piece of it is a whole number of fields, each attribute
between them is one as well, whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

_ATTRIBUTE: Final = rb"\x3a[\x00-\x7f]"
_HEAD_BYTES: Final = 2


@dataclass(frozen=True, slots=True)
class Cutter:
    """Cuts out attributes; `prefixes` are what those begin with."""

    prefixes: tuple[bytes, ...]
    _pattern: re.Pattern[bytes] = field(init=False)

    def __post_init__(self) -> None:
        """Compile the search; that without prefixes finds nothing."""
        either = b"|".join(map(re.escape, self.prefixes)) or rb"(?!)"
        pattern = re.compile(_ATTRIBUTE + b"(?:" + either + b")", re.DOTALL)
        object.__setattr__(self, "_pattern", pattern)

    def cut(self, data: bytes) -> tuple[tuple[bytes, ...], Sequence[bytes]]:
        """Return the pieces that are left, and the attributes that were between them."""
        found = self._pattern.search(data)
        if found is None:
            return (data,), ()
        start = found.start()
        stop = start + _HEAD_BYTES + data[start + 1]
        if found.end() <= stop <= len(data) and self._pattern.search(data, stop) is None:
            return (data[:start], data[stop:]), (data[start + _HEAD_BYTES : stop],)
        pieces, apart = [], []
        end = 0
        for found in self._pattern.finditer(data):
            start = found.start()
            stop = start + _HEAD_BYTES + data[start + 1]
            if start >= end and found.end() <= stop <= len(data):
                pieces.append(data[end:start])
                apart.append(data[start + _HEAD_BYTES : stop])
                end = stop
        pieces.append(data[end:])
        return tuple(pieces), apart
