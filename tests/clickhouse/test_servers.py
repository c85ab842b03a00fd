"""Two products on one cluster answer as one, with real Envoys before them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from tests.clickhouse.cluster import ClickHouseCluster, new_database
from tests.commands.command import parsed, try_vumeter, vumeter
from tests.stack import Stack, start_stack
from tests.waiting import until

POINT = {"name": "booking_attempt", "type": "counter", "value": 1, "agentId": "agent-1"}
TIME = "2026-05-01T10:00:00Z"
RANGE = "startDate=2026-05-01&endDate=2026-05-02"
EXECUTION_ID = "5819e158-0000-4000-8000-000000000001"
CALL_ID = "5af9e484-0000-4000-8000-00000000000{}"


@pytest.fixture(scope="module")
def store(clickhouse_cluster: ClickHouseCluster) -> str:
    """VUMETER_STORE of a database that there is not yet."""
    return clickhouse_cluster.store(new_database())


@pytest.fixture(scope="module")
def stacks(store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Stack]]:
    """Two products; the first one makes the tables."""
    started = [start_stack(tmp_path_factory.mktemp("stack"), VUMETER_STORE=store) for _ in range(2)]
    yield started
    for stack in started:
        stack.stop()


def created(store: str, role: str, organization: str) -> dict[str, Any]:
    made: dict[str, Any] = parsed(
        vumeter(
            *("keys", "create", "--organization", organization, "--role", role),
            *("--format", "json"),
            VUMETER_STORE=store,
        )
    )
    return made


def call(
    stack: Stack, method: str, path: str, key: dict[str, Any], body: Any = None, **headers: str
) -> tuple[int, Any]:
    """Return the status and the JSON of an answer."""
    request = urllib.request.Request(
        f"{stack.rest_url}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {key['bearer']}",
            "Content-Type": "application/json",
            **headers,
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def record(
    stack: Stack, key: dict[str, Any], idempotency_key: str, value: int = 1
) -> tuple[int, Any]:
    points = [POINT | {"value": value, "timestamp": TIME}]
    body = {"points": points, "idempotencyKey": idempotency_key}
    return call(stack, "POST", "/v1/custom-metrics", key, body)


def total(stack: Stack, key: dict[str, Any]) -> Any:
    status, answer = call(stack, "GET", f"/v1/custom-metrics/aggregate?{RANGE}", key)
    assert status == 200
    return answer


def test_what_one_server_records_is_in_the_next_answer_of_the_other(
    stacks: list[Stack], store: str
) -> None:
    one, other = stacks
    key = created(store, "owner", "recorded")
    for number in range(1, 6):
        status, _ = record(stacks[number % 2], key, f"batch-{number}")
        assert status == 200
        assert total(one, key) == total(other, key)
        assert total(other, key) == {"data": {"booking_attempt": number}}


def test_an_idempotency_key_is_one_for_all_servers(stacks: list[Stack], store: str) -> None:
    one, other = stacks
    key = created(store, "owner", "repeated")
    assert record(one, key, "batch", 1)[0] == 200
    assert record(other, key, "batch", 1)[0] == 200
    assert record(other, key, "batch", 2)[0] == 409
    assert total(one, key) == {"data": {"booking_attempt": 1}}


def test_simulations_are_the_same_on_all_servers(stacks: list[Stack], store: str) -> None:
    one, other = stacks
    key = created(store, "owner", "simulated")
    keys = {"X-Api-Key": key["key_id"], "X-Secret-Key": key["bearer"].partition(".")[2]}
    base = "/sdk/api/v1/simulation"
    execution = {"execution_id": EXECUTION_ID, "run_test_name": "Booking", "status": "completed"}
    simulated = {"execution_id": EXECUTION_ID, "status": "completed", "duration_seconds": 88}
    calls = [simulated | {"call_execution_id": CALL_ID.format(number)} for number in range(3)]
    # The execution has to be there before its calls, on whichever server.
    assert call(one, "POST", f"{base}/executions", key, execution, **keys)[0] == 200
    assert call(other, "POST", f"{base}/calls", key, {"calls": calls}, **keys)[0] == 200
    for stack in stacks:
        status, answer = call(stack, "GET", f"{base}/run-tests", key, **keys)
        (run_test,) = answer["result"]["results"]
        assert (status, run_test["execution_count"]) == (200, 1)


def test_a_key_that_is_revoked_is_refused_by_every_server(stacks: list[Stack], store: str) -> None:
    key = created(store, "owner", "revoked")
    for stack in stacks:
        assert call(stack, "GET", "/v1/custom-metrics/names", key)[0] == 200
    vumeter("keys", "revoke", key["key_id"], VUMETER_STORE=store)

    def is_refused_by(stack: Stack) -> bool:
        return bool(call(stack, "GET", "/v1/custom-metrics/names", key)[0] == 401)

    for stack in stacks:
        until(partial(is_refused_by, stack))


def test_a_command_that_needs_a_file_says_so(store: str) -> None:
    for command in (("db", "info"), ("backup", "copy.db")):
        run = try_vumeter(*command, VUMETER_STORE=store)
        assert (run.returncode, run.stdout) == (2, "")
        (line,) = run.stderr.splitlines()
        assert "VUMETER_STORE names ClickHouse" in line


def test_commands_list_what_there_is(stacks: list[Stack], store: str) -> None:
    key = created(store, "owner", "listed")
    listed = parsed(vumeter("keys", "list", "--format", "json", VUMETER_STORE=store))
    (found,) = [each for each in listed if each["organization"] == "listed"]
    assert found["key_id"] == key["key_id"]
    vumeter("limits", "set", "--organization", "listed", "--metrics", "7", VUMETER_STORE=store)
    shown = vumeter(
        "limits", "show", "--organization", "listed", "--format", "json", VUMETER_STORE=store
    )
    assert {"limit": "metrics", "value": 7, "is_own": True} in parsed(shown)
