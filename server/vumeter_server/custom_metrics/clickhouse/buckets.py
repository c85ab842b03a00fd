"""TimeBuckets of time in statements: an expression, and the bucket of what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TimeBuckets:
    """TimeBuckets between ascending bounds, or of one width from a start on.

    Attributes:
        expression: what distinguishes buckets in a statement; "" for a single one.
        bounds: those that the expression answers; None if it answers the number of the bucket.
    """

    expression: str
    bounds: Sequence[int] | None = None

    @classmethod
    def between(cls, bounds_us: Sequence[int]) -> TimeBuckets:
        """Return the buckets of n + 1 bounds."""
        if len(bounds_us) <= 2:
            return cls("")
        widths = np.unique(np.diff(np.array(bounds_us, np.int64)))
        if len(widths) == 1:
            return cls.of_width(bounds_us[0], int(widths[0]))
        starts = ",".join(map(str, map(int, bounds_us[:-1])))
        return cls(f"roundDown(time_us, CAST([{starts}], 'Array(Int64)'))", bounds_us[:-1])

    @classmethod
    def of_width(cls, start_us: int, width_us: int) -> TimeBuckets:
        """Return buckets of one width."""
        return cls(f"intDiv(time_us - {int(start_us)}, {int(width_us)})")

    def numbers(self, table: pa.Table) -> Integers:
        """Return the number of each row's bucket, from its column `bucket`."""
        if not self.expression:
            return np.zeros(table.num_rows, np.int64)
        found: Integers = table.column("bucket").to_numpy().astype(np.int64)
        if self.bounds is None:
            return found
        numbers: Integers = np.searchsorted(np.array(self.bounds, np.int64), found)
        return numbers
