"""The typed RPCs, asked as a gRPC caller does, through the server's own port."""

from __future__ import annotations

import queue
from collections.abc import Iterator

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from tests.simulation.conftest import Organization
from tests.simulation.typed_asking import (
    RUN_TEST,
    answering_in,
    ask,
    call,
    call_id,
    execution,
    execution_id,
    refusal,
)

from vumeter.simulation.v1 import simulation_pb2 as pb


def test_a_call_comes_back_as_it_was_recorded(acme: Organization) -> None:
    recorded = call(
        1,
        status=pb.CALL_STATUS_FAILED,
        duration_seconds=88,
        latency=pb.CallLatency(avg_agent_latency_ms=1234),
        cost=pb.CallCost(total_cost_cents=24),
        conversation=pb.CallConversation(talk_ratio=0.217, user_interruption_count=0),
        chat_metrics=pb.CallChatMetrics(csat_score=4.5),
    )
    recorded.latency.customer_latency_metrics.update(
        {"bot_wpm": 233.69, "turns": [{"ms": 640}, None, True, "ok"], "none": {}}
    )
    ask(acme, "RecordExecution", execution=execution())
    assert ask(acme, "RecordCalls", calls=[recorded]).recorded == 1
    found = ask(acme, "GetCallMetrics", call_execution_id=call_id(1).upper()).call
    assert found == recorded
    assert not found.latency.HasField("response_time_ms")
    assert found.conversation.HasField("user_interruption_count")
    rest = acme.get("/sdk/api/v1/simulation/metrics", call_execution_id=call_id(1)).json()
    assert rest["result"]["latency"]["customer_latency_metrics"] == {
        "bot_wpm": 233.69,
        "turns": [{"ms": 640}, None, True, "ok"],
        "none": {},
    }


def test_a_metric_says_how_many_calls_stand_behind_it(acme: Organization) -> None:
    ask(acme, "RecordExecution", execution=execution(start_time=Timestamp(seconds=7, nanos=999)))
    ask(
        acme,
        "RecordCalls",
        calls=[
            call(
                1, duration_seconds=0.1, cost=pb.CallCost(total_cost_cents=24), **answering_in(640)
            ),
            call(2, duration_seconds=0.2, **answering_in(641)),
            call(3, status=pb.CALL_STATUS_ANALYZING),
        ],
    )
    found = ask(acme, "GetExecutionMetrics", execution_id=execution_id(1)).execution
    assert found.run_test_name == RUN_TEST
    assert found.status == pb.EXECUTION_STATUS_PENDING
    assert found.start_time == Timestamp(seconds=7)
    assert not found.HasField("end_time")
    assert found.latency == pb.LatencyMetrics(
        avg_agent_latency_ms=pb.Mean(value=641, samples=2),
        avg_response_time_ms=pb.Mean(samples=0),
        percentiles=[
            pb.Percentile(percentile=50, value=640.5),
            pb.Percentile(percentile=95, value=641.0),
            pb.Percentile(percentile=99, value=641.0),
        ],
    )
    assert found.cost.total_duration_seconds == pb.Sum(value=0.3, samples=2)
    assert found.cost.total_cost_cents == pb.Sum(value=24, samples=1)
    assert not found.cost.llm_cost_cents.HasField("value")
    assert found.calls == pb.CallCounts(total=3, completed=2, analyzing=1)
    assert (found.total_calls, found.completed_calls, found.failed_calls) == (3, 2, 0)


def test_an_empty_batch_records_0(acme: Organization) -> None:
    assert ask(acme, "RecordCalls").recorded == 0
    answers = acme.stub.StreamCalls(iter([pb.StreamCallsRequest()] * 2), metadata=acme.metadata)
    assert [(answer.sequence, answer.recorded, answer.HasField("error")) for answer in answers] == [
        (1, 0, False),
        (2, 0, False),
    ]


