"""From a file to a cluster of three nodes and back, beside servers that go on recording."""

from __future__ import annotations

import random
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.clickhouse.cluster import ClickHouseCluster, new_database
from tests.commands.command import VUMETER, parsed
from tests.effort import tries
from tests.stack import start_stack
from tests.store_migration.serving import POINTS, points_of, record, recording, total_of

SEED = 20_261_127


def migrated(*options: str) -> Any:
    done = subprocess.run(
        [*VUMETER, "migrate", *options, "--format", "json"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return parsed(done.stdout)


def killed_again_and_again(options: tuple[str, ...], chosen: random.Random, times: int) -> None:
    """Start a migration, and end it at a random moment, from its start to its end."""
    for _ in range(times):
        process = subprocess.Popen([*VUMETER, "migrate", *options], stdout=subprocess.DEVNULL)
        try:
            process.wait(timeout=chosen.uniform(0.8, 4.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()


@pytest.mark.timeout(600)
def test_to_a_cluster_and_back_while_both_serve(
    clickhouse_cluster: ClickHouseCluster, tmp_path: Path
) -> None:
    chosen = random.Random(SEED)
    store = clickhouse_cluster.store(new_database())
    file = start_stack(tmp_path)
    key = file.make_key("acme")
    numbers: list[int] = []
    there = ("--from", f"sqlite:///{file.db_path}", "--to", store)
    try:
        with recording(file, key, numbers):
            killed_again_and_again(there, chosen, tries(5, 30))
            # Some seconds of recording are missing at most: the next pass takes them.
            migrated(*there)
    finally:
        file.stop()
    report = migrated(*there, "--finish")
    assert report["finished"]
    assert points_of(report) == len(numbers) * POINTS
    assert migrated(*there, "--verify-only")["differences"] == []

    (second := tmp_path / "second").mkdir()
    cluster = start_stack(second, VUMETER_STORE=store)
    back = ("--from", store, "--to", f"sqlite:///{tmp_path}/back.db")
    try:
        # A repeat of what the file recorded is one here, too.
        record(cluster, key, len(numbers) - 1)
        assert total_of(cluster, key) == POINTS * sum(numbers)
        with recording(cluster, key, numbers):
            killed_again_and_again(back, chosen, tries(5, 30))
            migrated(*back)
        expected = total_of(cluster, key)
    finally:
        cluster.stop()
    report = migrated(*back, "--finish")
    assert report["finished"]
    assert points_of(report) == len(numbers) * POINTS
    (third := tmp_path / "third").mkdir()
    again = start_stack(third, VUMETER_STORE=f"sqlite:///{tmp_path}/back.db")
    try:
        record(again, key, len(numbers) - 1)
        assert total_of(again, key) == expected == POINTS * sum(numbers)
    finally:
        again.stop()
