"""One line of a report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What was measured; `limit` is the highest `value` that will do, or the lowest, if any."""

    what: str
    value: float
    unit: str
    limit: float | None = None
    higher_is_better: bool = False

    @property
    def verdict(self) -> str:
        """Whether the limit is kept: `holds` or `short`; "" without one."""
        if self.limit is None:
            return ""
        if self.higher_is_better:
            return "holds" if self.value >= self.limit else "short"
        return "holds" if self.value <= self.limit else "short"

    @property
    def bound(self) -> str:
        """The limit as text."""
        if self.limit is None:
            return ""
        return f"{'≥' if self.higher_is_better else '≤'} {self.limit:g}"
