"""Removes segments that nobody sees, in short transactions between which others record."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from vumeter_server.custom_metrics.sqlite.formats.segments import (
    ColumnKey,
    SegmentRange,
    column_keys,
    delete_column,
)
from vumeter_server.custom_metrics.sqlite.rollups.rows import (
    delete_interval_sums,
    delete_label_sums,
    next_key,
)
from vumeter_server.sqlite import Readers, Writer
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.organization_rows import SECONDS_AT_ONCE


async def remove_segments(writer: Writer, readers: Readers, segments: SegmentRange) -> None:
    """Remove columns and rollups of segments that are not listed, not what sessions have of them.

    What was removed by one that was cut short is not there again.
    """
    columns, done = await readers.run(partial(column_keys, segments=segments), heavy=True), 0
    while done < len(columns):
        done = await writer.run(
            partial(_remove_some_columns, segments=segments, columns=columns, first=done)
        )
    await writer.run(partial(delete_interval_sums, segments=segments))
    key: str | None = ""
    while key is not None:
        key = await writer.run(partial(_remove_some_label_sums, segments=segments, after=key))


def _remove_some_columns(
    connection: sqlite3.Connection,
    segments: SegmentRange,
    columns: Sequence[ColumnKey],
    first: int,
) -> int:
    """Remove some of the columns from place `first` on; return the place of the next one."""
    until = time.monotonic() + SECONDS_AT_ONCE
    for place in range(first, len(columns)):
        delete_column(connection, segments, columns[place])
        if time.monotonic() > until:
            return place + 1
    return len(columns)


def _remove_some_label_sums(
    connection: sqlite3.Connection, segments: SegmentRange, after: str
) -> str | None:
    """Remove the rollups of some keys that come after one; return the last, None at the end."""
    until = time.monotonic() + SECONDS_AT_ONCE
    while (key := next_key(connection, segments.organization_id, after)) is not None:
        delete_label_sums(connection, segments, key)
        if time.monotonic() > until:
            break
        after = key
    return key
