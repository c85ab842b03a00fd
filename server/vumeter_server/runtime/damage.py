"""Whether this process has met damage in the storage, and where: for its health and own metrics."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

UNKNOWN_TABLE: Final = "unknown"
"""The name where damage was met outside of any statement."""

_TEXT = re.compile(r"'(?:[^']|'')*'")
_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE|TABLE|JOIN)\s+(?:\w+\.)?([a-z]\w*)", re.IGNORECASE)


class Damage:
    """The tables in which damage was met; they stay until the process ends.

    The writer and the readers note it in their threads; anybody may ask.
    """

    def __init__(self) -> None:
        self._tables: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    @property
    def is_met(self) -> bool:
        """Whether a query, a recording or background work met damage since the start."""
        return bool(self._tables)

    @property
    def tables(self) -> Sequence[str]:
        """The tables where it was met, sorted; UNKNOWN_TABLE among them if that is not known."""
        return sorted(self._tables)

    def by_table(self) -> Mapping[str, float] | float:
        """Return 1 by table where damage was met, or else 0: what own metrics show."""
        return dict.fromkeys(self.tables, 1.0) or 0.0

    def note(self, tables: Iterable[str] = ()) -> None:
        """Say that damage was met, in these tables if they are known."""
        with self._lock:
            self._tables |= frozenset(tables) or {UNKNOWN_TABLE}


def tables_of(sql: str) -> list[str]:
    """Return the tables that a statement names, without their database."""
    return sorted(set(_TABLE.findall(_TEXT.sub("''", sql))))
