"""Background work that meets damage: it says so, and does the other parts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from tests.custom_metrics.in_process import InProcess
from tests.custom_metrics.strategies import SCENES, many_points
from tests.waiting import comes_to_hold

from vumeter_server.custom_metrics.sqlite.maintenance import schedule
from vumeter_server.custom_metrics.sqlite.maintenance.verification import Contents, contents
from vumeter_server.errors import StorageDamaged


@pytest.fixture
def server(tmp_path: Path) -> Iterator[InProcess]:
    """Two organizations with a log; a batch of the first is damaged."""
    with InProcess(tmp_path / "vumeter.db") as server:
        for seed in range(2):
            server.new_organization()
            server.record(many_points(SCENES[0], 500, seed))
        server.database.write(
            lambda connection: connection.execute(
                "UPDATE metric_batches SET columns = CAST(substr(columns, 1, 40) || x'07'"
                " || substr(columns, 42) AS BLOB) WHERE organization_id = 1"
            )
        )
        yield server


def contents_of(server: InProcess) -> list[Contents]:
    return server.database.read(contents)


def test_a_damaged_log_keeps_no_other_organization_from_being_flushed(server: InProcess) -> None:
    with pytest.raises(StorageDamaged):
        server.run(server.store.maintenance.flush(everything=True))
    damaged, whole = contents_of(server)
    # Nothing of what is damaged is thrown away.
    assert (damaged.flushed_points, damaged.log_points) == (0, 500)
    assert (whole.flushed_points, whole.log_points) == (500, 0)
    server.record(many_points(SCENES[0], 100, 3))
    assert contents_of(server)[1].log_points == 100


def test_a_batch_that_a_page_lost_is_damage_and_the_others_are_not_flushed_over_it(
    tmp_path: Path,
) -> None:
    with InProcess(tmp_path / "vumeter.db") as server:
        server.new_organization()
        for seed in range(3):
            server.record(many_points(SCENES[0], 50, seed))
        server.database.write(
            lambda connection: connection.execute(
                "DELETE FROM metric_batches WHERE batch_number ="
                " (SELECT max(batch_number) - 1 FROM metric_batches)"
            )
        )
        with pytest.raises(StorageDamaged):
            server.get("/v1/custom-metrics/names", {})
        with pytest.raises(StorageDamaged):
            server.run(server.store.maintenance.flush(everything=True))
        assert contents_of(server)[0].log_points == 100


def test_the_loop_of_background_work_says_once_per_try_what_is_damaged(
    server: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "CHECK_EVERY_SECONDS", 0.01)
    server.store.maintenance._flush_at_points = 1

    async def run() -> None:
        running = asyncio.create_task(server.store.run())
        await comes_to_hold(
            lambda: len([e for e in logged if e["event"] == "periodic_work_met_damage"]) >= 3
        )
        assert not running.done()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    with structlog.testing.capture_logs() as logged:
        server.run(run())
    tries = [e for e in logged if e["event"] == "periodic_work_met_damage"]
    assert [e["failures"] for e in tries][:3] == [1, 2, 3]
    assert "exc_info" not in tries[0]
    met = [e for e in logged if e["event"] == "storage_damaged"]
    assert met[0]["tables"] == ["metric_batches"]
    assert len(met) - len(tries) in (0, 1)
    assert contents_of(server)[1].log_points == 0


@pytest.mark.parametrize("kind", [0, 1, 2, 3])
def test_a_column_that_is_missing_is_damage_and_its_day_is_not_compacted(
    tmp_path: Path, kind: int
) -> None:
    with InProcess(tmp_path / "vumeter.db") as server:
        server.new_organization()
        for seed in range(2):
            server.record(many_points(SCENES[0], 200, seed))
            server.store.maintenance._flush_at_points = 1
            server.run(server.store.maintenance.flush())
        server.database.write(
            lambda connection: connection.execute(
                "DELETE FROM metric_columns WHERE kind = ? AND part ="
                " (SELECT max(part) FROM metric_columns)",
                (kind,),
            )
        )

        def rows() -> int:
            return server.database.read(
                lambda c: int(c.execute("SELECT count(*) FROM metric_columns").fetchone()[0])
            )

        before = rows()
        with pytest.raises(StorageDamaged):
            server.run(server.store.maintenance.flush(everything=True))
        assert rows() == before
