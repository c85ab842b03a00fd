"""Messages of exported points, in whatever pieces, become files that hold each point once."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter_server.commands.files import point_labels, point_table, point_text
from vumeter_server.commands.files.point_fields import COLUMNS, TYPES
from vumeter_server.commands.files.point_table import PointTables
from vumeter_server.commands.files.point_text import Csv, Ndjson
from vumeter_server.custom_metrics import wire
from vumeter_server.times.rfc3339 import format_rfc3339

Point = dict[str, Any]

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
IDS = st.sampled_from(["", "a", 'b "c",\r\n', "東京"])
# The type belongs to the name.
METRICS = st.sampled_from([("booking", "counter"), ("queue", "gauge"), ("latency", "histogram")])
LABELS = st.fixed_dictionaries(
    {
        "agent_id": IDS,
        "environment_id": IDS,
        "tags": st.dictionaries(st.sampled_from(["b", "a", "c_1"]), TEXTS, max_size=3),
    }
)


@st.composite
def messages(draw: st.DrawFn) -> list[list[Point]]:
    """Choose the points of some messages, with few label sets, as they mostly have."""
    labels = st.sampled_from(draw(st.lists(LABELS, min_size=1, max_size=4)))

    @st.composite
    def points(draw: st.DrawFn) -> Point:
        name, of_type = draw(METRICS)
        point: Point = {"name": name, "type": of_type, **draw(labels), "session_id": draw(IDS)}
        seconds = draw(st.integers(0, 2**32))
        point["time_us"] = seconds * 1_000_000 + draw(st.sampled_from([0, 1, 250_000]))
        if of_type == "histogram" and draw(st.booleans()):
            limits = draw(st.sampled_from([{}, {"min": 0.5, "max": 4.0}]))
            buckets = {"bounds": [1.0], "bucket_counts": [1, 2]}
            point["distribution"] = {"count": 3, "sum": 6.5, **limits, **buckets}
        else:
            point["value"] = draw(st.floats(allow_nan=False, allow_infinity=False))
        return point

    return draw(st.lists(st.lists(points(), min_size=1, max_size=6), min_size=1, max_size=5))


def columns_of(points: Sequence[Point]) -> Any:
    """Return points as a server of any language sends them, read as an export reads them."""
    columns = pb.PointColumns()
    names: list[str] = list(dict.fromkeys(each["name"] for each in points))
    sessions = list(dict.fromkeys(each["session_id"] for each in points if each["session_id"]))
    types = {each["name"]: TYPES[each["type"]] for each in points}
    columns.names.extend(names)
    columns.types.extend(types[name] for name in names)
    columns.sessions.extend(sessions)
    for index, point in enumerate(points):
        columns.label_sets.add(
            agent_id=point["agent_id"], environment_id=point["environment_id"], tags=point["tags"]
        )
        columns.label_set_indexes.append(index)
        columns.name_indexes.append(names.index(point["name"]))
        columns.times_us.append(point["time_us"])
        columns.values.append(point.get("value", 6.5))
        if sessions:
            columns.session_indexes.append(["", *sessions].index(point["session_id"]))
        if "distribution" in point:
            columns.distribution_indexes.append(index)
            columns.distributions.add(**point["distribution"])
    response = pb.ExportPointsResponse(columns=columns)
    return wire.EXPORTED.FromString(response.SerializeToString()).columns


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages(), st.integers(1, 3), st.sampled_from([0, 50_000_000]))
def test_parquet_holds_the_points_whatever_is_kept_between_row_groups(
    monkeypatch: pytest.MonkeyPatch, given_points: list[list[Point]], step: int, kept_bytes: int
) -> None:
    monkeypatch.setattr(point_labels, "MAX_BYTES", kept_bytes)
    tables, data = PointTables(), io.BytesIO()
    with pyarrow.parquet.ParquetWriter(
        data, point_table.schema(pyarrow), store_schema=False, **point_table.PARQUET_OPTIONS
    ) as writer:
        for start in range(0, len(given_points), step):
            group = [columns_of(each) for each in given_points[start : start + step]]
            writer.write_table(tables.table(pyarrow, group))
    read = pyarrow.parquet.read_table(pyarrow.BufferReader(data.getvalue()))
    assert read.column("timestamp").cast("int64").to_pylist() == [
        point["time_us"] for points in given_points for point in points
    ]
    assert read.drop_columns(["timestamp"]).to_pylist() == [
        {
            "name": point["name"],
            "type": point["type"],
            "value": point.get("value"),
            "agent_id": point["agent_id"] or None,
            "environment_id": point["environment_id"] or None,
            "session_id": point["session_id"] or None,
            "tags": sorted(point["tags"].items()),
            "distribution": in_struct(point),
        }
        for points in given_points
        for point in points
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages(), st.sampled_from([1, 50_000]))
def test_text_holds_the_points_whatever_is_kept_between_messages(
    monkeypatch: pytest.MonkeyPatch, given_points: list[list[Point]], kept: int
) -> None:
    monkeypatch.setattr(point_text, "MAX_LABEL_SETS_KEPT", kept)
    ndjson, rows = Ndjson(), Csv()
    columns = [columns_of(each) for each in given_points]
    points = [point for each in given_points for point in each]
    lines = "".join(map(ndjson.lines, columns)).encode().splitlines()
    assert [json.loads(line) for line in lines] == list(map(in_json, points))
    text = "".join(map(rows.rows, columns))
    assert list(csv.reader(io.StringIO(text, newline=""))) == list(map(in_cells, points))


def in_struct(point: Point) -> dict[str, Any] | None:
    found: dict[str, Any] | None = point.get("distribution")
    return None if found is None else {"min": None, "max": None, **found}


def in_json(point: Point) -> dict[str, Any]:
    """Return a point as in the REST body."""
    names = {"agent_id": "agentId", "environment_id": "environmentId", "session_id": "sessionId"}
    found = {names.get(name, name): each for name, each in point.items() if each or name == "value"}
    found["timestamp"] = format_rfc3339(found.pop("time_us", 0))
    if "distribution" in found:
        found["distribution"] = in_rest(found["distribution"])
    return found


def in_rest(distribution: dict[str, Any]) -> dict[str, Any]:
    return {
        "bucketCounts" if name == "bucket_counts" else name: each
        for name, each in distribution.items()
    }


def in_cells(point: Point) -> list[str]:
    """Return a point as the cells of a row."""
    cells = {
        **{name: point[name] for name in ("name", "type", "agent_id", "environment_id")},
        "timestamp": format_rfc3339(point["time_us"]),
        "value": repr(point["value"]).removesuffix(".0") if "value" in point else "",
        "session_id": point["session_id"],
        "tags": compact(dict(sorted(point["tags"].items()))) if point["tags"] else "",
        "distribution": compact(in_rest(point["distribution"])) if "distribution" in point else "",
    }
    return [cells[name] for name in COLUMNS]


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
