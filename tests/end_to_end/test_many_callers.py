"""64 callers at once on both APIs: no error, no lost point."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from tests.end_to_end.callers import Caller
from tests.end_to_end.recorders import RECORD, TEN_YEARS

WRITERS = 32
READERS = 32
CALLS = 10
POINTS = 25
LATENCIES = [{"name": "ttft_ms", "type": "METRIC_TYPE_HISTOGRAM", "value": 640}] * POINTS
BOOKINGS = [{"name": "booking_attempt", "tags": {"origin": "phone"}}] * POINTS
READS = ["names", "tags", "sessions/s1", "aggregate", "daily"]


def test_64_callers_at_once_lose_nothing_and_disturb_nobody(owner: Caller) -> None:
    owner.record(BOOKINGS)
    recorded = threading.Event()

    def write(number: int) -> list[int]:
        if number % 2:
            body = {"points": BOOKINGS}
            return [owner.post("/v1/custom-metrics", body).code for _ in range(CALLS)]
        return [owner.rpc(RECORD, {"points": LATENCIES}).code for _ in range(CALLS)]

    def read(number: int) -> list[int]:
        codes: list[int] = []
        last = 0
        while not recorded.is_set() or not codes:
            path = READS[(number + len(codes)) % len(READS)]
            query = TEN_YEARS if path in ("aggregate", "daily") else {}
            answer = owner.get(f"/v1/custom-metrics/{path}", **query)
            codes.append(answer.code)
            if path == "aggregate":
                now = answer.body["data"]["booking_attempt"]
                assert now >= last
                last = now
        return codes

    with ThreadPoolExecutor(WRITERS + READERS) as pool:
        readers: list[Future[list[int]]] = [pool.submit(read, each) for each in range(READERS)]
        writers: list[Future[list[int]]] = [pool.submit(write, each) for each in range(WRITERS)]
        written = [code for each in writers for code in each.result()]
        recorded.set()
        answered = [code for each in readers for code in each.result()]
    assert set(written) == set(answered) == {0}
    total = WRITERS // 2 * CALLS * POINTS
    assert owner.get("/v1/custom-metrics/aggregate", **TEN_YEARS).body == {
        "data": {"booking_attempt": total + POINTS, "ttft_ms": total * 640}
    }
    assert "database is locked" not in owner.stack.log.read_text()
