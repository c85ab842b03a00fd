"""Between the typed messages and the core's records, both ways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import orjson
from google.protobuf.struct_pb2 import ListValue, Struct, Value

from vumeter.simulation.v1 import simulation_pb2 as pb
from vumeter_server.api.page_tokens import RESUME_PROBLEM, Position, ResumeToken
from vumeter_server.api.times import instant_us, timestamp
from vumeter_server.errors import InvalidArgument
from vumeter_server.simulation.aggregation import MEANS, SUMS, ExecutionMetrics
from vumeter_server.simulation.compare import (
    Better,
    Bound,
    Comparison,
    Outcome,
    Threshold,
    ThresholdResult,
    Verdict,
)
from vumeter_server.simulation.model import (
    CALL_STATUSES,
    NUMBERS_BY_GROUP,
    CallReport,
    ExecutionReport,
)
from vumeter_server.simulation.query import CallsPage
from vumeter_server.simulation.store import RunTest
from vumeter_server.simulation.validation import (
    CallChecker,
    check_batch_size,
    checked_execution,
    checked_uuid,
)

# The numbers are the proto's own: the words are what is stored, and their order says nothing.
_EXECUTION_STATUSES: Mapping[str, pb.ExecutionStatus] = {
    "pending": pb.EXECUTION_STATUS_PENDING,
    "running": pb.EXECUTION_STATUS_RUNNING,
    "completed": pb.EXECUTION_STATUS_COMPLETED,
    "failed": pb.EXECUTION_STATUS_FAILED,
    "cancelling": pb.EXECUTION_STATUS_CANCELLING,
    "cancelled": pb.EXECUTION_STATUS_CANCELLED,
    "evaluating": pb.EXECUTION_STATUS_EVALUATING,
}
_CALL_STATUSES: Mapping[str, pb.CallStatus] = {
    "pending": pb.CALL_STATUS_PENDING,
    "registered": pb.CALL_STATUS_REGISTERED,
    "ongoing": pb.CALL_STATUS_ONGOING,
    "analyzing": pb.CALL_STATUS_ANALYZING,
    "completed": pb.CALL_STATUS_COMPLETED,
    "failed": pb.CALL_STATUS_FAILED,
    "cancelled": pb.CALL_STATUS_CANCELLED,
}
_EXECUTION_STATUS_WORDS = {int(number): word for word, number in _EXECUTION_STATUSES.items()}
_CALL_STATUS_WORDS = {int(number): word for word, number in _CALL_STATUSES.items()}
_GROUPS = tuple(NUMBERS_BY_GROUP.items())
_BETTER = {Better.LOWER: pb.BETTER_LOWER, Better.HIGHER: pb.BETTER_HIGHER}
_VERDICTS = {
    Verdict.UNKNOWN: pb.VERDICT_UNKNOWN,
    Verdict.BETTER: pb.VERDICT_BETTER,
    Verdict.WORSE: pb.VERDICT_WORSE,
    Verdict.SAME: pb.VERDICT_SAME,
}
_OUTCOMES = {
    Outcome.UNKNOWN: pb.THRESHOLD_OUTCOME_UNKNOWN,
    Outcome.WITHIN: pb.THRESHOLD_OUTCOME_WITHIN,
    Outcome.EXCEEDED: pb.THRESHOLD_OUTCOME_EXCEEDED,
}


def read_calls(calls: Sequence[pb.Call]) -> list[CallReport]:
    """Return the calls of a request; raises InvalidArgument naming the fields at fault."""
    check_batch_size(len(calls))
    checker = CallChecker()
    for call in calls:
        checker.add(
            call_execution_id=call.call_execution_id,
            execution_id=call.execution_id,
            status=_status(call.status, _CALL_STATUS_WORDS),
            numbers=read_numbers(call),
            objects=(
                read_struct(call.latency.customer_latency_metrics),
                read_struct(call.cost.customer_cost_breakdown),
            ),
        )
    return checker.reports()


def read_numbers(call: pb.Call) -> list[float | None]:
    """Return the numbers of a call in the order of NUMBER_NAMES, None where not measured."""
    numbers: list[float | None] = []
    for group, names in _GROUPS:
        if group and not call.HasField(group):
            numbers += [None] * len(names)
            continue
        message: Any = getattr(call, group) if group else call
        numbers += [getattr(message, name) if message.HasField(name) else None for name in names]
    return numbers


def _status(number: int, words: Mapping[int, str]) -> str | None:
    """Return the word for an enum's number; one that is unknown stays a number, to be rejected."""
    return words.get(number, str(number)) if number else None


def read_execution(execution: pb.Execution) -> ExecutionReport:
    """Return what a message reports; raises InvalidArgument naming the field at fault."""

    def time(name: Literal["start_time", "end_time"]) -> int | None:
        if not execution.HasField(name):
            return None
        return instant_us(getattr(execution, name), f"execution.{name}")

    def count(name: str) -> int | None:
        return getattr(execution, name) if execution.HasField(name) else None

    return checked_execution(
        execution_id=execution.execution_id,
        run_test_name=execution.run_test_name,
        status=_status(execution.status, _EXECUTION_STATUS_WORDS),
        started_at=time("start_time"),
        completed_at=time("end_time"),
        counts=[count("total_calls"), count("completed_calls"), count("failed_calls")],
        prefix="execution.",
    )


def read_struct(struct: Struct) -> dict[str, Any]:
    """Return a Struct as plain values; whole numbers as int, as JSON would print them.

    Keys are sorted: a Struct has no order, and equal ones should be stored as equal text.
    """
    return {key: _read_value(value) for key, value in sorted(struct.fields.items())}


