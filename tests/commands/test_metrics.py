"""`vumeter metrics`, beside a running server."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from tests.commands.command import at_terminal, parsed, try_vumeter, vumeter
from tests.stack import Stack


class Practice:
    """An organization of the running product."""

    def __init__(self, stack: Stack, organization: str) -> None:
        self._url = f"{stack.rest_url}/v1/custom-metrics"
        bearer = stack.make_key(organization).bearer
        self._headers = {"Authorization": f"Bearer {bearer}"}

    def record(self, **point: Any) -> requests.Response:
        return requests.post(self._url, json={"points": [point]}, headers=self._headers, timeout=10)

    def get(self, path: str, **query: str) -> Any:
        answer = requests.get(
            f"{self._url}/{path}", params=query, headers=self._headers, timeout=10
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


def test_metrics_are_listed_with_their_types(stack: Stack) -> None:
    practice = Practice(stack, "listing")
    practice.record(name="ttft_ms", type="histogram", value=380)
    practice.record(name="booking_attempt")
    practice.record(name="concurrent_sessions", type="gauge", value=4)
    arguments = ("metrics", "list", "--organization", "listing")
    assert parsed(vumeter(*arguments, "--format", "json", db=stack.db_path)) == [
        {"name": "booking_attempt", "type": "counter"},
        {"name": "concurrent_sessions", "type": "gauge"},
        {"name": "ttft_ms", "type": "histogram"},
    ]
    assert vumeter(*arguments, db=stack.db_path) == (
        "name\ttype\nbooking_attempt\tcounter\nconcurrent_sessions\tgauge\nttft_ms\thistogram\n"
    )


def test_a_metric_of_the_wrong_type_is_deleted_and_recorded_again(stack: Stack) -> None:
    practice = Practice(stack, "mending")
    at = {"timestamp": "2025-04-01T10:00:00Z", "sessionId": "session_1"}
    for value in (640, 710, 655):
        assert practice.record(name="e2e_latency_ms", value=value, **at).ok
    practice.record(name="sessions_handled", **at)
    refused = practice.record(name="e2e_latency_ms", type="histogram", value=640, **at)
    assert refused.status_code == 400
    assert "must be counter" in refused.json()["message"]

    printed = vumeter(
        *("metrics", "delete", "--organization", "mending", "e2e_latency_ms", "--yes"),
        db=stack.db_path,
    )
    assert printed == "e2e_latency_ms of mending is deleted\n"
    span = {"startDate": "2025-04-01", "endDate": "2025-04-02"}
    assert practice.get("names") == ["sessions_handled"]
    assert practice.get("aggregate", **span) == {"sessions_handled": 1}
    session = practice.get("sessions/session_1")["result"]
    assert [each["metric"]["metric_name"] for each in session] == ["sessions_handled"]

    assert practice.record(name="e2e_latency_ms", type="histogram", value=720, **at).ok
    assert practice.get("names") == ["e2e_latency_ms", "sessions_handled"]
    assert practice.get("aggregate", **span) == {"e2e_latency_ms": 720, "sessions_handled": 1}
    series = practice.get("timeseries", metricName="e2e_latency_ms", **span)
    assert series["result"][0]["values"] == [[1743501600, "720"]]


def test_another_organizations_metric_of_that_name_stays(stack: Stack) -> None:
    ours, theirs = Practice(stack, "ours"), Practice(stack, "theirs")
    ours.record(name="booking_attempt")
    theirs.record(name="booking_attempt")
    vumeter(
        *("metrics", "delete", "--organization", "ours", "booking_attempt", "--yes"),
        db=stack.db_path,
    )
    assert ours.get("names") == []
    assert theirs.get("names") == ["booking_attempt"]


def test_at_a_terminal_it_asks_before_it_deletes(stack: Stack) -> None:
    practice = Practice(stack, "asking")
    practice.record(name="booking_attempt")
    arguments = ("metrics", "delete", "--organization", "asking", "booking_attempt")
    status, screen = at_terminal(*arguments, db=stack.db_path, typed="n\n")
    assert status == 1
    assert "Delete booking_attempt of asking with all its points? [y/N]" in screen
    assert practice.get("names") == ["booking_attempt"]
    status, screen = at_terminal(*arguments, db=stack.db_path, typed="y\n")
    assert status == 0
    assert practice.get("names") == []


def test_without_a_terminal_it_wants_yes(stack: Stack) -> None:
    practice = Practice(stack, "piping")
    practice.record(name="booking_attempt")
    run = try_vumeter(
        *("metrics", "delete", "--organization", "piping", "booking_attempt"), db=stack.db_path
    )
    assert run.returncode == 2
    assert "give --yes" in run.stderr
    assert practice.get("names") == ["booking_attempt"]


@pytest.mark.parametrize(
    ("organization", "message"),
    [
        ("nobody", "vumeter: there is no organization nobody\n"),
        ("somebody", "vumeter: somebody has no metric faq_query\n"),
    ],
)
def test_what_is_not_there_cannot_be_deleted(stack: Stack, organization: str, message: str) -> None:
    stack.make_key("somebody")
    run = try_vumeter(
        *("metrics", "delete", "--organization", organization, "faq_query", "--yes"),
        db=stack.db_path,
    )
    assert (run.returncode, run.stderr) == (2, message)
