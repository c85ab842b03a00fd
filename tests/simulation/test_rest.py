"""What the documented paths make of requests that no example file can hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from tests.simulation.conftest import PATHS, Organization

from vumeter.simulation.v1 import simulation_pb2 as pb

EXECUTION = "5819e158-0000-4000-8000-000000000001"
CALL = "5af9e484-0000-4000-8000-000000000001"


def record_execution(acme: Organization, name: str = "My Agent Test") -> None:
    acme.record(f"{PATHS}/executions", {"execution_id": EXECUTION, "run_test_name": name})


def one_call(**fields: Any) -> dict[str, Any]:
    return {"call_execution_id": CALL, "execution_id": EXECUTION, **fields}


def refusal(answer: requests.Response) -> tuple[int, int, str]:
    body = answer.json()
    assert set(body) == {"code", "message", "details"}
    return answer.status_code, body["code"], body["message"]


def test_the_documented_python_example_runs_with_another_base_url(acme: Organization) -> None:
    record_execution(acme)
    latencies = [1900, 2180, 3100, 3299, 3373, 3470]
    calls = [
        one_call(
            call_execution_id=f"5af9e484-0000-4000-8000-{number:012}",
            latency={"avg_agent_latency_ms": latency},
        )
        for number, latency in enumerate(latencies)
    ]
    acme.record(f"{PATHS}/calls", {"calls": calls})
    example = """
import requests

url = "https://api.futureagi.com/sdk/api/v1/simulation/metrics/"
headers = {
    "X-Api-Key": "YOUR_API_KEY",
    "X-Secret-Key": "YOUR_SECRET_KEY",
}

