"""Whether this process has met damage in the database file, for its health."""

from __future__ import annotations


class Damage:
    """Becomes true once damage was met, and stays so until the process ends.

    The writer and the readers note it in their threads; anybody may ask.
    """

    def __init__(self) -> None:
        self._is_met = False

    @property
    def is_met(self) -> bool:
        """Whether a query, a recording or background work met damage since the start."""
        return self._is_met

    def note(self) -> None:
        """Say that damage was met."""
        self._is_met = True
