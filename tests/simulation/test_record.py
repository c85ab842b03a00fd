from __future__ import annotations

from typing import Any

import pytest

from vumeter_server.errors import InvalidArgument
from vumeter_server.simulation.model import NUMBER_NAMES, CallReport
from vumeter_server.simulation.validation import (
    CallChecker,
    check_batch_size,
    checked_count,
    checked_run_test_name,
    checked_uuid,
)

CALL = "5AF9E484-0000-4000-8000-000000000001"
EXECUTION = "5819e158-0000-4000-8000-000000000001"


def checked(status: str | None = None, **fields: Any) -> CallReport:
    checker = CallChecker()
    checker.add(
        call_execution_id=fields.pop("call_execution_id", CALL),
        execution_id=fields.pop("execution_id", EXECUTION),
        status=status,
        objects=fields.pop("objects", (None, None)),
        numbers=[fields.pop(name, None) for name in NUMBER_NAMES],
    )
    (report,) = checker.reports()
    assert not fields
    return report


def refusal(**fields: Any) -> list[str]:
    with pytest.raises(InvalidArgument) as refused:
        checked(**fields)
    return [each.sentence for each in refused.value.violations]


def nested(depth: int) -> dict[str, Any]:
    return {} if depth == 1 else {"inner": nested(depth - 1)}


def test_a_call_is_completed_unless_it_says_otherwise() -> None:
    report = checked(avg_agent_latency_ms=1234.0)
    assert report.status == "completed"
    assert report.call_execution_id == CALL.lower()
    assert report.numbers[NUMBER_NAMES.index("avg_agent_latency_ms")] == 1234.0


def test_numbers_are_rounded_to_six_decimals() -> None:
    report = checked(talk_ratio=0.21712349)
    assert report.numbers[NUMBER_NAMES.index("talk_ratio")] == 0.217123


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"duration_seconds": -88.0},
            "calls[0].duration_seconds must not be negative",
        ),
        (
            {"response_time_ms": float("nan")},
            "calls[0].latency.response_time_ms must be finite",
        ),
        (
            {"csat_score": float("inf")},
            "calls[0].chat_metrics.csat_score must be finite",
        ),
        (
            {"status": "done"},
            "calls[0].status must be one of pending, registered, ongoing, analyzing, completed,"
            " failed, cancelled",
        ),
        ({"call_execution_id": ""}, "calls[0].call_execution_id must be given"),
        (
            {"execution_id": "5819e158-00004000-8000-000000000001"},
            "calls[0].execution_id must be a UUID such as 5819e158-0000-4000-8000-000000000001",
        ),
        (
            {"objects": (nested(9), None)},
            "calls[0].latency.customer_latency_metrics must be at most 8 levels deep",
        ),
        (
            {"objects": (None, {"note": "é" * 8192})},
            "calls[0].cost.customer_cost_breakdown must be at most 16384 bytes as compact JSON",
        ),
        (
            {"objects": (None, {"calls": [float("nan")]})},
            "calls[0].cost.customer_cost_breakdown must hold finite numbers",
        ),
        (
            {"objects": ({"tokens": 2**70}, None)},
            "calls[0].latency.customer_latency_metrics must hold numbers that fit into 64 bits",
        ),
    ],
)
def test_a_refused_call_names_its_field(fields: dict[str, Any], sentence: str) -> None:
    assert refusal(**fields) == [sentence]


def test_free_form_objects_are_kept_as_reported() -> None:
    metrics = {"bot_wpm": 233.69, "notes": [None, True, "ok"], "wörter": 7}
    report = checked(objects=(metrics, {}))
    assert report.customer_latency_metrics == (
        '{"bot_wpm":233.69,"notes":[null,true,"ok"],"wörter":7}'
    )
    assert report.customer_cost_breakdown is None
    assert checked(objects=(nested(8), None)).customer_latency_metrics is not None


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert len(refusal(duration_seconds=-1.0, csat_score=-1.0, call_execution_id="x")) == 3


def test_a_batch_holds_at_most_10000_calls() -> None:
    with pytest.raises(InvalidArgument, match=r"^calls must hold at most 10000 calls$"):
        check_batch_size(10_001)
    check_batch_size(10_000)
    check_batch_size(0)


@pytest.mark.parametrize(
    "text", ["", "5819e158", "g819e158-0000-4000-8000-000000000001", CALL + " "]
)
def test_an_id_that_is_no_uuid_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^execution_id "):
        checked_uuid(text, "execution_id")


def test_a_run_test_name_has_1_to_256_characters() -> None:
    assert checked_run_test_name("語" * 256) == "語" * 256
    with pytest.raises(InvalidArgument, match=r"^run_test_name must have at most 256 characters$"):
        checked_run_test_name("語" * 257)
    with pytest.raises(InvalidArgument, match=r"^run_test_name must be given$"):
        checked_run_test_name("")


def test_a_count_is_a_whole_number() -> None:
    assert checked_count(30.0, "total_calls") == 30
    assert checked_count(None, "total_calls") is None
    for value in (-1.0, 1.5, float("nan"), float("inf"), 2.0**53):
        with pytest.raises(InvalidArgument, match=r"^total_calls must be a whole number from 0"):
            checked_count(value, "total_calls")
