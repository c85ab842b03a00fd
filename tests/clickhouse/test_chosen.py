"""What `chosen.py` names is there, and what it leaves out of `make test` is as it says."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from tests.clickhouse.chosen import (
    CHOSEN_IN_PROCESS,
    CHOSEN_ON_CLUSTER,
    is_left_to_cluster,
)

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("chosen", [*CHOSEN_ON_CLUSTER, *CHOSEN_IN_PROCESS])
def test_what_is_chosen_is_there(chosen: str) -> None:
    path, _, function = chosen.partition("[")[0].partition("::")
    names = {
        each.name
        for each in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert not function or function in names


LEFT = (
    "tests/clickhouse/test_servers.py::test_x",
    "tests/conformance/custom_metrics/test_usage.py::test_x[clickhouse cluster]",
    "tests/conformance/simulation/test_lists.py::test_x[clickhouse]",
    "tests/custom_metrics/clickhouse/test_races.py::test_x",
    "tests/end_to_end/test_csv.py::test_x[clickhouse cluster]",
    "tests/store_migration/test_clickhouse_cluster.py::test_x",
)
RUN = (
    "tests/clickhouse/test_failures.py::test_x",
    "tests/conformance/custom_metrics/test_recording.py::test_x[clickhouse cluster]",
    "tests/conformance/custom_metrics/test_usage.py::test_x[clickhouse]",
    "tests/conformance/simulation/test_lists.py::test_x[sqlite]",
    "tests/end_to_end/test_cases.py::test_x[clickhouse cluster-tags_filter]",
    "tests/end_to_end/test_cases.py::test_x[tags_filter]",
    "tests/otlp/test_clickhouse.py::test_x[clickhouse]",
)


def test_the_rest_is_left_to_the_long_targets() -> None:
    assert [each for each in (*LEFT, *RUN) if is_left_to_cluster(each)] == list(LEFT)
