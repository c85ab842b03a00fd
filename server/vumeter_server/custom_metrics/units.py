"""Units of time, in which one metric may come from several exporters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SECONDS: Final[Mapping[str, float]] = {
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "h": 3_600.0,
    "d": 86_400.0,
}
"""The units of time of UCUM that exporters use."""


def time_factor(of: str, to: str) -> float | None:
    """Return by what a value in unit `of` is multiplied to be in `to`; None unless both are time.

    Factors are such that powers of ten are exact: 250 ms are 0.25 s.
    """
    if of not in SECONDS or to not in SECONDS:
        return None
    return SECONDS[of] / SECONDS[to]
