"""How much the tests try: little for a change, much in the long modes that the Makefile names."""

from __future__ import annotations

import os
from typing import Final, TypeVar

T = TypeVar("T")

LONG: Final = os.environ.get("TEST_LONG", "") not in ("", "0")
"""Whether `make test-long` runs."""

CLUSTER: Final = LONG or os.environ.get("TEST_CLUSTER", "") not in ("", "0")
"""Whether the conformance suites run on a cluster too."""

ON_CLUSTER: Final = os.environ.get("TEST_ON_CLUSTER", "") not in ("", "0")
"""Whether the product that tests share runs on a cluster."""

REQUIRE_CLUSTER: Final = os.environ.get("TEST_REQUIRE_CLUSTER", "") not in ("", "0")
"""Whether tests on a cluster fail, and are not skipped, where npm does not give its engine."""


def tries(few: T, many: T) -> T:
    """Return how many examples or rounds to try, or which ones."""
    return many if LONG else few


def tries_on(store: str, few: int, many: int) -> int:
    """Do as `tries`, with a quarter of the few on ClickHouse, where an example takes seconds."""
    return tries(-(-few // 4) if "clickhouse" in store else few, many)
