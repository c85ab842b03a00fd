"""How much an organization may send and store: defaults by settings, changed per organization."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

NO_LIMIT: Final = 0
"""The value of a rate that is not limited."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The limits of an organization.

    Attributes:
        requests_per_second: how many calls each of its keys may make; NO_LIMIT for any.
        points_per_second: how many points of custom metrics each of its keys may record; NO_LIMIT
            for any.
        metrics: how many custom metrics it has at most.
        label_sets: how many label sets its points have at most.
        label_values: how many values each of their labels has at most.
    """

    requests_per_second: int = NO_LIMIT
    points_per_second: int = NO_LIMIT
    metrics: int = 5_000
    label_sets: int = 1_000_000
    label_values: int = 100_000

    def changed_by(self, own: Mapping[str, int]) -> Limits:
        """Return these limits with those that an organization has of its own."""
        return replace(self, **own) if own else self


DEFAULT_LIMITS: Final = Limits()

RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "requests_per_second": (NO_LIMIT, 1_000_000),
    "points_per_second": (NO_LIMIT, 100_000_000),
    "metrics": (1, 30_000),
    "label_sets": (1, 100_000_000),
    "label_values": (1, 10_000_000),
}
"""The least and the greatest value of each limit, by its name."""
