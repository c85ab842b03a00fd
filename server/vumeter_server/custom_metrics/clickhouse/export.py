"""Export: what a query is about is copied into a temporary file, and yielded from there."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import IO, Any, Final

import numpy as np
import pyarrow as pa

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.custom_metrics.clickhouse.conditions import Moment, Parameters
from vumeter_server.custom_metrics.clickhouse.distributed import POINT_COLUMNS, distributions_of
from vumeter_server.custom_metrics.clickhouse.maintenance import REMOVED_AFTER_US
from vumeter_server.custom_metrics.clickhouse.sessions import label_sets_of
from vumeter_server.custom_metrics.clickhouse.statements import Statement, ask, select
from vumeter_server.custom_metrics.exported import KnownMetric
from vumeter_server.custom_metrics.model import Batch
from vumeter_server.custom_metrics.questions import ExportedPoints, ExportQuery
from vumeter_server.custom_metrics.validation import MAX_POINTS
from vumeter_server.errors import Unavailable
from vumeter_server.times.units import SECOND_US

_KEYS: Final = ("time_us", "metric", "seq", "number")
_COLUMNS: Final = {
    **{name: name for name in (*_KEYS, "agent", "environment", "tags", "session")},
    **POINT_COLUMNS,
}


async def export(
    clickhouse: ClickHouse, moment: Moment, query: ExportQuery
) -> AsyncGenerator[ExportedPoints, None]:
    """Yield the points of a moment in order of time, some at a time."""
    with tempfile.TemporaryFile(prefix="vumeter-export-") as file:
        started = time.monotonic()
        pieces = await _copy(clickhouse, moment, query, file)
        if (time.monotonic() - started) * SECOND_US > REMOVED_AFTER_US:
            # What was deleted meanwhile may be missing.
            raise Unavailable("There is more to export than can be copied at one moment")
        for number, (start, length) in enumerate(pieces, 1):
            piece = await asyncio.to_thread(_piece_at, file, start, length, moment.metrics)
            yield ExportedPoints(batch=piece, progress=number / len(pieces))


async def _copy(
    clickhouse: ClickHouse, moment: Moment, query: ExportQuery, file: IO[bytes]
) -> list[tuple[int, int]]:
    """Copy the points into a file; return where each piece is."""
    pieces: list[tuple[int, int]] = []
    after: Sequence[Any] | None = None
    skip = query.skip
    while True:
        statement = _page(clickhouse, moment, query, after, skip)
        table = await ask(clickhouse, statement)
        if table.num_rows:
            pieces.append(await asyncio.to_thread(_write, file, table))
            after = [table.column(name)[-1].as_py() for name in _KEYS]
        if table.num_rows < MAX_POINTS:
            return pieces
        skip = 0


def _page(
    clickhouse: ClickHouse,
    moment: Moment,
    query: ExportQuery,
    after: Sequence[Any] | None,
    skip: int,
) -> Statement:
    """Return the statement for the points behind one, or behind the first `skip`."""
    parameters = Parameters()
    conditions = [parameters.is_seen_at(moment), parameters.is_about(query)]
    if after is not None:
        time_us, metric, seq, number = after
        conditions.append(
            f"(time_us, metric, seq, number) > ({time_us}, {parameters.text(metric)}, {seq},"
            f" {number})"
        )
        conditions.append(f"time_us >= {time_us}")
    return select(
        clickhouse,
        {},
        _COLUMNS,
        conditions,
        parameters,
        is_aggregated=False,
        ending=f"ORDER BY {', '.join(_KEYS)} LIMIT {MAX_POINTS} OFFSET {int(skip)}",
    )


def _write(file: IO[bytes], table: pa.Table) -> tuple[int, int]:
    start = file.tell()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(file, table.schema, options=options) as stream:
        stream.write_table(table)
    return start, file.tell() - start


def _piece_at(
    file: IO[bytes], start: int, length: int, metrics: Mapping[str, KnownMetric]
) -> Batch:
    file.seek(start)
    table = pa.ipc.open_stream(file.read(length)).read_all()
    names, name_indexes = _numbered(table.column("metric").to_pylist())
    label_sets, label_set_indexes = _numbered(label_sets_of(table))
    sessions, session_indexes = _numbered(table.column("session").to_pylist())
    if "" in sessions:
        # Without a session.
        none = sessions.index("")
        sessions = sessions[:none] + sessions[none + 1 :]
        session_indexes = np.where(
            session_indexes == none, -1, session_indexes - (session_indexes > none)
        ).astype(np.int32)
    types = np.array([metrics[name].type for name in names], np.uint8)
    return Batch(
        names=names,
        name_indexes=name_indexes,
        types=types[name_indexes],
        values=np.array(table.column("value").to_numpy(), np.float64),
        times_us=np.array(table.column("time_us").to_numpy(), np.int64),
        label_sets=label_sets,
        label_set_indexes=label_set_indexes,
        sessions=sessions,
        session_indexes=session_indexes,
        distributions=distributions_of(table),
    )


def _numbered(items: Sequence[Any]) -> tuple[list[Any], Any]:
    numbers: dict[Any, int] = {}
    for item in items:
        numbers.setdefault(item, len(numbers))
    return list(numbers), np.fromiter(map(numbers.__getitem__, items), np.int32, len(items))