def test_any_percentiles_may_be_asked_for(acme: Organization) -> None:
    ask(acme, "RecordExecution", execution=execution())
    ask(acme, "RecordCalls", calls=[call(n, **answering_in(100 * n)) for n in range(1, 12)])
    found = ask(
        acme,
        "GetExecutionMetrics",
        execution_id=execution_id(1),
        percentiles=[100, 0, 99.9, 12.5, 12.5],
    ).execution
    assert [(each.percentile, each.value) for each in found.latency.percentiles] == [
        (0, 100),
        (12.5, 225),
        (99.9, 1099),
        (100, 1100),
    ]
    listed = ask(acme, "ListExecutionMetrics", run_test_name=RUN_TEST, percentiles=[10])
    assert listed.executions[0].latency.percentiles[0].value == 200


def test_a_list_is_followed_by_tokens(acme: Organization) -> None:
    for number in range(1, 8):
        start_time = Timestamp(seconds=number % 3) if number % 3 else None
        ask(acme, "RecordExecution", execution=execution(number, start_time=start_time))
    followed, token, sizes = [], "", []
    while True:
        page = ask(
            acme,
            "ListExecutionMetrics",
            run_test_name=RUN_TEST,
            page_size=3,
            page_token=token,
        )
        followed += [each.execution_id for each in page.executions]
        sizes.append((len(page.executions), page.total_size))
        if not (token := page.next_page_token):
            break
    assert followed == [execution_id(number) for number in (5, 2, 7, 4, 1, 6, 3)]
    assert sizes == [(3, 7), (3, 7), (1, 7)]


def test_a_token_belongs_to_its_list(acme: Organization) -> None:
    for number in (1, 2):
        ask(acme, "RecordExecution", execution=execution(number))
    ask(acme, "RecordRunTest", run_test_name="Another Test")
    token = ask(acme, "ListExecutionMetrics", run_test_name=RUN_TEST, page_size=1).next_page_token
    problem = "page_token must be the next_page_token of an answer to the same request"
    expected = (grpc.StatusCode.INVALID_ARGUMENT, problem, ["page_token"])
    for name, wrong in (("Another Test", token), (RUN_TEST, "AAAA")):
        refused = refusal(acme, "ListExecutionMetrics", run_test_name=name, page_token=wrong)
        assert refused == expected
    assert refusal(acme, "ListRunTests", page_token=token) == expected


def test_run_tests_are_listed(acme: Organization) -> None:
    ask(acme, "RecordRunTest", run_test_name="Empty")
    ask(acme, "RecordExecution", execution=execution(1, start_time=Timestamp(seconds=7)))
    ask(acme, "RecordExecution", execution=execution(2))
    first = ask(acme, "ListRunTests", page_size=1)
    assert list(first.run_tests) == [pb.RunTest(run_test_name="Empty")]
    second = ask(acme, "ListRunTests", page_size=1, page_token=first.next_page_token)
    assert list(second.run_tests) == [
        pb.RunTest(run_test_name=RUN_TEST, execution_count=2, last_start_time=Timestamp(seconds=7))
    ]
    assert second.next_page_token == ""


def test_a_deleted_execution_is_gone_with_its_calls(acme: Organization) -> None:
    ask(acme, "RecordExecution", execution=execution())
    ask(acme, "RecordCalls", calls=[call(1), call(2)])
    assert ask(acme, "DeleteExecution", execution_id=execution_id(1)).deleted_calls == 2
    for rpc, fields in (
        ("GetExecutionMetrics", {"execution_id": execution_id(1)}),
        ("DeleteExecution", {"execution_id": execution_id(1)}),
        ("GetCallMetrics", {"call_execution_id": call_id(1)}),
    ):
        assert refusal(acme, rpc, **fields)[0] is grpc.StatusCode.NOT_FOUND
    assert ask(acme, "ListExecutionMetrics", run_test_name=RUN_TEST).total_size == 0


