"""Where npm does not give ClickHouse's engine, nobody takes that for tests that passed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.clickhouse import cluster


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where programs are found; the engine was not fetched."""
    monkeypatch.setattr(cluster, "LIBRARY", tmp_path / "engine" / "libchdb.so")
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("npm", ["is not there", "cannot fetch"])
@pytest.mark.parametrize("is_required", [False, True])
def test_without_an_engine_tests_are_skipped_or_fail_where_they_may_not_be(
    directory: Path, monkeypatch: pytest.MonkeyPatch, npm: str, is_required: bool
) -> None:
    why = "npm is not installed, which fetches ClickHouse's engine"
    if npm == "cannot fetch":
        script = directory / "npm"
        script.write_text("#!/bin/sh\necho npm error network >&2\nexit 1\n")
        script.chmod(0o755)
        why = "npm cannot fetch ClickHouse's engine: npm error network"
    monkeypatch.setattr(cluster, "REQUIRE_CLUSTER", is_required)
    outcome = pytest.fail.Exception if is_required else pytest.skip.Exception
    with pytest.raises(outcome) as raised:
        cluster.fetch_library()
    assert str(raised.value) == why + (" (TEST_REQUIRE_CLUSTER is set)" if is_required else "")
