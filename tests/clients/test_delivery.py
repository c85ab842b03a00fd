"""Whatever happens on the way, what was acknowledged is stored once."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.clients.agents import outcome
from tests.clients.conftest import Organization
from tests.clients.faults import (
    SHUTTING_DOWN,
    Fault,
    answering,
    forward,
    held,
    lose_the_answer,
    lose_the_request,
    network_to,
)
from tests.waiting import until

from vumeter_client import Recorder

PAGE = b"<html>Sign in to this network</html>"

FAULTS: dict[str, list[Fault]] = {
    "the request is lost": [lose_the_request],
    "the answer is lost": [lose_the_answer],
    "the answer is lost twice": [lose_the_answer, lose_the_answer],
    "503": [answering(503, SHUTTING_DOWN, retry_after="1")],
    "429": [answering(429, SHUTTING_DOWN, retry_after="1")],
    "500": [answering(500, SHUTTING_DOWN)],
    "502 of a proxy": [answering(502, b"bad gateway")],
    "a redirect": [answering(302, b"", location="/elsewhere")],
    "a page of somebody else": [answering(200, PAGE)],
    "an answer without JSON after it was stored": [lose_the_answer, answering(200, b"")],
    "a date to retry after": [answering(503, SHUTTING_DOWN, retry_after="Thu, 01 Jan 2026 00:00")],
}


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_a_failure_on_the_way_loses_and_doubles_nothing(
    faults: list[Fault], organization: Organization
) -> None:
    with network_to(organization.url, *faults) as network:
        with Recorder(network.url, organization.bearer, interval=0) as recorder:
            for number in range(300):
                recorder.count("turns", tags={"number": str(number)})
            assert recorder.flush(60)
            assert outcome(recorder) == (300, 300, 0, 0, 0)
            assert recorder.stats.last_failure is not None or faults == [lose_the_request]
        # Another attempt has the same points under the same key.
        by_key: dict[str, list[Any]] = {}
        for body in network.seen:
            by_key.setdefault(body["idempotencyKey"], []).append(body["points"])
        assert max(map(len, by_key.values())) == len(faults) + 1
        assert all(each == sent[0] for sent in by_key.values() for each in sent)
    rows = organization.totals(groupBy="number")
    assert {row["number"]: row["metrics"]["turns"] for row in rows} == {
        str(number): 1 for number in range(300)
    }


def test_a_lost_keep_alive_connection_is_no_failure(organization: Organization) -> None:
    with (
        network_to(organization.url, forward, lose_the_request) as network,
        Recorder(network.url, organization.bearer) as recorder,
    ):
        for _ in range(2):
            recorder.count("turns")
            assert recorder.flush(30)
        assert recorder.stats.last_failure is None
    assert organization.totals() == {"turns": 2}


def test_recording_goes_on_while_a_slow_server_answers(organization: Organization) -> None:
    gate = threading.Event()
    with (
        network_to(organization.url, held(gate)) as network,
        Recorder(network.url, organization.bearer, interval=0) as recorder,
    ):
        recorder.count("turns")
        until(lambda: len(network.seen) == 1)
        for _ in range(5_000):
            assert recorder.count("turns")
        assert outcome(recorder) == (5_001, 0, 0, 0, 5_001)
        assert len(network.seen) == 1
        gate.set()
        assert recorder.flush(60)
        assert outcome(recorder) == (5_001, 5_001, 0, 0, 0)
    assert organization.totals() == {"turns": 5_001}


def test_an_answer_that_comes_too_late_is_asked_for_again(organization: Organization) -> None:
    gate = threading.Event()
    with network_to(organization.url, held(gate)) as network:
        with Recorder(network.url, organization.bearer, timeout=0.5) as recorder:
            recorder.count("turns")
            assert recorder.flush(30)
            assert recorder.stats.last_failure == "no answer in time"
        # The first request arrives after all; its key has been used.
        gate.set()
    assert organization.totals() == {"turns": 1}


def test_closing_gives_up_what_nobody_answers(organization: Organization) -> None:
    gate = threading.Event()
    with network_to(organization.url, *[held(gate)] * 10) as network:
        recorder = Recorder(network.url, organization.bearer, interval=0)
        recorder.count("turns")
        until(lambda: len(network.seen) == 1)
        for _ in range(10):
            recorder.count("turns")
        assert not recorder.close(0.5)
        until(lambda: recorder.stats.pending == 0)
        recorded, sent, dropped, rejected, _ = outcome(recorder)
        assert (recorded, sent, dropped, rejected) == (11, 0, 11, 0)
        gate.set()


def test_a_server_that_fails_at_one_batch_does_not_hold_up_the_others(
    organization: Organization, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("vumeter_client.delivery.FIRST_BACKOFF_SECONDS", 0.001)
    damaged = json.dumps({"code": 13, "message": "Stored data is damaged", "details": []})
    faults = [answering(500, damaged.encode())] * 10
    with (
        network_to(organization.url, *faults) as network,
        caplog.at_level(logging.WARNING),
        Recorder(network.url, organization.bearer) as recorder,
    ):
        recorder.count("turns", tags={"number": "1"})
        assert not recorder.flush(30)
        recorder.count("turns", tags={"number": "2"})
        assert recorder.flush(30)
        assert outcome(recorder) == (2, 1, 1, 0, 0)
    assert len(network.seen) == 11
    assert [each.getMessage() for each in caplog.records] == [
        f"{what}: Stored data is damaged (said once; see Recorder.stats)"
        for what in ("sending failed, and is tried again", "points were dropped")
    ]
    rows = organization.totals(groupBy="number")
    assert [row["number"] for row in rows] == ["2"]


GOOD = {"name": "turns", "value": 1}
BAD: dict[str, dict[str, Any]] = {
    "a name": {"name": "no-name"},
    "a reserved tag": {"name": "turns", "tags": {"organization_id": "x"}},
    "a negative counter": {"name": "turns", "value": -1},
    "another type": {"name": "turns", "value": 1, "type": "gauge"},
    "the time": {"name": "turns", "timestamp": 4_000_000_000},
    "a tag that is too long": {"name": "turns", "tags": {"note": "x" * 257}},
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_point_never_takes_its_neighbors(
    bad: dict[str, Any], organization: Organization, caplog: pytest.LogCaptureFixture
) -> None:
    with Recorder(organization.url, organization.bearer) as recorder:
        recorder.count("turns")
        assert recorder.flush(30)
        with caplog.at_level(logging.WARNING):
            for number in range(500):
                assert recorder.record(**(bad if number % 20 == 7 else GOOD))
            assert recorder.flush(60)
        assert outcome(recorder) == (501, 476, 0, 25, 0)
        reason = recorder.stats.last_rejection
        assert reason is not None
        assert "points[" not in reason
    assert organization.totals() == {"turns": 476}
    assert [each.getMessage() for each in caplog.records] == [
        f"a point of {bad['name']!r} was rejected: {reason} (said once; see Recorder.stats)"
    ]


def nameless(status: int) -> Callable[[dict[str, Any]], Fault]:
    """Somebody on the way who answers requests that have a poisoned point, and names none."""
    error = json.dumps({"code": 3, "message": "Malformed request", "details": []}).encode()

    def fault(body: dict[str, Any]) -> Fault:
        poisoned = any("poison" in point.get("tags", {}) for point in body["points"])
        return answering(status, error) if poisoned else forward

    return fault


@pytest.mark.parametrize("status", [400, 413])
def test_a_batch_that_is_rejected_without_a_name_is_halved(
    status: int, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose = nameless(status)
    with network_to(organization.url) as network:
        monkeypatch.setattr(
            "tests.clients.faults.Network.next_fault", lambda each: choose(each.seen[-1])
        )
        with Recorder(network.url, organization.bearer) as recorder:
            for number in range(200):
                tags = {"poison": "yes"} if number in (3, 150) else {}
                recorder.count("turns", tags=tags)
            assert recorder.flush(60)
            assert outcome(recorder) == (200, 198, 0, 2, 0)
            assert recorder.stats.last_rejection == "Malformed request"
    assert organization.totals() == {"turns": 198}


def test_a_key_that_is_not_valid_loses_nothing_for_now(organization: Organization) -> None:
    with Recorder(organization.url, "vmk_unknown.secret") as recorder:
        recorder.count("turns")
        assert not recorder.flush(1)
        assert recorder.stats.last_failure == "Missing or invalid credentials"
        assert outcome(recorder) == (1, 0, 0, 0, 1)
        assert not recorder.close(0.1)
    until(lambda: outcome(recorder) == (1, 0, 1, 0, 0))
