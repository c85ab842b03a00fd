"""A damaged file: no wrong answer, no thread lost, one line at the start, and a check that goes on.

TEST_DAMAGE=all tries every page of the file instead of one of each table and index.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc.aio
import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.commands.command import try_vumeter
from tests.sqlite.damage_asking import QUERIES, TOKEN, Answer
from tests.sqlite.damaging import (
    DAMAGED,
    PAGE_DAMAGES,
    Outcome,
    check,
    flipped,
    meet,
    pages,
    served,
    write,
)
from tests.telemetry.scraping import scrape

from vumeter_server.api import server as server_module
from vumeter_server.sqlite import open_database
from vumeter_server.sqlite.blobs import Holds
from vumeter_server.sqlite.connections import connect_reader


def holds(column: str, kind: Holds) -> str:
    """Return the condition that blobs are of a kind, by their headers."""
    return f"hex(substr({column}, 2, 1)) = '{kind.value.hex()}'"


TRIES_ALL: Final = os.environ.get("TEST_DAMAGE") == "all"
# Blobs by what they hold, of what is asked for.
BLOBS: Final = {
    "batch": f"SELECT columns FROM metric_batches WHERE {holds('columns', Holds.BATCH)}",
    "batch with distributions": (
        "SELECT columns FROM metric_batches"
        f" WHERE {holds('columns', Holds.BATCH_WITH_DISTRIBUTIONS)}"
    ),
    "column": "SELECT column FROM metric_columns WHERE kind = 1",
    "distributions": "SELECT column FROM metric_columns WHERE kind = 4",
    "rollup by interval": "SELECT sums FROM metric_cells",
    "rollup by label": "SELECT sums FROM label_sums WHERE key = 'agent_id'",
    "rollup by label of an earlier version": "SELECT sums FROM label_sums WHERE key = 'language'",
    "rollup by label set": "SELECT sums FROM series_sums",
    "session": (
        "SELECT columns FROM session_points JOIN sessions USING (organization_id, session_code)"
        " WHERE name IN ('session-3', 'session-17')"
    ),
    "session with distributions": (
        "SELECT columns FROM session_points JOIN sessions USING (organization_id, session_code)"
        " WHERE name = 'session-of-distributions-3'"
    ),
    "states of series": "SELECT states FROM exported_series",
    "latencies": "SELECT latencies FROM simulation_latencies",
}
# All pages take minutes.
pytestmark = pytest.mark.timeout(3_600 if TRIES_ALL else 120)
FLIPS_PER_BLOB: Final = 40 if TRIES_ALL else 2
# Without these a server does not start. It says so in one line.
NEEDED_AT_START: Final = (
    "sqlite_schema",
    "_sqlite_migrations",
    "idx__sqlite_migrations",
    "metric_days",
    "live_",
    "sqlite_autoindex_live_",
    "server_clock",
)
SHORT: Final = (
    "api_keys",
    "exported_series",
    "labels",
    "label_sums",
    "live_calls",
    "live_cells",
    "live_events",
    "live_marks",
    "live_totals",
    "metric_batches",
    "metric_cells",
    "metric_columns",
    "metric_days",
    "metric_states",
    "metrics",
    "organizations",
    "series",
    "series_sums",
    "session_points",
    "simulation_calls",
    "simulation_calls_by_execution",
    "simulation_latencies",
    "simulation_totals",
    "sqlite_autoindex_metric_columns_1",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Whole:
    """A file without damage, and what it answers."""

    path: Path
    bearer: str
    answers: Mapping[str, Answer]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "DRAIN_NOTICE_SECONDS", 0.0)


_whole: list[Whole] = []


@pytest.fixture
async def whole(tmp_path_factory: pytest.TempPathFactory, _quick: None) -> Whole:
    """Write the file once for all tests; fixtures of a module have no loop of their own."""
    if not _whole:
        directory = tmp_path_factory.mktemp("whole")
        path = directory / "vumeter.db"
        bearer = await write(path)
        copy = directory / "copy.db"
        copy.write_bytes(path.read_bytes())
        met = await meet(copy, bearer)
        assert met.check_printed == "no problem found\n"
        assert {status for status, _ in met.recordings.values()} == {"OK"}
        answers = {}
        for ask, (first, again) in met.queries.items():
            assert first[0] == "OK", (ask, first)
            assert first == again, ask
            answers[ask] = first
        _whole.append(Whole(path=path, bearer=bearer, answers=answers))
    return _whole[0]


def see_that_it_is_right_or_damaged(
    whole: Whole, met: Outcome, where: str, *, may_not_start: bool
) -> None:
    problems = [each for each in met.logged if each["event"] == "storage_damaged"]
    if met.refused:
        assert may_not_start, (where, met.refused)
        assert "\n" not in met.refused
        assert met.check_status != 0, where
        return
    answers = [(ask, each) for ask, found in met.queries.items() for each in found]
    for ask, answer in answers:
        assert answer in (whole.answers[ask], DAMAGED), (where, ask, answer)
    for ask, answer in met.recordings.items():
        assert answer[0] == "OK" or answer == DAMAGED, (where, ask, answer)
    statuses = [answer[0] for _, answer in answers] + [each[0] for each in met.recordings.values()]
    # Other queries go on: live metrics need no key.
    assert "OK" in statuses, where
    if "INTERNAL" in statuses:
        assert met.check_status == 1, where
        assert problems, where
    for problem in problems:
        assert problem["tables"], (where, problem)
    ended = [each for each in met.logged if each["event"] == "background_task_ended"]
    assert not ended, where


def test_every_kind_of_blob_is_damaged_by_these_tests(whole: Whole) -> None:
    with closing(connect_reader(whole.path)) as connection:
        found = {kind: connection.execute(sql).fetchall() for kind, sql in BLOBS.items()}
    letters = {kind: {blob[1:2] for (blob,) in rows} for kind, rows in found.items()}
    assert all(len(each) == 1 for each in letters.values()), letters
    assert set.union(*letters.values()) == {each.value for each in Holds}


@pytest.mark.parametrize("kind", BLOBS)
async def test_a_flipped_bit_of_a_blob_is_never_a_wrong_answer(
    whole: Whole, tmp_path: Path, kind: str
) -> None:
    data = whole.path.read_bytes()
    blobs = [
        blob for (blob,) in open_database(whole.path).read(lambda c: list(c.execute(BLOBS[kind])))
    ]
    chance = random.Random(kind)
    noticed = 0
    for number in range(FLIPS_PER_BLOB):
        path = tmp_path / f"{number}.db"
        path.write_bytes(flipped(data, blobs, chance))
        met = await meet(path, whole.bearer)
        see_that_it_is_right_or_damaged(whole, met, f"{kind} {number}", may_not_start=False)
        assert met.check_status == 1, f"{kind} {number}"
        # States are read by the next export alone.
        answered = met.recordings.values() if kind == "states of series" else ()
        noticed += any(DAMAGED in answers for answers in (*met.queries.values(), answered))
    assert noticed


@pytest.mark.parametrize("damage", PAGE_DAMAGES)
async def test_a_page_that_is_lost_is_never_a_wrong_answer(
    whole: Whole, tmp_path: Path, damage: str
) -> None:
    data = whole.path.read_bytes()
    seen: set[str] = set()
    for place, page in enumerate(pages(whole.path)):
        if not TRIES_ALL and (page.name in seen or page.name not in SHORT or not page.is_leaf):
            continue
        seen.add(page.name)
        if not TRIES_ALL and damage != "zeros" and len(seen) % 4:
            continue
        damaged = bytearray(data)
        PAGE_DAMAGES[damage](damaged, page.start, random.Random(place))
        path = tmp_path / f"{place}.db"
        path.write_bytes(damaged)
        met = await meet(path, whole.bearer)
        may_not_start = damage == "cut" or page.name.startswith(NEEDED_AT_START)
        see_that_it_is_right_or_damaged(
            whole, met, f"{damage} of {page.name} at {page.start}", may_not_start=may_not_start
        )
        assert met.check_status != 0, page
        path.unlink()


async def test_health_says_that_storage_is_damaged_and_that_the_rest_is_served(
    whole: Whole, tmp_path: Path
) -> None:
    damaged = bytearray(whole.path.read_bytes())
    for page in pages(whole.path):
        if page.name == "simulation_calls" and page.is_leaf:
            PAGE_DAMAGES["zeros"](damaged, page.start, random.Random(0))
    path = tmp_path / "vumeter.db"
    path.write_bytes(damaged)
    with structlog.testing.capture_logs() as logged:
        async with served(path) as channel:
            (url,) = [each["url"] for each in logged if each["event"] == "metrics"]
            await _see_health(channel, whole, url)


async def _see_health(channel: grpc.aio.Channel, whole: Whole, url: str) -> None:
    """See health and own metrics before damage is met and after."""
    health = health_pb2_grpc.HealthStub(channel)
    watch = health.Watch(health_pb2.HealthCheckRequest(service="vumeter.storage"), timeout=60)
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    found = await asyncio.to_thread(scrape, url)
    assert found.labels("vumeter_storage_damaged") == [{"worker": "1"}]
    assert found.value("vumeter_storage_damaged") == 0
    (ask,) = [each for each in QUERIES if each.method == "simulation.GetCallMetrics"]
    assert await ask.answered(channel, whole.bearer) == DAMAGED
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    for service in ("", "vumeter.clock", "vumeter.simulation.v1.SimulationService"):
        found = await health.Check(health_pb2.HealthCheckRequest(service=service))
        assert found.status == health_pb2.HealthCheckResponse.SERVING, service
    found = await asyncio.to_thread(scrape, url)
    # The statement joins both.
    damaged = {each["table"] for each in found.labels("vumeter_storage_damaged")}
    assert damaged == {"simulation_calls", "simulation_executions"}
    assert found.value("vumeter_storage_damaged", table="simulation_calls") == 1


async def test_a_start_with_damaged_live_calls_is_one_line_that_says_what_to_do(
    whole: Whole, tmp_path: Path
) -> None:
    damaged = bytearray(whole.path.read_bytes())
    for page in pages(whole.path):
        if page.name == "live_calls":
            PAGE_DAMAGES["zeros"](damaged, page.start, random.Random(0))
    path = tmp_path / "vumeter.db"
    path.write_bytes(damaged)
    done = try_vumeter("serve", "--grpc-port", "0", db=path, VUMETER_ADMIN_TOKEN=TOKEN)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("vumeter: ")]
    assert "Traceback" not in done.stderr
    assert len(lines) == 1
    assert "restore a backup" in lines[0]
    assert "live_calls" in done.stderr


async def test_the_check_goes_on_behind_what_it_cannot_read(whole: Whole, tmp_path: Path) -> None:
    damaged = bytearray(whole.path.read_bytes())
    for page in pages(whole.path):
        if page.name in ("metric_batches", "simulation_calls") and page.is_leaf:
            PAGE_DAMAGES["zeros"](damaged, page.start, random.Random(0))
    path = tmp_path / "vumeter.db"
    path.write_bytes(damaged)
    status, printed = check(path)
    assert status == 1
    for table in ("metric_batches", "simulation_calls"):
        assert f"{table}: cannot be read further" in printed
    # By the command itself too: nothing of a traceback.
    done = try_vumeter("db", "check", db=path)
    assert (done.returncode, done.stderr) == (1, "")
