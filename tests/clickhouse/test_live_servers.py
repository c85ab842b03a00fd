"""Live metrics through two products on one cluster: each may write, and both show the same."""

from __future__ import annotations

import itertools
import os
import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.clickhouse.cluster import ClickHouseCluster, new_database
from tests.conformance.live_metrics.records import Records
from tests.live_metrics.conftest import PATHS, LiveApi, live_api
from tests.live_metrics.many_events import as_event, listed, lists, some_events
from tests.stack import start_stack
from tests.waiting import until

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb

NINE = "2025-04-01T09:00:00Z"
RANGE = {"startDate": "2025-04-01T09:00:00Z", "endDate": "2025-04-01T11:00:00Z", "step": "1h"}


@pytest.fixture(scope="module")
def store(clickhouse_cluster: ClickHouseCluster) -> str:
    """VUMETER_STORE of a database that there is not yet."""
    return clickhouse_cluster.store(new_database())


def started(directory: Path, store: str) -> LiveApi:
    directory.mkdir(exist_ok=True)
    return live_api(start_stack(directory, VUMETER_STORE=store, VUMETER_ACCESS_LOG="false"))


@pytest.fixture(scope="module")
def pair(store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[LiveApi]]:
    """Two products."""
    directory = tmp_path_factory.mktemp("live")
    products = [started(directory / str(number), store) for number in range(2)]
    yield products
    for product in products:
        product.channel.close()
        product.stack.stop()


def event(kind: str, event_id: str, tenant_id: str, **fields: Any) -> dict[str, Any]:
    common = {"event_id": event_id, "type": kind, "tenant_id": tenant_id, "occurred_at": NINE}
    return common | {"call_id": f"call-{tenant_id}"} | fields


def server_of(product: LiveApi) -> int:
    """Return the process that serves, beside Envoy."""
    (server,) = [
        child
        for child in product.stack.children()
        if b"envoy" not in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0]
    ]
    return server


def has_recorded(product: LiveApi, request: pb.RecordEventsRequest) -> bool:
    """Record; False if it is not known whether it was recorded."""
    try:
        product.stub.RecordEvents(request, metadata=product.metadata, timeout=20)
    except grpc.RpcError as error:
        if error.code() not in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.DEADLINE_EXCEEDED,
        ):
            raise
        return False
    return True


def test_what_one_server_records_is_in_the_next_answer_of_the_other(pair: list[LiveApi]) -> None:
    one, other = pair
    for number in range(1, 11):
        writer, reader = (one, other) if number % 2 else (other, one)
        writer.record(event("started", f"e{number}", "next", call_id=f"next-{number}"))
        counted = reader.get(f"{PATHS}/live/next").json()
        assert (counted["active_calls"], counted["started_calls"]) == (number, number)
        asked = pb.GetLiveMetricsRequest(tenant_id="next")
        for each in pair:
            found = each.stub.GetLiveMetrics(asked, metadata=each.metadata).metrics
            assert found.started_calls == number
    answers = [
        [each.get(f"{PATHS}/{path}").json() for path in ("capacity/debug", "tenants", "live")]
        + [each.get(f"{PATHS}/history", tenant_id="next", **RANGE).json()]
        for each in pair
    ]
    assert answers[0] == answers[1]
    assert [bucket["peak_active_calls"] for bucket in answers[0][3]["data"]] == [10, 10]


def test_an_event_id_is_one_for_all_servers(pair: list[LiveApi]) -> None:
    one, other = pair
    first = event("audio", "once", "repeats", minutes=2)
    one.record(event("started", "start", "repeats"), first)
    other.record(first)
    answer = other.post({"events": [first | {"minutes": 3}]})
    assert answer.status_code == 409
    assert "events[0].event_id" in answer.text
    for each in pair:
        assert each.get(f"{PATHS}/live/repeats").json()["minutes_processed"] == 2


def test_who_watches_one_server_sees_what_the_other_records(pair: list[LiveApi]) -> None:
    one, other = pair
    asked = pb.WatchLiveMetricsRequest(tenant_id="watched")
    watching = other.stub.WatchLiveMetrics(asked, metadata=other.metadata)
    assert next(watching).metrics.started_calls == 0
    for number in range(1, 4):
        one.record(event("started", f"w{number}", "watched", call_id=f"watched-{number}"))
        assert next(watching).metrics.started_calls == number
    watching.cancel()


def test_a_server_that_was_stopped_meanwhile_reads_on_before_it_writes(
    pair: list[LiveApi],
) -> None:
    stopped, other = pair
    stopped.record(event("started", "s1", "stopped", call_id="stopped-1"))
    server = server_of(stopped)
    os.kill(server, signal.SIGSTOP)
    try:
        # It had read the log a moment ago, and would append behind what was its end.
        other.record(event("ended", "s2", "stopped", call_id="stopped-1", outcome="completed"))
        taken = event("audio", "s3", "stopped", call_id="stopped-1", minutes=1)
        other.record(taken)
        waiting: list[int] = []
        thread = threading.Thread(
            target=lambda: waiting.append(
                stopped.post({"events": [taken | {"minutes": 9}]}).status_code
            )
        )
        thread.start()
    finally:
        os.kill(server, signal.SIGCONT)
    thread.join()
    assert waiting == [409]
    stopped.record(event("started", "s4", "stopped", call_id="stopped-2"))
    for each in pair:
        counted = each.get(f"{PATHS}/live/stopped").json()
        assert (counted["active_calls"], counted["ended_calls"]) == (1, 1)
        assert counted["started_calls"] == 2


def test_after_kill_9_of_a_server_nothing_is_lost_or_doubled(
    clickhouse_cluster: ClickHouseCluster, tmp_path: Path
) -> None:
    store = clickhouse_cluster.store(new_database())
    one, other = (started(tmp_path / name, store) for name in ("one", "other"))
    chance = random.Random(1)
    batches = [some_events(chance, request) for request in range(120)]
    numbers = iter(range(len(batches)))
    kill_at = len(batches) // 3
    oracle, lock = Records(), threading.Lock()

    def send(first: LiveApi, second: LiveApi) -> None:
        """Send batch after batch, to the other server too until one has answered."""
        for number in numbers:
            if number == kill_at:
                for child in one.stack.children():
                    os.kill(child, signal.SIGKILL)
            request = pb.RecordEventsRequest(events=batches[number])
            servers = itertools.cycle((first, second))
            while not has_recorded(next(servers), request):
                pass
            with lock:
                oracle.receive(list(map(as_event, batches[number])))

    threads = [
        threading.Thread(target=send, args=servers)
        for servers in ((one, other), (other, one), (one, other))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one.stack.wait()
    assert next(numbers, None) is None
    again = started(tmp_path / "one", store)
    try:
        totals = [sum(each[name] for each in oracle.totals().values()) for name in COUNTED]
        for product in (other, again):
            assert lists(product) == listed(oracle)
            # The one that runs has kept the totals, the one that starts anew goes on with them.
            counted = product.get(f"{PATHS}/live").json()
            assert [counted[name] for name in COUNTED] == totals
        again.record(event("started", "again", "again"))
        until(lambda: other.get(f"{PATHS}/live/again").json()["started_calls"] == 1)
    finally:
        for product in (other, again):
            product.channel.close()
            product.stack.stop()
        one.channel.close()


COUNTED = ("accepted_calls", "started_calls", "ended_calls", "rejected_calls_capacity")
