"""`vumeter export custom-metrics`: what the files hold, and who may have which points."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from tests.commands.transferring import Clinic
from tests.stack import Stack

from vumeter_server.access.roles import Role

FORMATS = ("csv", "ndjson", "parquet")
TAGS = {f"label_{number}": f' {number},"\r\n東京;\t' for number in range(32)}
POINTS: list[dict[str, Any]] = [
    {"name": "booking", "value": 2, "timestamp": "2025-04-01T10:00:00.000001Z", "tags": TAGS},
    {"name": "booking", "timestamp": "2025-04-01T10:00:00.000001Z", "agentId": "agent_1"},
    {
        **{"name": "queue", "type": "gauge", "value": -0.1, "timestamp": "2025-04-02T10:00:00Z"},
        **{"environmentId": "production", "sessionId": " session 1"},
    },
    {
        **{"name": "latency_ms", "type": "histogram", "timestamp": "2025-04-03T10:00:00Z"},
        "distribution": {
            **{"count": 6, "sum": 3600.5, "min": 5, "max": 1815},
            **{"bounds": [500, 1000, 2000], "bucketCounts": [2, 3, 1, 0]},
        },
    },
    {"name": "latency_ms", "value": 0.1 + 0.2, "timestamp": "2025-04-03T10:00:00Z"},
]


@pytest.fixture
def clinic(stack: Stack) -> Clinic:
    return Clinic.of(stack)


@pytest.fixture
def filled(clinic: Clinic) -> Clinic:
    clinic.record(*POINTS)
    return clinic


@pytest.mark.parametrize("file_format", FORMATS)
def test_every_part_of_a_point_survives(
    filled: Clinic, stack: Stack, tmp_path: Path, file_format: str
) -> None:
    copy = Clinic.of(stack)
    file = tmp_path / "points"
    filled.export(file, "--format", file_format)
    assert copy.load(file, "--format", file_format).status == 0
    assert [json.loads(line) for line in copy.lines()] == [
        # In order of time and name, with what was left out.
        {**POINTS[0], "type": "counter", "tags": TAGS},
        {**POINTS[1], "type": "counter", "value": 1},
        POINTS[2],
        POINTS[3],
        {**POINTS[4], "type": "histogram"},
    ]
    assert list(tmp_path.iterdir()) == [file]


def test_csv_is_a_table_with_tags_and_distributions_as_json(filled: Clinic, tmp_path: Path) -> None:
    file = tmp_path / "points.csv"
    filled.export(file)
    data = file.read_bytes()
    assert data.startswith(
        b"timestamp,name,type,value,agent_id,environment_id,session_id,tags,distribution\r\n"
    )
    with file.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert json.loads(rows[0]["tags"]) == TAGS
    assert (rows[1]["value"], rows[1]["tags"], rows[2]["value"]) == ("1", "", "-0.1")
    assert rows[3]["value"] == ""
    assert json.loads(rows[3]["distribution"]) == POINTS[3]["distribution"]
    assert rows[4]["timestamp"] == "2025-04-03T10:00:00Z"


def test_parquet_has_types_that_others_read(filled: Clinic, tmp_path: Path) -> None:
    file = tmp_path / "points.parquet"
    filled.export(file)
    table = pyarrow.parquet.read_table(file)
    types = {field.name: str(field.type) for field in table.schema}
    assert types["timestamp"] == "timestamp[us, tz=UTC]"
    assert types["name"] == types["session_id"] == "string"
    assert types["tags"].startswith("map<string, string")
    assert table["value"].to_pylist() == [2, 1, -0.1, None, 0.1 + 0.2]
    assert dict(table["tags"].to_pylist()[0]) == TAGS
    assert table["distribution"].to_pylist()[3]["bucket_counts"] == [2, 3, 1, 0]


def test_ranges_metrics_and_filters_narrow_an_export(filled: Clinic) -> None:
    def names(*options: str) -> list[str]:
        exported = filled.export("-", *options)
        return [json.loads(line)["name"] for line in exported.data.splitlines()]

    assert names("--start", "2025-04-02", "--end", "2025-04-03") == ["queue"]
    assert (
        names("--start", "2025-04-03T18:00:00", "--timezone", "Asia/Singapore")
        == ["latency_ms"] * 2
    )
    assert names("--metric", "queue", "--metric", "booking") == ["booking"] * 2 + ["queue"]
    assert names("--filter", "agent_id=~agent_.*") == ["booking"]
    assert names("--filter", "agent_id=~agent_.*", "--filter", "label_1!=x") == ["booking"]
    assert names("--start", "2026-01-01") == []


def test_stdout_and_stdin_are_a_dash(filled: Clinic, stack: Stack) -> None:
    for file_format in ("csv", "ndjson"):
        exported = filled.export("-", "--format", file_format)
        assert exported.err == "exported 5 points\n"
        copy = Clinic.of(stack)
        ended = copy.load("-", "--format", file_format, stdin=exported.data)
        assert ended.out == "recorded 5 points, refused 0\n"
        assert copy.lines() == filled.lines()
    written = filled.export("-", "--format", "parquet").data
    assert pyarrow.parquet.read_table(pyarrow.BufferReader(written)).num_rows == 5
    ended = filled.load("-", "--format", "parquet", stdin=written)
    assert (ended.status, "name a file" in ended.err) == (2, True)


def test_a_member_may_import_and_not_export(stack: Stack, tmp_path: Path) -> None:
    member = Clinic.of(stack, Role.MEMBER)
    file = tmp_path / "points.ndjson"
    file.write_text(json.dumps(POINTS[0]) + "\n")
    assert member.load(file).status == 0
    ended = member.run("export", "custom-metrics", tmp_path / "out.csv")
    assert (ended.status, "Insufficient permissions" in ended.err) == (2, True)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--start", "soon"), "--start must be"),
        (("--start", "2025-04-02", "--end", "2025-04-01"), "end_time must not be before"),
        (("--filter", "agent_id"), "is not LABEL=VALUE"),
        (("--filter", "agent_id=~("), "filters[0].values must be a regular expression"),
        (("--timezone", "Mars"), "must be a valid IANA timezone"),
        (("--metric", "x" * 201), "metric_names must hold names of at most 200"),
    ],
)
def test_what_cannot_be_exported_is_2(
    clinic: Clinic, options: tuple[str, ...], problem: str
) -> None:
    ended = clinic.run("export", "custom-metrics", "-", *options)
    assert (ended.status, ended.out) == (2, "")
    assert problem in ended.err
