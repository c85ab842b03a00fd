"""Each file of tests/examples/simulation: what is recorded, what is asked, the whole answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.api import annotations_pb2
from tests.simulation.conftest import Organization

from vumeter.simulation.v1 import simulation_rest_pb2

EXAMPLES = {
    path.stem: json.loads(path.read_text())
    for path in sorted((Path(__file__).parent.parent / "examples" / "simulation").glob("*.json"))
}
REFUSED_RECORDINGS = [
    name
    for name, example in EXAMPLES.items()
    if example["ask"]["method"] == "POST" and example["status"] != 200
]
SERVICE = simulation_rest_pb2.DESCRIPTOR.services_by_name["SimulationRestService"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_answer_is_that_of_the_example(name: str, acme: Organization) -> None:
    example = EXAMPLES[name]
    for record in example["record"]:
        acme.record(record["path"], record["body"])
    ask = example["ask"]
    if ask["method"] == "GET":
        answer = acme.get(ask["path"], **ask["query"])
    else:
        answer = acme.post(ask["path"], ask["body"])
    assert answer.json() == example["answer"]
    assert answer.status_code == example["status"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", REFUSED_RECORDINGS)
def test_a_refused_recording_stores_nothing(name: str, acme: Organization) -> None:
    example = EXAMPLES[name]
    for record in example["record"]:
        acme.record(record["path"], record["body"])
    before = everything(acme, example["ask"]["body"])
    acme.post(example["ask"]["path"], example["ask"]["body"])
    assert everything(acme, example["ask"]["body"]) == before


def everything(acme: Organization, body: Any) -> list[Any]:
    """Whatever can be seen of the run tests, executions and calls that a body names."""
    records = body.get("calls", [body])
    return [
        acme.get("/sdk/api/v1/simulation/metrics", **{name: record[name]}).json()
        for record in records
        for name in ("run_test_name", "execution_id", "call_execution_id")
        if record.get(name)
    ]


@pytest.mark.parametrize("method", [method.name for method in SERVICE.methods])
def test_each_documented_method_has_a_success_and_an_error_example(method: str) -> None:
    rule = SERVICE.methods_by_name[method].GetOptions().Extensions[annotations_pb2.http]
    asked = {
        example["status"] == 200
        for example in EXAMPLES.values()
        if example["ask"]["path"].rstrip("/") == (rule.get or rule.post)
        and example["ask"]["method"] == ("GET" if rule.get else "POST")
    }
    assert asked == {True, False}
