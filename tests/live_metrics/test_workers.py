"""With several processes every one of them answers about the same calls."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.live_metrics.conftest import PATHS, LiveApi, live_api
from tests.stack import start_stack

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb

NINE = "2025-04-01T09:00:00Z"


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApi]:
    directory = tmp_path_factory.mktemp("workers")
    api = live_api(start_stack(directory, "--workers", "2", VUMETER_ACCESS_LOG="false"))
    yield api
    api.channel.close()
    api.stack.stop()


def test_whoever_is_asked_the_answer_counts_what_was_acknowledged(two_workers: LiveApi) -> None:
    for number in range(1, 21):
        call = f"call_{number}"
        started = {"event_id": call, "type": "started", "call_id": call, "tenant_id": "clinic"}
        two_workers.record({**started, "occurred_at": NINE})
        for _ in range(3):
            assert two_workers.get(f"{PATHS}/live").json()["active_calls"] == number
    assert two_workers.get(f"{PATHS}/capacity/debug").json()["active_count"] == 20


def test_every_process_passes_streams_and_refusals_on(two_workers: LiveApi) -> None:
    for number in range(6):
        event = pb.CallEvent(
            event_id=f"stream-{number}",
            type=pb.EVENT_TYPE_STARTED,
            call_id=f"stream-{number}",
            tenant_id="garage",
        )
        event.occur_time.FromJsonString(NINE)
        request = pb.StreamEventsRequest(events=[event])
        answers = list(
            two_workers.stub.StreamEvents(iter([request]), metadata=two_workers.metadata)
        )
        assert [answer.recorded for answer in answers] == [1]
        watching = two_workers.stub.WatchLiveMetrics(
            pb.WatchLiveMetricsRequest(tenant_id="garage"), metadata=two_workers.metadata
        )
        assert next(watching).metrics.active_calls == number + 1
        watching.cancel()
        answer = two_workers.post({"events": [{"event_id": "e"}]})
        assert answer.status_code == 400
        assert answer.json()["message"] == "events[0].type must be given"
