"""`vumeter export custom-metrics` and `vumeter import custom-metrics`: one round, both ways."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow  # type: ignore[import-untyped]
import pyarrow.parquet  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.commands.command import vumeter
from tests.commands.transferring import Clinic
from tests.custom_metrics import distribution_strategies, strategies
from tests.custom_metrics.query_strategies import metric_queries
from tests.stack import Stack, start_stack
from tests.waiting import until

from vumeter_server.access.roles import Role
from vumeter_server.sqlite.library import sqlite3

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


@pytest.fixture(scope="module", params=[1, 20, 65_536], ids=["flushed", "partly", "in-the-log"])
def layout(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A product that flushes every point, some, or none."""
    started = start_stack(
        tmp_path_factory.mktemp("layout"),
        VUMETER_FLUSH_AT_POINTS=str(request.param),
        VUMETER_ACCESS_LOG="false",
    )
    yield started
    started.stop()


def points_in(stack: Stack, table: str) -> int:
    with sqlite3.connect(f"file:{stack.db_path}?mode=ro", uri=True) as connection:
        found: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    connection.close()
    return found


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[list[dict[str, Any]]], list[dict[str, Any]]]:
    """Choose batches of points, distributions among them, and queries about them."""
    scene = draw(st.sampled_from(strategies.SCENES))
    plain = strategies.points(scene)
    distributed = distribution_strategies.recorded().map(lambda each: each.point)
    batches = draw(
        st.lists(st.lists(plain | distributed, min_size=1, max_size=15), min_size=1, max_size=4)
    )
    return batches, draw(st.lists(metric_queries(scene), min_size=1, max_size=4))


def answers(clinic: Clinic, bodies: list[dict[str, Any]]) -> list[Any]:
    latencies = {
        **{"startDate": "2025-03-01", "endDate": "2025-05-01", "step": "day"},
        "groupBy": ["agent_id", "session_id"],
        "metrics": [
            {"as": function, "metric": "latency_ms", "function": function}
            for function in ("sum", "count", "mean", "min", "max", "last", "sessions")
        ]
        + [
            {"as": f"p{p}", "metric": "latency_ms", "function": "percentile", "percentile": p}
            for p in (1, 50, 99)
        ],
    }
    asked = [clinic.request("/query", body) for body in (latencies, *bodies)]
    year = "startDate=2025-01-01&endDate=2025-12-31"
    paths = [
        *("/names", "/tags", f"/aggregate?{year}", f"/daily?{year}&groupBy=company_id"),
        *(f"/sessions/{each}" for each in ("s-1", "s-2")),
        f"/timeseries?{year}&metricName=latency_ms&step=7d",
    ]
    return [*asked, *(clinic.request(path) for path in paths)]


@given(recordings(), st.sampled_from(FORMATS))
@settings(
    deadline=None,
    max_examples=8,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_was_exported_and_imported_again_answers_the_same(
    layout: Stack,
    tmp_path: Path,
    chosen: tuple[list[list[dict[str, Any]]], list[dict[str, Any]]],
    file_format: str,
) -> None:
    batches, bodies = chosen
    clinic, copy = Clinic.of(layout), Clinic.of(layout)
    for batch in batches:
        clinic.record(*batch)
    count = sum(map(len, batches))
    file = tmp_path / f"points.{file_format}"
    assert clinic.export(file).out == f"exported {count} points\n"
    ended = copy.load(file)
    assert (ended.status, ended.out) == (0, f"recorded {count} points, refused 0\n"), ended.err
    assert answers(copy, bodies) == answers(clinic, bodies)
    assert copy.lines() == clinic.lines()
    # A repeat, of the same points in whichever format, records nothing.
    again = tmp_path / "again.ndjson"
    clinic.export(again)
    assert copy.load(file).status == copy.load(again).status == 0
    assert copy.lines() == clinic.lines()


def test_the_layouts_are_what_they_are_called(layout: Stack, request: Any) -> None:
    clinic = Clinic.of(layout)
    clinic.record(*POINTS)
    named = request.node.callspec.id
    if named == "flushed":
        until(lambda: points_in(layout, "metric_columns") > 0)
    elif named == "in-the-log":
        assert points_in(layout, "metric_columns") == 0


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
