"""Units of cached points: what is read from the segments, and dropped, together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.exact_sums import FRACTIONS, SCALE
from vumeter_server.custom_metrics.sqlite.rollups.intervals import EXACT_BELOW

# So many days of one metric are one unit, so that a week seldom lies in two.
DAYS_PER_UNIT = 16
# The ends of a range are on up to so many days.
_FEW_DAYS = 2

Floats = npt.NDArray[np.float64]


# Named tuples are made and hashed faster than dataclasses.
class Unit(NamedTuple):
    """Days [first, end) of one metric, or of all that are asked for if `code` is None."""

    code: int | None
    first: int
    end: int


def units_of(codes: Sequence[int], days: Sequence[int]) -> list[Unit]:
    """Return the units that hold the points of some metrics on some days, both in order."""
    if len(codes) == 1 and len(days) > _FEW_DAYS:
        numbers = dict.fromkeys([day // DAYS_PER_UNIT for day in days])
        return [
            Unit(codes[0], number * DAYS_PER_UNIT, (number + 1) * DAYS_PER_UNIT)
            for number in numbers
        ]
    return [Unit(None, day, day + 1) for day in days]


def parts_of(values: Floats) -> Floats:
    """Return counts of 1, then ExactSums' parts of values, up to the last that is not 0."""
    units = np.trunc(values)
    rows = [np.ones(len(values)), units]
    rest = (values - units) * SCALE
    while rest.any() and len(rows) < 1 + FRACTIONS:
        units = np.trunc(rest)
        rows.append(units)
        rest = (rest - units) * SCALE
    if rest.any():
        rows.append(rest)
    return np.stack(rows)


def are_exact(sums: Floats) -> bool:
    """Whether the sums of `parts_of` are, row by row; only the last of all parts may be rounded."""
    return bool(np.abs(sums[: 1 + FRACTIONS]).max(initial=0.0) < EXACT_BELOW)
