"""chdb, ClickHouse in process: a MergeTree in the order of metric and time, tags as a Map."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import chdb
import numpy as np
import orjson
from chdb.session import Session

from bench.answers import Answer
from bench.asks import Ask, Kind
from bench.dataset import DAY_US, METRICS, Dataset, Type
from bench.engines.engine import Engine
from bench.engines.rows import TYPE_NAMES, TYPE_OF, answer_of_rows, reduce_session
from bench.functions import KINDS, clickhouse_sql

_TEXT = "LowCardinality(String)"
_TABLE = f"""
CREATE TABLE IF NOT EXISTS bench.points (
    time_us Int64, name {_TEXT}, type {_TEXT}, value Float64, agent_id {_TEXT},
    environment_id {_TEXT}, session_id String, tags Map({_TEXT}, {_TEXT}),
    INDEX of_session session_id TYPE bloom_filter GRANULARITY 1)
ENGINE = MergeTree ORDER BY (name, time_us)
"""
_LOAD = """
INSERT INTO bench.points
SELECT p.time_us, m.name, m.type, p.value, l.agent_id, l.environment_id, s.session_id, l.tags
FROM file('{points}', 'RowBinary',
          'time_us Int64, value Float64, label_set Int32, session Int32, metric UInt8') p
JOIN file('{metrics}', 'JSONEachRow', 'code UInt8, name String, type String') m
    ON m.code = p.metric
JOIN file('{label_sets}', 'JSONEachRow',
          'code Int32, agent_id String, environment_id String, tags Map(String, String)') l
    ON l.code = p.label_set
JOIN file('{sessions}', 'JSONEachRow', 'code Int32, session_id String') s ON s.code = p.session
"""


class ClickHouse(Engine):
    """ClickHouse in process, on files."""

    name = "chdb"

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._session = Session(str(directory / "chdb"))
        self._run("CREATE DATABASE IF NOT EXISTS bench")
        self._run(_TABLE)

    def load(self, dataset: Dataset) -> None:
        """Load files of points and dictionaries, join them, and merge to one part."""
        points = np.empty(
            len(dataset),
            [("t", "<i8"), ("v", "<f8"), ("l", "<i4"), ("s", "<i4"), ("m", "u1")],
        )
        points["t"], points["v"] = dataset.times_us, dataset.values
        points["l"], points["s"] = dataset.label_set_indexes, dataset.sessions
        points["m"] = dataset.metrics
        files = {
            name: self._directory / name for name in ("points", "metrics", "label_sets", "sessions")
        }
        points.tofile(files["points"])
        _write_lines(
            files["metrics"],
            [
                {"code": code, "name": metric.name, "type": TYPE_NAMES[metric.type]}
                for code, metric in enumerate(METRICS)
            ],
        )
        _write_lines(
            files["label_sets"],
            [
                {
                    "code": code,
                    "agent_id": each.agent_id,
                    "environment_id": each.environment_id,
                    "tags": dict(each.tags),
                }
                for code, each in enumerate(dataset.label_sets)
            ],
        )
        _write_lines(
            files["sessions"],
            [{"code": code, "session_id": text} for code, text in enumerate(dataset.session_ids)],
        )
        self._run(_LOAD.format(**files))
        self._run("OPTIMIZE TABLE bench.points FINAL")
        for file in files.values():
            file.unlink()

    def ask(self, ask: Ask) -> Any:
        """Answer with rows."""
        rows = self._rows(_sql(ask))
        if ask.kind is Kind.SESSION:
            return reduce_session(rows)
        if ask.kind is Kind.TAGS:
            return [(key, value) for key, values in rows for value in values]
        return rows

    def answer_of(self, ask: Ask, raw: Any) -> Answer:
        """Read the rows."""
        return answer_of_rows(ask, raw)

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def versions(self) -> str:
        """Return chdb's and ClickHouse's versions."""
        return f"chdb {chdb.__version__} (ClickHouse {chdb.engine_version})"

    def _run(self, sql: str) -> None:
        self._session.query(sql)

    def _rows(self, sql: str) -> Any:
        # Of its formats the one that Python reads fastest.
        found = self._session.query(sql, "JSONCompactEachRow")
        return orjson.loads(b"[" + found.bytes().rstrip().replace(b"\n", b",") + b"]")


def _write_lines(file: Path, rows: list[dict[str, Any]]) -> None:
    file.write_bytes(b"\n".join(map(orjson.dumps, rows)))


def _quoted(text: str) -> str:
    return json.dumps(text).replace("'", "\\'").replace('"', "'")


def _sql(ask: Ask) -> str:
    where = _where(ask)
    if ask.kind in KINDS:
        return clickhouse_sql(ask, where)
    match ask.kind:
        case Kind.NAMES:
            return f"SELECT DISTINCT name FROM bench.points{where}"
        case Kind.SESSION:
            return (
                "SELECT time_us, name, value, agent_id, environment_id, tags FROM bench.points"
                f" WHERE session_id = {_quoted(ask.session_id)} ORDER BY time_us"
            )
        case Kind.TAGS:
            return (
                f"SELECT k, groupUniqArray(v) FROM bench.points"
                f" ARRAY JOIN tags.keys AS k, tags.values AS v{where} GROUP BY k"
            )
        case Kind.AGGREGATE:
            keys = "".join(f"tags['{key}'] AS {key}, " for key in ask.group_by)
            return (
                f"SELECT {keys}name, sum(value) FROM bench.points{where}"
                f" GROUP BY {', '.join((*ask.group_by, 'name'))}"
            )
        case Kind.DAILY:
            return (
                f"SELECT intDiv(time_us + {ask.offset_us}, {DAY_US}) AS day, name, sum(value)"
                f" FROM bench.points{where} GROUP BY day, name ORDER BY day"
            )
        case Kind.TIMESERIES:
            return (
                f"SELECT intDiv(time_us - {ask.start_us}, {ask.step_us}) AS bucket,"
                f" {_REDUCE[TYPE_OF[ask.metric_name]]} FROM bench.points{where}"
                " GROUP BY bucket ORDER BY bucket"
            )


_REDUCE = {
    Type.COUNTER: "sum(value)",
    Type.GAUGE: "avg(value)",
    # Takes the element of index floor(level * n): with a little less than 0.95 the nearest rank.
    Type.HISTOGRAM: "quantileExact(0.949999999)(value)",
}


def _where(ask: Ask) -> str:
    conditions: list[str] = []
    if ask.end_us:
        conditions.append(f"time_us >= {ask.start_us} AND time_us < {ask.end_us}")
    names = ask.metric_names or ((ask.metric_name,) if ask.metric_name else ())
    if names:
        conditions.append(f"name IN ({', '.join(map(_quoted, names))})")
    if ask.agent_id:
        conditions.append(f"agent_id = {_quoted(ask.agent_id)}")
    conditions += [f"tags['{key}'] = {_quoted(value)}" for key, value in ask.filters]
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""
