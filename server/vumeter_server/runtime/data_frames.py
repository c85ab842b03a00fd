"""Libraries that load pandas where it is installed, though nothing here needs data frames.

Loading it takes most of a second.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Final


class _Without:
    """Says of some modules that they are not installed."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names: Final = names

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        """Leave all other modules to the other finders."""
        if fullname in self._names:
            raise ModuleNotFoundError(f"{fullname} is not to be loaded here", name=fullname)


@contextlib.contextmanager
def without(*names: str) -> Iterator[None]:
    """Let imports find none of these modules, unless the process has loaded them already."""
    finder = _Without(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
