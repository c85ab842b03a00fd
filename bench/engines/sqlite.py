"""Naive SQLite: one table, tags as JSON text, an index a query."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.answers import Answer
from bench.asks import Ask, Kind
from bench.dataset import DAY_US, METRICS, Dataset, Type
from bench.engines.engine import Engine
from bench.engines.rows import TYPE_NAMES, TYPE_OF, answer_of_rows, reduce_session

_TABLE = """
CREATE TABLE IF NOT EXISTS points (
    id INTEGER PRIMARY KEY, time_us INTEGER, name TEXT, type TEXT, value REAL, agent_id TEXT,
    environment_id TEXT, session_id TEXT, tags TEXT)
"""
_INDEXES = (
    "CREATE INDEX by_time ON points (time_us)",
    "CREATE INDEX by_name ON points (name, time_us)",
    "CREATE INDEX by_session ON points (session_id)",
    "CREATE INDEX by_agent ON points (agent_id, name)",
)


def connect(path: Path) -> sqlite3.Connection:
    """Open the file."""
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA cache_size = -65536")
    return connection


def ask_rows(connection: sqlite3.Connection, ask: Ask) -> Any:
    """Answer with rows, a session with its entries."""
    sql, parameters = _sql(ask)
    rows = connection.execute(sql, parameters).fetchall()
    if ask.kind is Kind.SESSION:
        return reduce_session([(*row[:-1], json.loads(row[-1])) for row in rows])
    if ask.kind is Kind.TIMESERIES and TYPE_OF[ask.metric_name] is Type.HISTOGRAM:
        return _percentiles(rows)
    return rows


class NaiveSqlite(Engine):
    """SQLite as one writes it in an afternoon."""

    name = "naive SQLite"

    def __init__(self, directory: Path) -> None:
        self.path = directory / "naive.db"
        self._connection = connect(self.path)
        self._connection.execute(_TABLE)

    def load(self, dataset: Dataset) -> None:
        """Insert all rows, and make the indexes."""
        with self._connection:
            self._connection.executemany(
                "INSERT INTO points VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", _rows(dataset)
            )
            for statement in _INDEXES:
                self._connection.execute(statement)

    def ask(self, ask: Ask) -> Any:
        """Answer with rows."""
        return ask_rows(self._connection, ask)

    def answer_of(self, ask: Ask, raw: Any) -> Answer:
        """Read the rows."""
        return answer_of_rows(ask, raw)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def versions(self) -> str:
        """Return SQLite's version."""
        return f"SQLite {sqlite3.sqlite_version}"


def _rows(dataset: Dataset) -> Iterator[tuple[Any, ...]]:
    tags = [json.dumps(dict(each.tags)) for each in dataset.label_sets]
    types = [TYPE_NAMES[metric.type] for metric in METRICS]
    for time_us, metric, label_set, session, value in zip(
        dataset.times_us.tolist(),
        dataset.metrics.tolist(),
        dataset.label_set_indexes.tolist(),
        dataset.sessions.tolist(),
        dataset.values.tolist(),
        strict=True,
    ):
        ids = dataset.label_sets[label_set]
        yield (
            time_us,
            METRICS[metric].name,
            types[metric],
            value,
            ids.agent_id,
            ids.environment_id,
            dataset.session_ids[session],
            tags[label_set],
        )


def _percentiles(rows: list[tuple[int, float]]) -> list[tuple[int, float]]:
    buckets: dict[int, list[float]] = {}
    for bucket, value in rows:
        buckets.setdefault(bucket, []).append(value)
    return [
        (bucket, sorted(values)[-(-95 * len(values) // 100) - 1])
        for bucket, values in buckets.items()
    ]


def _sql(ask: Ask) -> tuple[str, list[Any]]:
    where, parameters = _where(ask)
    match ask.kind:
        case Kind.NAMES:
            return f"SELECT DISTINCT name FROM points{where}", parameters
        case Kind.SESSION:
            return (
                "SELECT time_us, name, value, agent_id, environment_id, tags FROM points"
                " WHERE session_id = ? ORDER BY time_us",
                [ask.session_id],
            )
        case Kind.TAGS:
            return (
                "SELECT DISTINCT each.key, each.value FROM points, json_each(points.tags) each"
                + where,
                parameters,
            )
        case Kind.AGGREGATE:
            keys = "".join(f"json_extract(tags, '$.{key}'), " for key in ask.group_by)
            numbers = ", ".join(map(str, range(1, len(ask.group_by) + 2)))
            return (
                f"SELECT {keys}name, sum(value) FROM points{where} GROUP BY {numbers}",
                parameters,
            )
        case Kind.DAILY:
            return (
                f"SELECT (time_us + {ask.offset_us}) / {DAY_US} AS day, name, sum(value)"
                f" FROM points{where} GROUP BY 1, 2 ORDER BY 1",
                parameters,
            )
        case Kind.TIMESERIES:
            bucket = f"(time_us - {ask.start_us}) / {ask.step_us} AS bucket"
            if TYPE_OF[ask.metric_name] is Type.HISTOGRAM:
                return f"SELECT {bucket}, value FROM points{where} ORDER BY bucket", parameters
            value = "sum" if TYPE_OF[ask.metric_name] is Type.COUNTER else "avg"
            return (
                f"SELECT {bucket}, {value}(value) FROM points{where}"
                " GROUP BY bucket ORDER BY bucket",
                parameters,
            )
    raise ValueError(ask.kind)


def _where(ask: Ask) -> tuple[str, list[Any]]:
    conditions: list[str] = []
    parameters: list[Any] = []
    if ask.end_us:
        conditions.append("time_us >= ? AND time_us < ?")
        parameters += [ask.start_us, ask.end_us]
    names = ask.metric_names or ((ask.metric_name,) if ask.metric_name else ())
    if names:
        conditions.append(f"name IN ({', '.join('?' * len(names))})")
        parameters += names
    if ask.agent_id:
        conditions.append("agent_id = ?")
        parameters.append(ask.agent_id)
    for key, value in ask.filters:
        conditions.append(f"json_extract(tags, '$.{key}') = ?")
        parameters.append(value)
    return (f" WHERE {' AND '.join(conditions)}" if conditions else ""), parameters