# By execution ID
response = requests.get(url, headers=headers, params={
    "execution_id": "YOUR_EXECUTION_ID"
})
data = response.json()
metrics = data["result"]["metrics"]
print(f"P95 Latency: {metrics['latency']['percentiles']['p95']}ms")
"""
    for placeholder, value in (
        ("https://api.futureagi.com", acme.url),
        ("YOUR_API_KEY", acme.key.key_id),
        ("YOUR_SECRET_KEY", acme.key.secret),
        ("YOUR_EXECUTION_ID", EXECUTION),
    ):
        assert placeholder in example
        example = example.replace(placeholder, value)
    printed: list[str] = []
    exec(compile(example, "example.py", "exec"), {"print": printed.append})
    assert printed == ["P95 Latency: 3445.8ms"]


@pytest.mark.parametrize("name", ["My Agent Test", "a+b & c=d%/é 語?", "x" * 256, "\u0000 \n"])
def test_any_name_of_a_run_test_can_be_asked_for(acme: Organization, name: str) -> None:
    record_execution(acme, name)
    for path in (f"{PATHS}/metrics", f"{PATHS}/metrics/"):
        answer = acme.get(path, run_test_name=name).json()
        assert answer["result"]["count"] == 1, answer


def test_numbers_print_as_in_the_document(acme: Organization) -> None:
    record_execution(acme)
    acme.record(
        f"{PATHS}/calls",
        {
            "calls": [
                one_call(
                    duration_seconds=88.0,
                    latency={"avg_agent_latency_ms": 1234},
                    conversation={"user_interruption_count": 0, "user_interruption_rate": 0},
                )
            ]
        },
    )
    by_call = acme.get(f"{PATHS}/metrics", call_execution_id=CALL).text
    assert '"duration_seconds":88,' in by_call
    assert '"avg_agent_latency_ms":1234,' in by_call
    assert '"user_interruption_count":0,"user_interruption_rate":0.0,' in by_call
    by_execution = acme.get(f"{PATHS}/metrics", execution_id=EXECUTION).text
    assert '"avg_agent_latency_ms":1234.0,' in by_execution
    assert '"total_duration_seconds":88}' in by_execution


def test_free_form_objects_keep_their_keys_order_and_numbers(acme: Organization) -> None:
    record_execution(acme)
    reported = '{"z":1,"a":[1.50,{"ü":null}],"big":9007199254740993}'
    body = json.dumps({"calls": [one_call(latency={"customer_latency_metrics": "@"})]})
    acme.record(f"{PATHS}/calls", body.replace('"@"', reported).encode())
    assert (
        reported.replace("1.50", "1.5") in acme.get(f"{PATHS}/metrics", call_execution_id=CALL).text
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "body must be a JSON object, not empty"),
        (b"  ", "body must be a JSON object, not empty"),
        (b"{", "body must be well-formed JSON in UTF-8"),
        (b"\xff\xfe", "body must be well-formed JSON in UTF-8"),
        (b"[]", "body must be an object"),
        (b'{"calls": null}', "calls must not be null"),
        (b'{"calls": [], "calls": []}', "calls must not be repeated"),
        (b'{"calls": [{"status": "failed", "status": "failed"}]}', "calls[0].status must not be"),
        (b'{"calls": [{"duration_seconds": NaN}]}', "calls[0].duration_seconds must be a finite"),
        (
            b'{"calls": [{"duration_seconds": 1e400}]}',
            "calls[0].duration_seconds must be a finite number",
        ),
        (
            b'{"calls": [{"latency": {"customer_latency_metrics": {"a": '
            + b"[" * 100
            + b"]" * 100
            + b"}}}]}",
            "calls[0].call_execution_id must be given",
        ),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    acme: Organization, body: bytes, message: str
) -> None:
    status, code, told = refusal(acme.post(f"{PATHS}/calls", body))
    assert (status, code) == (400, 3)
    assert told.startswith(message)


def test_a_body_of_another_content_type_is_refused(acme: Organization) -> None:
    answer = requests.post(
        f"{acme.url}{PATHS}/executions",
        data="{}",
        headers=acme.headers | {"Content-Type": "text/plain"},
        timeout=20,
    )
    assert refusal(answer) == (400, 3, "Content-Type must be application/json")


def test_a_body_of_more_than_4_mib_is_refused(acme: Organization) -> None:
    record_execution(acme)
    answer = acme.post(f"{PATHS}/calls", b'{"calls": []' + b" " * 5_000_000 + b"}")
    assert refusal(answer)[:2] == (413, 8)


def test_a_batch_of_10001_calls_is_refused(acme: Organization) -> None:
    record_execution(acme)
    answer = acme.post(f"{PATHS}/calls", {"calls": [one_call()] * 10_001})
    assert refusal(answer) == (400, 3, "calls must hold at most 10000 calls")
    assert acme.get(f"{PATHS}/metrics", call_execution_id=CALL).status_code == 404


@pytest.mark.parametrize(
    "query",
    ["run_test_name=%ff", "execution_id=%ff", "page=%ff&run_test_name=a", "call_execution_id=%00"],
)
def test_a_query_that_is_no_text_is_refused(acme: Organization, query: str) -> None:
    answer = requests.get(f"{acme.url}{PATHS}/metrics?{query}", headers=acme.headers, timeout=20)
    assert refusal(answer)[:2] == (400, 3)


def test_an_unknown_parameter_is_refused_by_name(acme: Organization) -> None:
    status, code, message = refusal(acme.get(f"{PATHS}/metrics", executionId=EXECUTION))
    assert (status, code) == (400, 3)
    assert "executionId" in message


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/compare", "/executions", "/calls"])
def test_every_path_asks_for_a_key(acme: Organization, path: str) -> None:
    method = "POST" if path in ("/executions", "/calls") else "GET"
    key = acme.key
    for headers in (
        {},
        {"X-Api-Key": key.key_id},
        {"X-Api-Key": key.key_id, "X-Secret-Key": "wrong"},
        {"X-Api-Key": "vmk_" + "a" * 20, "X-Secret-Key": key.secret},
        {"Authorization": f"Bearer {key.bearer}"},
    ):
        answer = requests.request(method, f"{acme.url}{PATHS}{path}", headers=headers, timeout=20)
        assert refusal(answer) == (401, 16, "Missing or invalid credentials")


def test_another_organization_finds_nothing(acme: Organization, rival: Organization) -> None:
    record_execution(acme)
    acme.record(f"{PATHS}/calls", {"calls": [one_call(duration_seconds=88)]})
    for query, message in (
        ({"call_execution_id": CALL}, "Call execution not found."),
        ({"execution_id": EXECUTION}, "Test execution not found."),
        ({"run_test_name": "My Agent Test"}, "Run test not found."),
    ):
        assert refusal(rival.get(f"{PATHS}/metrics/", **query)) == (404, 5, message)
    answer = rival.post(f"{PATHS}/calls", {"calls": [one_call()]})
    assert refusal(answer) == (404, 5, "Test execution not found.")
    same = acme.get(f"{PATHS}/metrics/", call_execution_id=CALL).json()
    assert same["result"]["duration_seconds"] == 88


def test_a_page_past_the_last_is_not_found_however_far(acme: Organization) -> None:
    record_execution(acme)
    for page in ("2", "9" * 18, "9" * 4_000):
        answer = acme.get(f"{PATHS}/metrics/", run_test_name="My Agent Test", page=page)
        assert refusal(answer) == (404, 5, "Invalid page.")


def test_a_run_test_made_over_grpc_may_have_no_executions(acme: Organization) -> None:
    request = pb.RecordRunTestRequest(run_test_name="Empty")
    acme.stub.RecordRunTest(request, metadata=acme.metadata)
    assert acme.get(f"{PATHS}/metrics/", run_test_name="Empty").json() == {
        "status": True,
        "result": {"total_pages": 1, "current_page": 1, "count": 0, "results": []},
    }
    answer = acme.get(f"{PATHS}/metrics/", run_test_name="Empty", page="2")
    assert refusal(answer) == (404, 5, "Invalid page.")
