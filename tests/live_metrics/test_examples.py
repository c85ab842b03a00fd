"""Each file of tests/examples/live_metrics: what is recorded, what is asked, the whole answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.api import annotations_pb2
from tests.live_metrics.conftest import PATHS, LiveApi, live_api
from tests.stack import Start

from vumeter.live_metrics.v1 import live_metrics_rest_pb2

EXAMPLES: dict[str, Any] = {
    path.stem: json.loads(path.read_text())
    for path in sorted((Path(__file__).parent.parent / "examples" / "live_metrics").glob("*.json"))
}
SHARED = [name for name, example in EXAMPLES.items() if not example.get("fresh")]
FRESH = [name for name, example in EXAMPLES.items() if example.get("fresh")]
REFUSED = [
    name
    for name, example in EXAMPLES.items()
    if example["ask"]["method"] == "POST" and example["status"] != 200
]
SERVICE = live_metrics_rest_pb2.DESCRIPTOR.services_by_name["LiveMetricsRestService"]


def check(name: str, live: LiveApi) -> None:
    example = EXAMPLES[name]
    if example["record"]:
        live.record(*example["record"])
    ask = example["ask"]
    if ask["method"] == "GET":
        answer = live.get(ask["path"], **ask["query"])
    else:
        answer = live.post(ask["body"])
    assert answer.json() == example["answer"]
    assert answer.status_code == example["status"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", SHARED)
def test_the_answer_is_that_of_the_example(name: str, live: LiveApi) -> None:
    check(name, live)


@pytest.fixture
def fresh(start: Start, tmp_path: Path) -> Iterator[LiveApi]:
    """A product of which no other test has seen anything."""
    api = live_api(start(tmp_path, VUMETER_ACCESS_LOG="false"))
    yield api
    api.channel.close()
    api.stack.stop()


@pytest.mark.parametrize("name", FRESH)
def test_the_answer_about_all_tenants_is_that_of_the_example(name: str, fresh: LiveApi) -> None:
    check(name, fresh)


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_recording_stores_nothing(name: str, live: LiveApi) -> None:
    example = EXAMPLES[name]
    if example["record"]:
        live.record(*example["record"])
    before = live.get(f"{PATHS}/live").json(), live.get(f"{PATHS}/capacity/debug").json()
    assert live.post(example["ask"]["body"]).status_code == example["status"]
    after = live.get(f"{PATHS}/live").json(), live.get(f"{PATHS}/capacity/debug").json()
    assert after == before


@pytest.mark.parametrize("method", [method.name for method in SERVICE.methods])
def test_each_documented_method_has_a_success_and_an_error_example(method: str) -> None:
    rule = SERVICE.methods_by_name[method].GetOptions().Extensions[annotations_pb2.http]
    path = re.compile(re.sub(r"\{\w+\}", "[^/]+", rule.get or rule.post))
    asked = {
        example["status"] == 200
        for example in EXAMPLES.values()
        if path.fullmatch(example["ask"]["path"])
        and example["ask"]["method"] == ("GET" if rule.get else "POST")
    }
    # A watch has no end: what it answers is in test_watching_over_the_wire.py.
    assert asked == ({False} if method == "WatchMetrics" else {True, False})
