"""Makes the rollups of an organization those of an earlier version: without minima and maxima."""

from __future__ import annotations

from typing import Final

import numpy as np

from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.sqlite.formats.tables import decode_sums, encode_sums
from vumeter_server.sqlite import Database
from vumeter_server.sqlite.library import sqlite3

KEYS: Final = {"metric_cells": 1, "label_sums": 2, "series_sums": 1}
PRIMARY_KEYS: Final = {
    "metric_cells": ("metric_code", "day", "part"),
    "label_sums": ("key", "day", "part"),
    "series_sums": ("metric_code", "level", "block"),
}


def without_extremes(blob: bytes, keys: int) -> bytes:
    """Write a rollup of so many columns of keys again, as 0.1.0 would have."""
    columns, read = decode_sums(blob, keys)
    parts = [part.astype(np.float64) for part in read.parts]
    return encode_sums(columns, ExactSums(read.counts.astype(np.int64), parts), None)


def leave_out_extremes(database: Database, organization_id: int) -> int:
    """Write all rollups again, as 0.1.0 would have; return how many there are."""

    def rewrite(connection: sqlite3.Connection) -> int:
        rewritten = 0
        for table, keys in KEYS.items():
            names = PRIMARY_KEYS[table]
            rows = connection.execute(
                f"SELECT sums, {', '.join(names)} FROM {table} WHERE organization_id = ?",
                (organization_id,),
            ).fetchall()
            for blob, *key in rows:
                connection.execute(
                    f"UPDATE {table} SET sums = ? WHERE organization_id = ?"
                    f" AND ({', '.join(names)}) = ({', '.join('?' * len(names))})",
                    (without_extremes(blob, keys), organization_id, *key),
                )
            rewritten += len(rows)
        connection.execute(
            "UPDATE metric_days SET has_extremes = 0 WHERE organization_id = ?",
            (organization_id,),
        )
        return rewritten

    return database.write(rewrite)
