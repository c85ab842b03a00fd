"""What is made of something once, and then known."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Known(dict[K, V]):
    """Values by key, each made when it is asked for first; its owner clears it."""

    def __init__(self, make: Callable[[K], V]) -> None:
        self._make = make

    def __missing__(self, key: K) -> V:
        """Make the value of a key that is not known yet."""
        made = self[key] = self._make(key)
        return made