def _read_value(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        number = value.number_value
        return int(number) if abs(number) < 2**53 and number == int(number) else number
    if kind == "struct_value":
        return read_struct(value.struct_value)
    if kind == "list_value":
        return [_read_value(each) for each in value.list_value.values]
    return None if kind in (None, "null_value") else getattr(value, kind)


def write_struct(text: str | None) -> Struct | None:
    """Return stored JSON as a Struct, None for nothing."""
    return _write_object(orjson.loads(text)) if text else None


def _write_object(plain: Mapping[str, Any]) -> Struct:
    return Struct(fields={key: _write_value(value) for key, value in plain.items()})


def _write_value(plain: Any) -> Value:
    if isinstance(plain, bool):
        return Value(bool_value=plain)
    if isinstance(plain, int | float):
        return Value(number_value=plain)
    if isinstance(plain, str):
        return Value(string_value=plain)
    if isinstance(plain, dict):
        return Value(struct_value=_write_object(plain))
    if isinstance(plain, list):
        return Value(list_value=ListValue(values=[_write_value(each) for each in plain]))
    return Value(null_value=0)  # type: ignore[arg-type]


def read_position(position: Position) -> tuple[str, int, int]:
    """Return the place of an export; raises InvalidArgument for one that no message had."""
    last, before, total = position
    if not isinstance(last, str) or not isinstance(before, int) or not isinstance(total, int):
        raise InvalidArgument.of("resume_token", RESUME_PROBLEM)
    return checked_uuid(last, "resume_token"), before, total


def write_calls(page: CallsPage, token: ResumeToken) -> pb.ExportCallsResponse:
    """Return a page of calls as a message."""
    through = page.before + len(page.calls)
    return pb.ExportCallsResponse(
        calls=map(write_call, page.calls),
        resume_token=token.behind(page.calls[-1].call_execution_id, through, page.total),
        progress=min(through / max(page.total, 1), 1),
    )


def write_call(call: CallReport) -> pb.Call:
    """Return a call as a message; the four groups are always set."""
    message = pb.Call(
        call_execution_id=call.call_execution_id,
        execution_id=call.execution_id,
        status=_CALL_STATUSES[call.status],
        latency=pb.CallLatency(
            customer_latency_metrics=write_struct(call.customer_latency_metrics)
        ),
        cost=pb.CallCost(customer_cost_breakdown=write_struct(call.customer_cost_breakdown)),
        conversation=pb.CallConversation(),
        chat_metrics=pb.CallChatMetrics(),
    )
    numbers = iter(call.numbers)
    for group, names in _GROUPS:
        held_by = getattr(message, group) if group else message
        for name in names:
            if (number := next(numbers)) is not None:
                setattr(held_by, name, number)
    return message


def write_execution(execution: ExecutionMetrics) -> pb.ExecutionMetrics:
    """Return an execution with its metrics, and how many calls stand behind each of them."""
    report, totals = execution.report, execution.totals
    message = pb.ExecutionMetrics(
        execution_id=report.execution_id,
        run_test_name=report.run_test_name,
        status=_EXECUTION_STATUSES[report.status],
        start_time=timestamp(report.started_at),
        end_time=timestamp(report.completed_at),
        total_calls=execution.total_calls,
        completed_calls=execution.completed_calls,
        failed_calls=execution.failed_calls,
        calls=pb.CallCounts(
            total=totals.all_calls,
            **{status: totals.calls_with(status) for status in CALL_STATUSES},
        ),
    )
    for metric in MEANS:
        mean = pb.Mean(value=totals.mean(metric), samples=totals.samples_of(metric.source))
        getattr(getattr(message, metric.group), metric.name).CopyFrom(mean)
    for name, source in SUMS.items():
        total = pb.Sum(value=totals.sum_of(source), samples=totals.samples_of(source))
        getattr(message.cost, name).CopyFrom(total)
    message.latency.percentiles.extend(
        pb.Percentile(percentile=percentile, value=value)
        for percentile, value in execution.percentiles
    )
    return message


def write_run_test(run_test: RunTest) -> pb.RunTest:
    """Return a run test as a message."""
    return pb.RunTest(
        run_test_name=run_test.run_test_name,
        execution_count=run_test.execution_count,
        last_start_time=timestamp(run_test.last_started_at),
    )


def read_thresholds(thresholds: Iterable[pb.Threshold]) -> list[Threshold]:
    """Return the thresholds of a request; raises InvalidArgument if one has no limit."""
    read = []
    for place, threshold in enumerate(thresholds):
        kind = threshold.WhichOneof("limit")
        if kind is None:
            raise InvalidArgument.of(f"thresholds[{place}].limit", "must be given")
        number: float = getattr(threshold, kind)
        read.append(Threshold(metric=threshold.metric, bound=Bound(kind), number=number))
    return read


def write_comparison(comparison: Comparison) -> pb.CompareExecutionsResponse:
    """Return a comparison as a message."""
    return pb.CompareExecutionsResponse(
        baseline=write_execution(comparison.baseline),
        candidate=write_execution(comparison.candidate),
        metrics=[
            pb.ComparedMetric(
                metric=row.metric,
                baseline=row.baseline,
                candidate=row.candidate,
                difference=row.difference,
                difference_percent=row.difference_percent,
                better=_BETTER[row.better],
                verdict=_VERDICTS[row.verdict],
            )
            for row in comparison.metrics
        ],
        thresholds=[_write_result(result) for result in comparison.thresholds],
    )


def _write_result(result: ThresholdResult) -> pb.ThresholdResult:
    asked = result.threshold
    limit: dict[str, Any] = {asked.bound.value: asked.number}
    return pb.ThresholdResult(
        threshold=pb.Threshold(metric=asked.metric, **limit),
        limit=result.limit,
        candidate=result.candidate,
        outcome=_OUTCOMES[result.outcome],
    )
