"""What one look of the doctor found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class FindingStatus(Enum):
    """What a finding means for the operator."""

    OK = "ok"
    WARNING = "warning"
    """Nothing is wrong yet, but look at it."""
    PROBLEM = "problem"
    """Something is wrong, or data is at risk."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One row of the doctor's table.

    Attributes:
        check: what was looked at, in one or two words.
        found: what is there.
        advice: what to do; "" where there is nothing to do.
    """

    check: str
    found: str
    status: FindingStatus = FindingStatus.OK
    advice: str = ""


def warning(check: str, found: str, advice: str) -> Finding:
    """Return a finding that the operator should look at."""
    return Finding(check=check, found=found, status=FindingStatus.WARNING, advice=advice)


def problem(check: str, found: str, advice: str) -> Finding:
    """Return a finding that the operator has to do something about."""
    return Finding(check=check, found=found, status=FindingStatus.PROBLEM, advice=advice)


def size_text(size_bytes: int) -> str:
    """Return bytes for people: `42.0 MiB`."""
    for unit, bytes_of_unit in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size_bytes >= bytes_of_unit:
            return f"{size_bytes / bytes_of_unit:.1f} {unit}"
    return f"{size_bytes} bytes"
