"""Arrays that grow at their end while readers go on with the part they know."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

G = TypeVar("G", bound=np.generic)


class GrowingArray(Generic[G]):
    """An array to which one thread at a time appends.

    A slice taken before an append stays what it was: elements are never changed, and when the room
    is used up the elements move to a new array.
    """

    __slots__ = ("_array", "_length")

    def __init__(self, dtype: npt.DTypeLike, initial: npt.NDArray[G] | None = None) -> None:
        self._array: npt.NDArray[G] = np.empty(0, dtype) if initial is None else initial
        self._length = len(self._array)

    def __len__(self) -> int:
        return self._length

    def append(self, elements: npt.NDArray[G]) -> None:
        """Add elements at the end."""
        length = self._length + len(elements)
        if length > len(self._array):
            grown = np.empty(max(length, 2 * len(self._array), 256), self._array.dtype)
            grown[: self._length] = self._array[: self._length]
            self._array = grown
        self._array[self._length : length] = elements
        self._length = length

    def view(self, stop: int | None = None) -> npt.NDArray[G]:
        """Return the first `stop` elements, all by default."""
        return self._array[: self._length if stop is None else stop]
