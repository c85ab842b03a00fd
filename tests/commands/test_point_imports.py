"""`vumeter import custom-metrics`: what is refused is named, and a repeat doubles nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from tests.commands.command import vumeter
from tests.commands.transferring import Clinic
from tests.stack import Stack


@pytest.fixture
def clinic(stack: Stack) -> Clinic:
    return Clinic.of(stack)


def test_what_is_refused_is_named_by_line_and_the_rest_is_recorded(
    clinic: Clinic, tmp_path: Path
) -> None:
    clinic.record({"name": "calls", "timestamp": "2025-04-01T00:00:00Z"})
    file = tmp_path / "points.ndjson"
    good = {"name": "calls", "timestamp": "2025-04-01T10:00:00Z"}
    bad: list[dict[str, Any]] = [
        {"name": "calls"},
        {**good, "timestamp": "yesterday"},
        {**good, "value": -1},
        {**good, "type": "gauge", "value": 1},
        {**good, "colour": "red"},
        {**good, "type": "timer"},
        {**good, "tags": {"date": "x"}},
        {**good, "value": 1, "distribution": {"count": 1, "sum": 1}},
        {"name": "sizes", "type": "histogram", "timestamp": good["timestamp"]},
        {**good, "timestamp": "2100-01-01T00:00:00Z"},
    ]
    lines = [json.dumps(each) for each in (good, *bad, good)]
    file.write_text("\n".join([*lines, "", "{"]) + "\n")
    ended = clinic.load(file)
    assert (ended.status, ended.out) == (1, "recorded 2 points, refused 11\n")
    told = sorted(ended.err.splitlines(), key=lambda each: int(each.split()[2].rstrip(":")))
    assert [each.partition(": ")[2].partition(" must ")[0] for each in told] == [
        "line 2: timestamp",
        "line 3: timestamp",
        "line 4: value",
        "line 5: type",
        "line 6: colour is not a known field",
        "line 7: type",
        "line 8: tags.date",
        "line 9: distribution",
        "line 10: value",
        "line 11: timestamp",
        "line 14: body",
    ]
    # Nothing is doubled by a repeat.
    assert clinic.load(file).out == ended.out
    assert len(clinic.lines()) == 3


def test_a_repeat_after_less_is_refused_doubles_nothing(clinic: Clinic, tmp_path: Path) -> None:
    clinic.record({"name": "calls", "timestamp": "2025-04-01T00:00:00Z"})
    file = tmp_path / "points.ndjson"
    times = [f"2025-04-0{day}T00:00:00Z" for day in (2, 3)]
    file.write_text(
        json.dumps({"name": "calls", "type": "gauge", "value": 1, "timestamp": times[0]})
        + "\n"
        + json.dumps({"name": "turns", "timestamp": times[1]})
        + "\n"
    )
    assert clinic.load(file).out == "recorded 1 points, refused 1\n"
    of_clinic = ("--organization", clinic.name, "--db", str(clinic.stack.db_path), "--yes")
    vumeter("metrics", "delete", "calls", *of_clinic)
    # What was refused would be taken now.
    ended = clinic.load(file)
    assert ended.err == (
        f"{file}: lines 1 to 2: were recorded before, when others of them were rejected\n"
    )
    assert [json.loads(line)["name"] for line in clinic.lines()] == ["turns"]


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("timestamp,name,tag", "'tag' is not the name of a column"),
        ("timestamp,name,name", "the column name is given twice"),
        ("name,value", "the column timestamp is missing"),
        ("", "the column timestamp is missing"),
    ],
)
def test_a_table_whose_columns_cannot_be_used_is_2(
    clinic: Clinic, tmp_path: Path, header: str, problem: str
) -> None:
    file = tmp_path / "points.csv"
    file.write_text(f"{header}\n")
    ended = clinic.load(file)
    assert (ended.status, ended.err) == (2, f"vumeter: {file}: line 1: {problem}\n")


def test_rows_of_csv_are_refused_by_line(clinic: Clinic, tmp_path: Path) -> None:
    file = tmp_path / "points.csv"
    file.write_bytes(
        b"name,timestamp,value,tags,distribution\n"
        b"calls,2025-04-01T10:00:00Z,1,,\n"
        b"calls,2025-04-01T10:00:00Z,many,,\n"
        b"calls,2025-04-01T10:00:00Z,1,phone,\n"
        b'calls,2025-04-01T10:00:00Z,1,"{""a"": 1}",\n'
        b"calls,,1,,\n"
        b"calls,2025-04-01T10:00:00Z\n"
        b'sizes,2025-04-01T10:00:00Z,,,"{""count"": 1}"\n'
    )
    ended = clinic.load(file)
    assert (ended.status, ended.out) == (1, "recorded 1 points, refused 6\n")
    assert [each.partition(": line ")[2] for each in ended.err.splitlines()] == [
        "3: value must be a number",
        "4: tags must be a JSON object",
        "5: tags must be a string for each key",
        "6: timestamp must be given",
        "7: has 2 cells, the header has 5",
        "8: distribution.sum must be given",
    ]


def test_a_file_that_is_no_parquet_is_2(clinic: Clinic, tmp_path: Path) -> None:
    file = tmp_path / "points.parquet"
    file.write_text("no parquet")
    ended = clinic.load(file)
    assert (ended.status, "is no Parquet file" in ended.err) == (2, True)


def test_rows_of_parquet_are_refused_by_row(clinic: Clinic, tmp_path: Path) -> None:
    file = tmp_path / "points.parquet"
    rows = [
        {"name": "calls", "timestamp": "2025-04-01T10:00:00Z", "value": 1.0},
        {"name": "calls", "timestamp": "soon", "value": 1.0},
        {"name": "calls", "timestamp": None, "value": 1.0},
        {"name": "calls", "timestamp": "2025-04-01T10:00:00Z", "value": -1.0},
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    ended = clinic.load(file)
    assert (ended.status, ended.out) == (1, "recorded 1 points, refused 3\n")
    assert [each.partition(": line ")[2].split()[:2] for each in ended.err.splitlines()] == [
        ["2:", "timestamp"],
        ["3:", "timestamp"],
        ["4:", "value"],
    ]
