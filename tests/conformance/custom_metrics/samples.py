"""Points over several days, and what is deleted of them."""

from __future__ import annotations

from tests.conformance.custom_metrics.asking import DAY_US
from tests.conformance.custom_metrics.factories import NOON_US
from tests.custom_metrics.points import Point

from vumeter_server.custom_metrics.matchers import Matcher, Operator
from vumeter_server.custom_metrics.questions import DeleteQuery

OF_COMPANY = DeleteQuery(filters=(Matcher("company_id", Operator.EQUAL, ("c1",)),))


def spread(count: int) -> list[Point]:
    """Return points of two metrics over 20 days."""
    return [
        Point(
            name=("booking_attempt", "ttft_ms")[number % 2],
            type=("counter", "histogram")[number % 2],
            value=number % 50 / 4,
            timestamp=NOON_US - number * 7_919 % (20 * DAY_US // 1_000) * 1_000,
            session_id=f"session_{number % 40}",
            tags={"company_id": f"c{number % 5}"},
        )
        for number in range(count)
    ]
