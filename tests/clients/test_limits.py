"""What the client does when the server takes no more: it waits, or gives up one metric."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.clients.agents import outcome
from tests.clients.conftest import Organization
from tests.clients.faults import SHUTTING_DOWN, Fault, answering, forward, network_to
from tests.commands.command import vumeter
from tests.waiting import until

from vumeter_client import Recorder
from vumeter_client.errors import retry_after_of

NOW = "Fri, 27 Nov 2026 12:00:00 GMT"
RETRY_AFTER = [
    ({"retry-after": "7"}, 7),
    ({"retry-after": " 0 "}, 0),
    ({"retry-after": "Fri, 27 Nov 2026 12:00:30 GMT", "date": NOW}, 30),
    ({"retry-after": "Fri, 27 Nov 2026 12:00:30 -0000", "date": NOW}, 30),
    ({"retry-after": "Fri, 27 Nov 2026 11:00:00 GMT", "date": NOW}, 0),
    ({"retry-after": "Thu, 01 Jan 2026 00:00:00 GMT"}, 0),
    ({"retry-after": "soon", "date": NOW}, None),
    ({"retry-after": "-1"}, None),
    ({"retry-after": "Fri, 99 Nov 2026 12:00:00 GMT"}, None),
    ({"retry-after": ""}, None),
    ({}, None),
]


@pytest.mark.parametrize(("headers", "seconds"), RETRY_AFTER)
def test_retry_after_may_be_seconds_or_a_date(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after_of(headers) == seconds


def test_a_date_to_retry_after_is_honored(organization: Organization) -> None:
    later = "Fri, 01 Jan 2100 00:00:00 GMT"
    busy = answering(503, SHUTTING_DOWN, retry_after=later)
    with network_to(organization.url, busy) as network:
        with Recorder(network.url, organization.bearer) as recorder:
            recorder.count("turns")
            assert not recorder.flush(2)
            assert len(network.seen) == 1
            assert recorder.close(30)
        assert len(network.seen) == 2
    assert organization.totals() == {"turns": 1}


def test_retry_after_is_honored_by_flush_too(organization: Organization) -> None:
    busy = answering(429, SHUTTING_DOWN, retry_after="3600")
    with network_to(organization.url, busy) as network:
        with Recorder(network.url, organization.bearer) as recorder:
            recorder.count("turns")
            assert not recorder.flush(2)
            assert len(network.seen) == 1
            assert recorder.stats.last_failure == "Service unavailable"
            # There may be no later: closing tries once more.
            assert recorder.close(30)
        assert len(network.seen) == 2
    assert organization.totals() == {"turns": 1}


def test_a_metric_beyond_the_limit_takes_its_points_alone(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server names the first point of the first metric that is one too many."""

    def choose(body: dict[str, Any]) -> Fault:
        for index, point in enumerate(body["points"]):
            if point["name"].startswith("new_"):
                problem = f"must not add to the limit of 5,000 metrics: {point['name']}"
                field = f"points[{index}].name"
                detail = {
                    "@type": "type.googleapis.com/google.rpc.BadRequest",
                    "fieldViolations": [{"field": field, "description": f"{field} {problem}"}],
                }
                error = {"code": 8, "message": f"{field} {problem}", "details": [detail]}
                return answering(429, json.dumps(error).encode(), retry_after="3600")
        return forward

    with network_to(organization.url) as network:
        monkeypatch.setattr(
            "tests.clients.faults.Network.next_fault", lambda each: choose(each.seen[-1])
        )
        with Recorder(network.url, organization.bearer) as recorder:
            for number in range(300):
                recorder.count(("turns", "new_a", "new_b")[number % 3])
            assert recorder.flush(60)
            assert outcome(recorder) == (300, 100, 0, 200, 0)
            reason = recorder.stats.last_rejection
            assert reason == "name must not add to the limit of 5,000 metrics: new_b"
        # Once with all, once without the one, once without both.
        assert len(network.seen) == 3
    assert organization.totals() == {"turns": 100}


def test_a_metric_beyond_the_limit_of_the_product_is_rejected_alone(
    organization: Organization,
) -> None:
    with Recorder(organization.url, organization.bearer) as recorder:
        recorder.count("turns")
        assert recorder.flush(30)
        vumeter(
            *("limits", "set", "--organization", organization.name, "--metrics", "1"),
            db=organization.stack.db_path,
        )

        def limit() -> int:
            found: int = organization.get("/usage")["limits"]["metrics"]
            return found

        until(lambda: limit() == 1)
        for number in range(200):
            recorder.count(("turns", "new_a")[number % 2])
        assert recorder.flush(60)
        assert outcome(recorder) == (201, 101, 0, 100, 0)
        assert "must not add to the limit of 1 metrics: new_a" in str(recorder.stats.last_rejection)
    assert organization.totals() == {"turns": 101}
