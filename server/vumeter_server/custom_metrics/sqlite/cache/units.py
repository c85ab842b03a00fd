"""Units of cached points: what is read from the segments, and dropped, together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.exact_sums import FRACTIONS, SCALE
from vumeter_server.custom_metrics.sqlite.rollups.intervals import EXACT_BELOW

# So many days of one metric are one unit. The first unit of a range begins at a multiple of half as
# many, so that a week is never in two.
DAYS_PER_UNIT = 16
_FIRST_DAY_STEP = DAYS_PER_UNIT // 2
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
        first = days[0] - days[0] % _FIRST_DAY_STEP
        if days[-1] < first + DAYS_PER_UNIT:
            return [Unit(codes[0], first, first + DAYS_PER_UNIT)]
        starts = dict.fromkeys([day - (day - first) % DAYS_PER_UNIT for day in days])
        return [Unit(codes[0], start, start + DAYS_PER_UNIT) for start in starts]
    return [_unit_of_day(day) for day in days]


@lru_cache(maxsize=4_096)
def _unit_of_day(day: int) -> Unit:
    return Unit(None, day, day + 1)


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
    """Whether the sums of values' parts are, row by row; only the last one may be rounded."""
    return bool(np.abs(sums[:FRACTIONS]).max(initial=0.0) < EXACT_BELOW)
