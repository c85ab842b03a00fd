"""A product that goes on recording while its store is copied."""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

from tests.stack import Stack

from vumeter_server.access.keys import NewKey

POINTS = 100
RANGE = "startDate=2026-05-01&endDate=2026-05-08"


def call(stack: Stack, key: NewKey, path: str, body: Any = None) -> Any:
    """Return the JSON of an answer."""
    request = urllib.request.Request(
        f"{stack.rest_url}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key.bearer}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def record(stack: Stack, key: NewKey, number: int) -> None:
    """Record POINTS points over seven days; those of one number are recorded once."""
    points = [
        {
            "name": f"metric_{each % 5}",
            "value": number,
            "timestamp": f"2026-05-0{1 + each % 7}T10:{number % 60:02}:{each % 60:02}Z",
            "tags": {"origin": f"o{number % 9}"},
        }
        for each in range(POINTS)
    ]
    call(stack, key, "/v1/custom-metrics", {"points": points, "idempotencyKey": f"b{number}"})


def points_of(report: Any) -> int:
    return sum(each["points"] for each in report["organizations"])


def total_of(stack: Stack, key: NewKey) -> int:
    """Return the sum of everything that was recorded."""
    return sum(call(stack, key, f"/v1/custom-metrics/aggregate?{RANGE}")["data"].values())


@contextlib.contextmanager
def recording(stack: Stack, key: NewKey, numbers: list[int]) -> Iterator[None]:
    """Record on and on, one batch behind the last one of `numbers`, which grows."""
    stopped = threading.Event()

    def go_on() -> None:
        # With pauses, so that a migration gets a turn on a machine of few processors.
        while not stopped.wait(0.1):
            record(stack, key, len(numbers))
            numbers.append(len(numbers))

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
