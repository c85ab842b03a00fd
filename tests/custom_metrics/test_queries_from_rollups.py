"""Queries that rollups answer, wholly or in part: the answer is the brute-force one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.custom_metrics import query_oracle
from tests.custom_metrics.cases import canonical
from tests.custom_metrics.in_process import NOW_US, InProcess
from tests.custom_metrics.older_rollups import leave_out_extremes
from tests.custom_metrics.oracle import Oracle
from tests.custom_metrics.query_strategies import rollup_queries
from tests.custom_metrics.sqlite.few_as_many import let_few_be_many
from tests.custom_metrics.strategies import SCENES, many_points


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    path: Path = tmp_path_factory.mktemp("rollups") / "vumeter.db"
    with InProcess(path) as in_process:
        yield in_process


@pytest.mark.parametrize("are_many", [False, True], ids=["few points", "many points"])
@given(st.data())
@settings(
    deadline=None,
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_answers_are_the_oracles(
    server: InProcess, monkeypatch: pytest.MonkeyPatch, are_many: bool, data: st.DataObject
) -> None:
    if are_many:
        let_few_be_many(monkeypatch)
    scene = data.draw(st.sampled_from(SCENES))
    seed = data.draw(st.integers(0, 1_000))
    bodies = data.draw(st.lists(rollup_queries(scene), min_size=1, max_size=2))
    is_older = data.draw(st.booleans())
    server.new_organization()
    oracle = Oracle()

    def check(state: str) -> None:
        for body in bodies:
            expected = canonical(query_oracle.answer(oracle.points, body))
            assert canonical(server.query(json.dumps(body))) == expected, f"{state}: {body}"

    def record(number: int) -> None:
        recorded = many_points(scene, 12, seed + number)
        server.record(recorded)
        oracle.record(recorded, NOW_US)

    record(0)
    server.flush()
    if is_older:
        assert leave_out_extremes(server.database, server.organization_id)
    check("flushed, of an earlier version" if is_older else "flushed")
    record(1)
    check("with a head")
    server.run(server.store.maintenance._flush_logs(everything=True))
    record(2)
    check("of two segments and a head")
    server.flush()
    check("compacted")


def test_older_rollups_get_minima_and_maxima_with_time(server: InProcess) -> None:
    server.new_organization()
    server.record(many_points(SCENES[0], 40, 1))
    server.flush()
    assert leave_out_extremes(server.database, server.organization_id)
    assert _older_days(server) > 0
    server.flush()
    assert _older_days(server) == 0
    # Nothing is left to be done again.
    before = _rollups(server)
    server.flush()
    assert _rollups(server) == before


def _older_days(server: InProcess) -> Any:
    sql = "SELECT count(*) FROM metric_days WHERE organization_id = ? AND has_extremes = 0"
    where = (server.organization_id,)
    return server.database.write(lambda connection: connection.execute(sql, where).fetchone()[0])


def _rollups(server: InProcess) -> Any:
    sql = "SELECT metric_code, day, part, sums FROM metric_cells WHERE organization_id = ?"
    where = (server.organization_id,)
    return server.database.write(lambda connection: connection.execute(sql, where).fetchall())
