"""DuckDB: one table in the order of time, tags as a MAP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from bench.answers import Answer
from bench.asks import Ask, Kind
from bench.dataset import DAY_US, METRIC_NAMES, METRICS, Dataset, Type
from bench.engines.engine import Engine
from bench.engines.rows import TYPE_NAMES, TYPE_OF, answer_of_rows, reduce_session
from bench.functions import KINDS, duck_sql

_TABLE = """
CREATE TABLE IF NOT EXISTS points (
    time_us BIGINT, name VARCHAR, type VARCHAR, value DOUBLE, agent_id VARCHAR,
    environment_id VARCHAR, session_id VARCHAR, tags MAP(VARCHAR, VARCHAR))
"""
_LOAD = """
INSERT INTO points
SELECT p.time_us, m.name, m.type, p.value, l.agent_id, l.environment_id, s.session_id, l.tags
FROM arrays p
JOIN metric_names m ON m.code = p.metric
JOIN label_sets l ON l.code = p.label_set
JOIN session_ids s ON s.code = p.session
ORDER BY p.time_us
"""


class DuckDb(Engine):
    """DuckDB on a file, in process, with as many threads as there are cores."""

    name = "DuckDB"

    def __init__(self, directory: Path) -> None:
        self.path = directory / "duck.db"
        self._connection = duckdb.connect(str(self.path))
        self._connection.execute(_TABLE)

    def load(self, dataset: Dataset) -> None:
        """Load arrays and dictionaries, and join them."""
        db = self._connection
        _register(
            db,
            "arrays",
            {
                "time_us": dataset.times_us,
                "metric": dataset.metrics.astype(np.int32),
                "label_set": dataset.label_set_indexes,
                "session": dataset.sessions,
                "value": dataset.values,
            },
        )
        _register(
            db,
            "metric_names",
            {
                "code": np.arange(len(METRICS), dtype=np.int32),
                "name": np.array(METRIC_NAMES, object),
                "type": np.array([TYPE_NAMES[metric.type] for metric in METRICS], object),
            },
        )
        _register(
            db,
            "session_ids",
            {
                "code": np.arange(len(dataset.session_ids), dtype=np.int32),
                "session_id": np.array(dataset.session_ids, object),
            },
        )
        _register(
            db,
            "pairs",
            {
                "code": np.repeat(
                    np.arange(len(dataset.label_sets), dtype=np.int32),
                    [len(each.tags) for each in dataset.label_sets],
                ),
                "k": np.array([key for each in dataset.label_sets for key in each.tags], object),
                "v": np.array(
                    [v for each in dataset.label_sets for v in each.tags.values()], object
                ),
            },
        )
        _register(
            db,
            "ids",
            {
                "code": np.arange(len(dataset.label_sets), dtype=np.int32),
                "agent_id": np.array([each.agent_id for each in dataset.label_sets], object),
                "environment_id": np.array(
                    [each.environment_id for each in dataset.label_sets], object
                ),
            },
        )
        db.execute(
            "CREATE TEMP TABLE label_sets AS SELECT code, agent_id, environment_id, tags FROM ids"
            " JOIN (SELECT code, map(list(k), list(v)) AS tags FROM pairs GROUP BY code)"
            " USING (code)"
        )
        db.execute(_LOAD)
        db.execute("DROP TABLE label_sets")
        db.execute("CHECKPOINT")

    def ask(self, ask: Ask) -> Any:
        """Answer with rows."""
        db = self._connection
        if ask.kind is Kind.SESSION:
            return reduce_session(
                db.execute(
                    "SELECT time_us, name, value, agent_id, environment_id, tags FROM points"
                    " WHERE session_id = ? ORDER BY time_us",
                    [ask.session_id],
                ).fetchall()
            )
        sql, parameters = _sql(ask)
        rows = db.execute(sql, parameters).fetchall()
        if ask.kind is Kind.TAGS:
            return [(pair["key"], pair["value"]) for (pair,) in rows]
        return rows

    def answer_of(self, ask: Ask, raw: Any) -> Answer:
        """Read the rows."""
        return answer_of_rows(ask, raw)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def versions(self) -> str:
        """Return DuckDB's version."""
        return f"DuckDB {duckdb.__version__}"


def _register(db: duckdb.DuckDBPyConnection, name: str, columns: dict[str, Any]) -> None:
    db.register(name, columns)


def _sql(ask: Ask) -> tuple[str, list[Any]]:
    where, parameters = _where(ask)
    if ask.kind in KINDS:
        return duck_sql(ask, where), parameters
    match ask.kind:
        case Kind.NAMES:
            return f"SELECT DISTINCT name FROM points{where}", parameters
        case Kind.TAGS:
            return f"SELECT DISTINCT unnest(map_entries(tags)) FROM points{where}", parameters
        case Kind.AGGREGATE:
            keys = "".join(f"tags['{key}'], " for key in ask.group_by)
            return f"SELECT {keys}name, sum(value) FROM points{where} GROUP BY ALL", parameters
        case Kind.DAILY:
            return (
                f"SELECT (time_us + {ask.offset_us}) // {DAY_US} AS day, name, sum(value)"
                f" FROM points{where} GROUP BY ALL ORDER BY day",
                parameters,
            )
        case Kind.TIMESERIES:
            return (
                f"SELECT (time_us - {ask.start_us}) // {ask.step_us} AS bucket,"
                f" {_REDUCE[TYPE_OF[ask.metric_name]]} FROM points{where}"
                " GROUP BY bucket ORDER BY bucket",
                parameters,
            )
    raise ValueError(ask.kind)


_REDUCE = {
    Type.COUNTER: "sum(value)",
    Type.GAUGE: "avg(value)",
    Type.HISTOGRAM: "quantile_disc(value, 0.95)",
}


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
        conditions.append(f"tags['{key}'] = ?")
        parameters.append(value)
    return (f" WHERE {' AND '.join(conditions)}" if conditions else ""), parameters
