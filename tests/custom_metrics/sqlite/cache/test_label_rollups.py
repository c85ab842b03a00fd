"""The sums by label that are kept are those of the labels asked for last, and bounded."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from tests.custom_metrics.in_process import InProcess

from vumeter_server.custom_metrics.sqlite.rollups import by_label
from vumeter_server.custom_metrics.sqlite.rollups.by_label import LabelRollups
from vumeter_server.sqlite import open_database

LABELS = [f"l{number}" for number in range(4)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "vumeter.db"
    with InProcess(path) as server:
        server.new_organization()
        server.record(
            [
                {
                    "name": "calls",
                    "type": "counter",
                    "value": number,
                    "timestamp": "2025-04-01T12:00:00Z",
                    "tags": dict.fromkeys(LABELS, f"v{number}"),
                }
                for number in range(1, 4)
            ]
        )
        server.flush()
    return path


def test_labels_are_kept_up_to_a_number_of_entries(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_label, "MAX_ENTRIES_TOGETHER", 6)
    readers = open_database(path).readers()
    rollups = LabelRollups(1)
    try:
        for label in [*LABELS, *LABELS[:1], "unknown"]:
            sums = readers.peek(partial(rollups.read, key=label, first=0, end=40_000))
            assert sums.sums.totals().sum() == 6
            assert len(rollups) <= 6
    finally:
        readers.close()
    assert len(rollups) == 4