def test_a_candidate_is_checked_against_thresholds(acme: Organization) -> None:
    for number, latency in ((1, 1000.0), (2, 1101.0)):
        ask(acme, "RecordExecution", execution=execution(number))
        ask(acme, "RecordCalls", calls=[call(number, of=number, **answering_in(latency))])
    p95, csat = "latency.percentiles.p95", "chat.avg_csat_score"
    answer = ask(
        acme,
        "CompareExecutions",
        baseline_execution_id=execution_id(1),
        execution_id=execution_id(2),
        thresholds=[
            pb.Threshold(metric=p95, max_change_percent=10),
            pb.Threshold(metric=p95, max_change=101),
            pb.Threshold(metric=csat, min_change_percent=-5),
        ],
    )
    assert answer.metrics[3] == pb.ComparedMetric(
        metric=p95,
        baseline=1000,
        candidate=1101,
        difference=101,
        difference_percent=10.1,
        better=pb.BETTER_LOWER,
        verdict=pb.VERDICT_WORSE,
    )
    assert answer.metrics[9].better == pb.BETTER_HIGHER
    assert [(each.limit, each.outcome) for each in answer.thresholds] == [
        (1100, pb.THRESHOLD_OUTCOME_EXCEEDED),
        (1101, pb.THRESHOLD_OUTCOME_WITHIN),
        (0, pb.THRESHOLD_OUTCOME_UNKNOWN),
    ]
    assert not answer.thresholds[2].HasField("limit")
    assert answer.baseline.execution_id == execution_id(1)


def test_a_stream_is_acknowledged_batch_by_batch(acme: Organization) -> None:
    ask(acme, "RecordExecution", execution=execution())
    batches: queue.SimpleQueue[pb.StreamCallsRequest | None] = queue.SimpleQueue()

    def requests() -> Iterator[pb.StreamCallsRequest]:
        while (batch := batches.get()) is not None:
            yield batch

    stream = acme.stub.StreamCalls(requests(), metadata=acme.metadata, timeout=20)
    for number in range(3):
        # The next batch is sent only when this one is acknowledged.
        batches.put(pb.StreamCallsRequest(calls=[call(number), call(number + 100)]))
        assert next(stream).recorded == 2
        assert ask(acme, "GetCallMetrics", call_execution_id=call_id(number))
    for number in range(40):
        batches.put(pb.StreamCallsRequest(calls=[call(7, **answering_in(number))]))
    batches.put(None)
    assert [each.recorded for each in stream] == [1] * 40
    last = ask(acme, "GetCallMetrics", call_execution_id=call_id(7)).call
    assert last.latency.avg_agent_latency_ms == 39


def test_of_two_reports_in_a_stream_the_later_wins_however_long_their_batches(
    acme: Organization,
) -> None:
    ask(acme, "RecordExecution", execution=execution())
    sizes = [2_000, 1, 300, 1, 1, 1_000, 1]
    batches = [
        pb.StreamCallsRequest(calls=[call(n, **answering_in(number)) for n in range(size)])
        for number, size in enumerate(sizes)
    ]
    stream = acme.stub.StreamCalls(iter(batches), metadata=acme.metadata, timeout=20)
    assert [each.recorded for each in stream] == sizes
    latencies = [
        ask(acme, "GetCallMetrics", call_execution_id=call_id(n)).call.latency.avg_agent_latency_ms
        for n in (0, 299, 999, 1_999)
    ]
    assert latencies == [6, 5, 5, 0]


def test_a_refused_batch_is_answered_and_the_stream_goes_on(acme: Organization) -> None:
    ask(acme, "RecordExecution", execution=execution())
    batches = [[call(1)], [call(2), call(3, of=9)], [call(4, duration_seconds=-1)], [call(5)]]
    stream = acme.stub.StreamCalls(
        iter([pb.StreamCallsRequest(calls=batch) for batch in batches]),
        metadata=acme.metadata,
        timeout=20,
    )
    answers = [(each.sequence, each.recorded, each.error.message) for each in stream]
    assert answers == [
        (1, 1, ""),
        (2, 0, "Test execution not found."),
        (3, 0, "calls[0].duration_seconds must not be negative"),
        (4, 1, ""),
    ]
    found = ask(acme, "GetExecutionMetrics", execution_id=execution_id(1)).execution
    assert found.calls.total == 2
