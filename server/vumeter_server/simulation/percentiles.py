"""Percentiles, linear between the closest ranks (numpy's "linear"), rounded as documented."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from vumeter_server.simulation.decimals import exact, round_fraction

DECIMALS = 1

DOCUMENTED = (50.0, 95.0, 99.0)


def percentiles(values: NDArray[np.float64], wanted: Sequence[float]) -> tuple[float, ...]:
    """Return the `wanted` percentiles (0 to 100) of `values`, rounded to 1 decimal.

    With the n values in order and p a percentile, its place is h = (n - 1) * p / 100, and its value
    lies between the values at floor(h) and floor(h) + 1, as far along as the fraction of h says.
    Computed exactly on the decimals reported, then rounded half away from zero. `values` are finite
    and may come in any order; none of them gives none.
    """
    if values.size == 0:
        return ()
    places = [exact(p) * (values.size - 1) / 100 for p in wanted]
    ranks = {rank for place in places for rank in (place.__floor__(), place.__ceil__())}
    ordered = np.partition(values, sorted(ranks)) if ranks else values
    return tuple(round_fraction(_between(ordered, place), DECIMALS) for place in places)


def _between(ordered: NDArray[np.float64], place: Fraction) -> Fraction:
    low = exact(float(ordered[place.__floor__()]))
    high = exact(float(ordered[place.__ceil__()]))
    return low + (high - low) * (place - place.__floor__())
