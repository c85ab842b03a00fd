"""What is fuzzed: a function of bytes that nobody has checked, and what it may raise."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vumeter_server.errors import VumeterError


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What reads bytes of a caller or of a file.

    Attributes:
        read: reads them; whatever it raises but `allowed` is a fault.
        seeds: bytes to begin with.
        allowed: what it may raise.
    """

    read: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]
    allowed: tuple[type[Exception], ...]

    def run(self, data: bytes) -> bool:
        """Read bytes; return whether they were taken. Raises what is a fault."""
        try:
            self.read(data)
        except self.allowed as error:
            _check_shown(error)
            return False
        return True


def _check_shown(error: Exception) -> None:
    """Assert that a caller can be shown an error: in UTF-8, neither endless nor empty."""
    if isinstance(error, VumeterError):
        assert 0 < len(error.message.encode()) < 2_000, error.message
        assert all(each.problem for each in error.violations)


def as_json(*values: Any) -> list[bytes]:
    """Return values in JSON."""
    return [json.dumps(each).encode() for each in values]
