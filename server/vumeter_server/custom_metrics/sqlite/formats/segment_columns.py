"""Reads columns of segments: several of several metrics by one statement.

A statement takes as long as reading some columns does.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from operator import itemgetter

from vumeter_server.custom_metrics.sqlite.formats.columns import Array, Kind, decode
from vumeter_server.custom_metrics.sqlite.formats.segments import EVERY_PART, columns_do_not_fit
from vumeter_server.sqlite.library import sqlite3

Segments = dict[tuple[int, int], dict[int, Array]]
"""The columns of a metric's segments: by (day, part), then by kind."""


def read_segments(
    connection: sqlite3.Connection,
    organization_id: int,
    metric_codes: Collection[int],
    kinds: Collection[Kind],
    days: tuple[int, int],
    *,
    after_part: int = -1,
    before_part: int = EVERY_PART,
) -> dict[int, Segments]:
    """Return some columns of metrics, by metric, then by (day, part), both in order.

    One statement reads them all, and they are all in memory. The arguments are those of
    `read_columns`. Raises StorageDamaged where the columns of a segment do not fit together.
    """
    is_one = len(metric_codes) == 1
    rows = connection.execute(
        "SELECT c.metric_code, c.day, c.part, c.kind, c.column FROM metric_columns c"  # noqa: S608 - numbers of ours
        " CROSS JOIN metric_days d"
        " ON d.organization_id = c.organization_id AND d.day = c.day AND d.part = c.part"
        " WHERE c.organization_id = ?1 AND c.metric_code"
        f" {'= ?2' if is_one else 'IN (SELECT value FROM json_each(?2))'}"
        f" AND c.kind IN ({', '.join(str(int(kind)) for kind in kinds)})"
        " AND c.day >= ?3 AND c.day < ?4 AND c.part > ?5 AND c.part < ?6",
        (
            organization_id,
            next(iter(metric_codes)) if is_one else json.dumps(sorted(metric_codes)),
            *days,
            after_part,
            before_part,
        ),
    )
    found: dict[int, Segments] = {}
    for metric_code, day, part, kind, column in rows:
        segments = found.setdefault(metric_code, {})
        segments.setdefault((day, part), {})[kind] = decode(column)
    for segments in found.values():
        for each in segments.values():
            first, *others = each.values()
            if len(others) < len(kinds) - 1 or [
                other for other in others if len(other) != len(first)
            ]:
                raise columns_do_not_fit()
    return {
        metric_code: dict(sorted(found[metric_code].items(), key=itemgetter(0)))
        for metric_code in sorted(found)
    }
