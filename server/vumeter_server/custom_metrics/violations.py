"""What is wrong with the points of a batch, found rule by rule, listed point by point."""

from __future__ import annotations

from bisect import insort_right
from collections.abc import Iterable

from vumeter_server.errors import MAX_VIOLATIONS, InvalidArgument, Violation


class Findings:
    """Collects violations such as `points[3].value must be a finite number`.

    The first ten are kept: by point, and for one point in the order in which they were noted.
    `field` is the repeated field whose elements are spoken of; an attribute of "" is an element.
    """

    def __init__(self, field: str = "points") -> None:
        self._field = field
        self._found: list[tuple[int, Violation]] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def wants(self, index: int) -> bool:
        """Whether a violation of this point would still be among the first ten."""
        return len(self._found) < MAX_VIOLATIONS or index < self._found[-1][0]

    def add(self, index: int, attribute: str, problem: str) -> None:
        """Note a problem of one attribute of one point."""
        if not self.wants(index):
            return
        violation = Violation(
            field=f"{self._field}[{index}]{attribute and '.'}{attribute}", problem=problem
        )
        insort_right(self._found, (index, violation), key=_point)
        del self._found[MAX_VIOLATIONS:]

    def add_each(self, indexes: Iterable[int], attribute: str, problem: str) -> None:
        """Note the same problem for several points, in order."""
        for index in indexes:
            if not self.wants(index):
                break
            self.add(index, attribute, problem)

    def raise_any(self) -> None:
        """Raise InvalidArgument if anything was noted."""
        if self._found:
            raise InvalidArgument(violations=[violation for _, violation in self._found])


def _point(found: tuple[int, Violation]) -> int:
    return found[0]
