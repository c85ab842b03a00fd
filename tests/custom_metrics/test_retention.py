"""Days that are older than they are kept go; nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.custom_metrics.in_process import NOW_US, InProcess

from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US
from vumeter_server.custom_metrics.sqlite.maintenance import retention
from vumeter_server.custom_metrics.sqlite.maintenance.retention import vacuum_some
from vumeter_server.custom_metrics.sqlite.maintenance.verification import find_problems
from vumeter_server.times.rfc3339 import format_rfc3339

DAYS_KEPT = 400
RANGE = {"startDate": "2020-01-01", "endDate": "2026-01-02"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[InProcess]:
    with InProcess(tmp_path / "vumeter.db") as in_process:
        in_process.new_organization()
        yield in_process


def booked(days_ago: int, session: str, value: int = 1) -> dict[str, Any]:
    return {
        "name": "booking_attempt",
        "value": value,
        "timestamp": format_rfc3339(NOW_US - days_ago * DAY_US),
        "sessionId": session,
        "tags": {"company_id": "abc" if days_ago % 2 else "def"},
    }


def set_clock(server: InProcess, days_ago: int) -> None:
    """Let the store flush and drop as it would so many days ago."""
    server.store.maintenance._clock = lambda: NOW_US - days_ago * DAY_US


def flush_long_ago(server: InProcess) -> None:
    """Seal as if it had been done before anything that is kept."""
    set_clock(server, DAYS_KEPT + 100)
    server.run(server.store.maintenance._flush_log(server.organization_id))
    set_clock(server, 0)
    server.flush()


def drop(server: InProcess) -> None:
    server.run(server.store.maintenance.drop_expired())
    server.run(server.store.maintenance.vacuum())
    problems = server.database.read(lambda connection: list(find_problems(connection)))
    assert problems == []


def rows(server: InProcess, table: str) -> int:
    count: int = server.database.read(
        lambda c: c.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    )
    return count


def test_what_was_recorded_lately_is_kept_however_long_ago_it_happened(
    server: InProcess,
) -> None:
    server.record([booked(DAYS_KEPT + 300, "session_abc123")])
    drop(server)
    server.flush()
    for days in (0, -DAYS_KEPT):
        set_clock(server, days)
        drop(server)
        assert server.get("/v1/custom-metrics/aggregate", RANGE)["data"] != {}
    set_clock(server, -DAYS_KEPT - 1)
    drop(server)
    assert server.get("/v1/custom-metrics/aggregate", RANGE) == {"data": {}}


def test_a_day_is_kept_for_as_long_as_was_set_and_then_dropped(server: InProcess) -> None:
    server.record([booked(DAYS_KEPT, "kept"), booked(DAYS_KEPT + 1, "dropped", 5)])
    flush_long_ago(server)
    assert server.get("/v1/custom-metrics/aggregate", RANGE) == {"data": {"booking_attempt": 6}}
    drop(server)
    assert server.get("/v1/custom-metrics/aggregate", RANGE) == {"data": {"booking_attempt": 1}}
    grouped = server.get("/v1/custom-metrics/aggregate", {**RANGE, "groupBy": "company_id"})
    assert grouped == {"data": [{"company_id": "def", "metrics": {"booking_attempt": 1}}]}
    by_two = server.get(
        "/v1/custom-metrics/aggregate", {**RANGE, "groupBy": "company_id,session_id"}
    )
    assert [row["session_id"] for row in by_two["data"]] == ["kept"]
    assert server.get("/v1/custom-metrics/sessions/dropped", {})["data"]["result"] == []
    assert len(server.get("/v1/custom-metrics/sessions/kept", {})["data"]["result"]) == 1


def test_blocks_of_days_are_without_a_dropped_day(server: InProcess) -> None:
    server.record([booked(days, f"s{days}") for days in range(DAYS_KEPT - 40, DAYS_KEPT + 40)])
    flush_long_ago(server)
    assert rows(server, "series_blocks") > 8
    drop(server)
    query = {**RANGE, "groupBy": "company_id", "tags": '{"session_id":""}'}
    assert server.get("/v1/custom-metrics/aggregate", query)["data"] == []
    by_two = {**RANGE, "groupBy": "company_id,agent_id"}
    assert [
        row["metrics"] for row in server.get("/v1/custom-metrics/aggregate", by_two)["data"]
    ] == [{"booking_attempt": 21}, {"booking_attempt": 20}]


def test_a_session_that_lost_all_its_points_can_be_recorded_again(server: InProcess) -> None:
    server.record([booked(DAYS_KEPT + 3, "session_abc123"), booked(1, "session_other")])
    flush_long_ago(server)
    drop(server)
    assert (rows(server, "sessions"), rows(server, "session_hashes")) == (1, 1)
    server.record([booked(2, "session_abc123", 7)])
    for _ in range(2):
        found = server.get("/v1/custom-metrics/sessions/session_abc123", {})["data"]["result"]
        assert [entry["value"][1] for entry in found] == ["7"]
        server.flush()


def test_a_session_that_is_still_in_the_log_keeps_its_name(server: InProcess) -> None:
    server.record([booked(DAYS_KEPT + 3, "session_abc123")])
    flush_long_ago(server)
    server.record([booked(1, "session_abc123", 7)])
    drop(server)
    by_session = server.get("/v1/custom-metrics/aggregate", {**RANGE, "groupBy": "session_id"})
    assert by_session == {
        "data": [{"session_id": "session_abc123", "metrics": {"booking_attempt": 7}}]
    }


def test_space_is_given_back(server: InProcess) -> None:
    for lot in range(4):
        server.record([booked(DAYS_KEPT + 5 + n % 20, f"session_{lot}_{n}") for n in range(10_000)])
        flush_long_ago(server)

    def pages() -> int:
        count: int = server.database.read(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
        return count

    before = pages()
    drop(server)
    assert rows(server, "session_points") == rows(server, "metric_columns") == 0
    assert pages() < before / 4


def test_days_of_an_earlier_layout_are_summed_once(server: InProcess) -> None:
    server.record([booked(days, f"s{days}", days) for days in range(1, 30)])
    server.flush()
    queries = [
        RANGE,
        {**RANGE, "groupBy": "company_id"},
        {**RANGE, "groupBy": "company_id,agent_id"},
    ]
    expected = [server.get("/v1/custom-metrics/aggregate", query) for query in queries]

    def make_old(connection: Any) -> None:
        for table in ("metric_cells", "label_sums", "series_sums", "series_blocks"):
            connection.execute(f"DELETE FROM {table}")
        connection.execute("UPDATE metric_days SET summed = 0")

    server.database.write(make_old)
    told: list[tuple[int, int]] = []

    class Interrupted(Exception):
        pass

    def interrupt_at_ten(done: int, total: int) -> None:
        told.append((done, total))
        if done == 10:
            raise Interrupted

    with pytest.raises(Interrupted):
        server.run(server.store.maintenance.upgrade(interrupt_at_ten))
    server.run(server.store.maintenance.upgrade(lambda done, total: told.append((done, total))))
    server.run(server.store.maintenance.upgrade(lambda done, total: told.append((-1, -1))))
    assert told[0] == (0, 29)
    assert told[11] == (0, 19)
    assert told[-1] == (19, 19)
    server.run(server.store.maintenance.flush())
    assert [server.get("/v1/custom-metrics/aggregate", query) for query in queries] == expected


def test_free_pages_are_given_back_in_steps_of_many(
    server: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PAGES_AT_ONCE", 50)
    server.record([booked(DAYS_KEPT + 1, f"session_{number}") for number in range(9_000)])
    flush_long_ago(server)

    def free() -> int:
        pages: int = server.database.read(
            lambda connection: connection.execute("PRAGMA freelist_count").fetchone()[0]
        )
        return pages

    server.run(server.store.maintenance.drop_expired())
    before = free()
    assert before > 100
    assert server.database.write(vacuum_some)
    # Returning pages frees those that listed them, too.
    assert free() <= before - 50
    while server.database.write(vacuum_some):
        pass
    assert free() == 0
