"""Statements about points, and how they are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from vumeter_server.clickhouse import ClickHouse, ClickHouseError
from vumeter_server.custom_metrics.aggregation import check_cells
from vumeter_server.custom_metrics.clickhouse.conditions import Parameters
from vumeter_server.custom_metrics.clickhouse.schema import POINTS

_TOO_MANY_ROWS = 158
# Long lists of bounds stand in the text of a statement.
_MAX_QUERY_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with its parameters; more than `most_groups` groups are InvalidArgument."""

    sql: str
    parameters: Parameters = field(default_factory=Parameters)
    most_groups: int | None = None


def select(
    clickhouse: ClickHouse,
    keys: Mapping[str, str],
    columns: Mapping[str, str],
    conditions: Sequence[str],
    parameters: Parameters,
    *,
    most_groups: int | None = None,
    is_aggregated: bool = True,
    having: str = "",
    ending: str = "",
) -> Statement:
    """Return the statement that computes columns by keys; both are expressions by name."""
    chosen = ", ".join(
        expression if name == expression else f"{expression} AS {name}"
        for name, expression in (*keys.items(), *columns.items())
    )
    sql = f"SELECT {chosen} FROM {clickhouse.layout.reads(POINTS)} WHERE {' AND '.join(conditions)}"
    if keys:
        sql += f" GROUP BY {', '.join(keys)}"
    elif is_aggregated:
        # Of no points there is no row.
        sql += " HAVING count() > 0"
    if having:
        sql += f" HAVING {having}"
    if most_groups is not None:
        sql += f" LIMIT {most_groups + 1}"
    return Statement(f"{sql} {ending}", parameters, most_groups)


async def ask(clickhouse: ClickHouse, statement: Statement) -> pa.Table:
    """Return what a statement answers.

    Raises InvalidArgument, as `check_cells` does, for more groups than it may have.
    """
    most = statement.most_groups
    settings: dict[str, str | int] = {"max_query_size": _MAX_QUERY_BYTES}
    if most is not None:
        settings |= {"max_rows_to_group_by": most + 1, "group_by_overflow_mode": "throw"}
    try:
        return await clickhouse.query(statement.sql, statement.parameters.values, settings=settings)
    except ClickHouseError as error:
        if error.code == _TOO_MANY_ROWS and most is not None:
            check_cells(most + 1, 1, most)
        raise
