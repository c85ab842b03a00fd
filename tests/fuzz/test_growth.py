"""What a long run of fuzzing calls growth, and what it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.fuzz.growth import Taken, growth

HALF = Taken(
    requests=500_000,
    megabytes=(300.0, 100.0),
    descriptors=(60, 90),
    threads=(30, 10),
    log_mb=64.0,
)
END = replace(HALF, requests=1_000_000)


@pytest.mark.parametrize(
    "changed",
    [
        {"megabytes": (300.0 + 400 * 500_000 / 1e6, 100.0)},
        {"megabytes": (300.0, 100.0 + 400 * 500_000 / 1e6)},
        {"descriptors": (60 + 21, 90)},
        {"descriptors": (60, 90 + 500)},
        {"threads": (30 + 11, 10)},
        {"log_mb": 193.0},
    ],
    ids=str,
)
def test_a_leak_is_growth(changed: dict[str, Any]) -> None:
    assert len(growth(HALF, replace(END, **changed))) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"megabytes": (200.0, 100.0)},
        {"megabytes": (330.0, 110.0), "descriptors": (70, 95), "threads": (34, 10)},
        {"log_mb": 67.1},
    ],
    ids=str,
)
def test_caches_that_fill_are_not(changed: dict[str, Any]) -> None:
    assert growth(HALF, replace(END, **changed)) == []
