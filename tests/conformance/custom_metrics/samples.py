"""Points that several tests record: of a few hours, and over several days."""

from __future__ import annotations

from tests.conformance.custom_metrics.asking import DAY_US, HOUR_US, START_US, at
from tests.conformance.custom_metrics.factories import NOON_US
from tests.custom_metrics.points import Point

from vumeter_server.custom_metrics.matchers import Matcher, Operator
from vumeter_server.custom_metrics.questions import DeleteQuery

RANGE = (START_US, START_US + 2 * HOUR_US)
BOOKED, QUEUE, TTFT = "booking_attempt", "queue_length", "ttft_ms"
ABC, DEF, GHI = ({"company_id": each} for each in ("abc", "def", "ghi"))
BATCHES = [
    [
        at(0, value=2, tags={**ABC, "origin": "phone"}, agent_id="agent_1", session_id="s1"),
        at(14.5, value=0.25, tags=ABC, session_id="s1"),
        at(15, value=1, tags=DEF, session_id="s2"),
        at(16, value=4, agent_id="agent_1"),
        *(at(20 + n, TTFT, type="histogram", value=v, tags=ABC) for n, v in enumerate((640, 480))),
        at(30, QUEUE, type="gauge", value=-1, tags=ABC),
    ],
    [
        at(30, QUEUE, value=-3, tags=ABC),
        at(25, QUEUE, value=9, tags=ABC),
        at(75, value=8, tags=GHI, agent_id="agent_2", session_id="s1"),
        at(76, value=8, tags=GHI, session_id="s3"),
        at(80, TTFT, value=1_920, tags=ABC),
    ],
]
"""Two batches of labels, sessions and all types, within `RANGE`."""

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
