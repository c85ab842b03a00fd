"""Q10 to Q13: functions by group and bucket, as each engine is asked, and the right answers.

An answer is (bucket, group) -> values; the bucket is counted from the start of the range, the group
of the others is None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bench.asks import Ask, Kind
from bench.dataset import COUNTERS, DAY_US, HISTOGRAMS, METRIC_NAMES, Dataset
from bench.mix import Draw, Query

Answer = dict[tuple[int, str | None], tuple[float, ...]]
Numbers = npt.NDArray[np.int64]

KINDS: Final = (Kind.PERCENTILES, Kind.FUNCTIONS, Kind.CONVERSION, Kind.SESSIONS)
PERCENTS: Final = (50, 95, 99)
CONVERSION: Final = ("booking_attempt", "booking_completed")
TOP: Final = 10


def _days(draw: Draw, days: int) -> dict[str, Any]:
    start_us = draw.dataset.start_us + draw.below(91 - days) * DAY_US
    return {"start_us": start_us, "end_us": start_us + days * DAY_US, "step_us": DAY_US}


Q10 = Query(
    name="Q10",
    what="p50, p95, p99 of a histogram, 7 days, hourly, by agent",
    ask=lambda draw: Ask(
        kind=Kind.PERCENTILES,
        metric_name=draw.one(HISTOGRAMS),
        group_by=("agent_id",),
        **draw.hours(7),
    ),
)
Q11 = Query(
    name="Q11",
    what="mean, min, max, count by day, 90 days, by company",
    ask=lambda draw: Ask(
        kind=Kind.FUNCTIONS,
        metric_name=draw.one(METRIC_NAMES),
        group_by=("company_id",),
        **_days(draw, 90),
    ),
)
Q12 = Query(
    name="Q12",
    what="conversion formula, 30 days, top 10 companies with the rest",
    ask=lambda draw: Ask(
        kind=Kind.CONVERSION,
        metric_names=CONVERSION,
        group_by=("company_id",),
        **{**_days(draw, 30), "step_us": 30 * DAY_US},
    ),
)
Q13 = Query(
    name="Q13",
    what="distinct sessions by day, 30 days",
    ask=lambda draw: Ask(kind=Kind.SESSIONS, metric_name=draw.one(COUNTERS), **_days(draw, 30)),
)
QUERIES = (Q10, Q11, Q12, Q13)


def duck_sql(ask: Ask, where: str) -> str:
    """Return what DuckDB is asked."""
    bucket = f"(time_us - {ask.start_us}) // {ask.step_us}"
    match ask.kind:
        case Kind.PERCENTILES:
            levels = ", ".join(f"{percent / 100}" for percent in PERCENTS)
            return (
                f"SELECT {bucket} AS b, agent_id, unnest([quantile_disc(value, [{levels}])])"
                f" FROM points{where} GROUP BY b, agent_id ORDER BY b"
            )
        case Kind.FUNCTIONS:
            return (
                f"SELECT {bucket} AS b, tags['company_id'] AS g, avg(value), min(value),"
                f" max(value), count(*) FROM points{where} GROUP BY b, g ORDER BY b"
            )
        case Kind.CONVERSION:
            attempts, completed = CONVERSION
            return (
                "WITH per AS (SELECT tags['company_id'] AS g,"
                f" sum(value) FILTER (name = '{attempts}') AS a,"
                f" sum(value) FILTER (name = '{completed}') AS c FROM points{where} GROUP BY g),"
                " ranked AS (SELECT *, row_number() OVER (ORDER BY a DESC NULLS LAST, g) AS r"
                " FROM per)"
                f" SELECT 0, CASE WHEN r <= {TOP} THEN g END AS top, sum(a), sum(c),"
                " sum(c) / sum(a) FROM ranked GROUP BY top ORDER BY min(r)"
            )
        case _:
            return (
                f"SELECT {bucket} AS b, '', count(DISTINCT session_id) FROM points{where}"
                " GROUP BY b ORDER BY b"
            )


def clickhouse_sql(ask: Ask, where: str) -> str:
    """Return what ClickHouse is asked."""
    bucket = f"intDiv(time_us - {ask.start_us}, {ask.step_us})"
    match ask.kind:
        case Kind.PERCENTILES:
            # A little less than the level: the element of index floor(level * n) is then that of
            # the nearest rank.
            levels = ", ".join(f"{percent / 100 - 1e-9:.9f}" for percent in PERCENTS)
            return (
                f"SELECT {bucket} AS b, agent_id, quantilesExact({levels})(value)"
                f" FROM bench.points{where} GROUP BY b, agent_id ORDER BY b"
            )
        case Kind.FUNCTIONS:
            return (
                f"SELECT {bucket} AS b, tags['company_id'] AS g, avg(value), min(value),"
                f" max(value), count() FROM bench.points{where} GROUP BY b, g ORDER BY b"
            )
        case Kind.CONVERSION:
            attempts, completed = CONVERSION
            return (
                "WITH per AS (SELECT tags['company_id'] AS g,"
                f" sumIf(value, name = '{attempts}') AS a, sumIf(value, name = '{completed}') AS c"
                f" FROM bench.points{where} GROUP BY g),"
                " ranked AS (SELECT g, a, c, row_number() OVER (ORDER BY a DESC, g) AS r FROM per)"
                f" SELECT 0, if(r <= {TOP}, toNullable(g), NULL) AS top, sum(a), sum(c),"
                " sum(c) / sum(a) FROM ranked GROUP BY top ORDER BY min(r)"
            )
        case _:
            return (
                f"SELECT {bucket} AS b, '', uniqExact(session_id) FROM bench.points{where}"
                " GROUP BY b ORDER BY b"
            )


def answer_of_rows(rows: Sequence[Any]) -> Answer:
    """Return rows of bucket, group and values, which may be in a list."""
    answer = {}
    for bucket, group, *values in rows:
        flat = values[0] if isinstance(values[0], list) else values
        answer[int(bucket), group] = tuple(float(value) for value in flat)
    return answer


def right_answer(
    dataset: Dataset, ask: Ask, points: Numbers, column: Callable[[str], tuple[list[str], Numbers]]
) -> Answer:
    """Go through the points of the range; `column` has a label's values, and one per label set."""
    texts, codes = column(ask.group_by[0]) if ask.group_by else ([""], np.zeros(1, np.int64))
    names = ask.metric_names or (ask.metric_name,)
    cells: dict[tuple[int, str], dict[str, list[tuple[float, int]]]] = {}
    wanted = np.isin(dataset.metrics[points], [METRIC_NAMES.index(name) for name in names])
    chosen = points[wanted]
    groups = (
        codes[dataset.label_set_indexes[chosen]] if ask.group_by else np.zeros(len(chosen), int)
    )
    columns = (
        ((dataset.times_us[chosen] - ask.start_us) // ask.step_us).tolist(),
        groups.tolist(),
        dataset.metrics[chosen].tolist(),
        dataset.values[chosen].tolist(),
        dataset.sessions[chosen].tolist(),
    )
    for bucket, group, metric, value, session in zip(*columns, strict=True):
        cell = cells.setdefault((bucket, texts[group]), {})
        cell.setdefault(METRIC_NAMES[metric], []).append((value, session))
    if ask.kind is Kind.CONVERSION:
        return _conversion(cells)
    return {key: _reduced(ask.kind, cell[ask.metric_name]) for key, cell in cells.items()}


def _reduced(kind: Kind, points: list[tuple[float, int]]) -> tuple[float, ...]:
    values = sorted(value for value, _ in points)
    count = len(values)
    if kind is Kind.PERCENTILES:
        ranks = (math.ceil(Fraction(percent * count, 100)) for percent in PERCENTS)
        return tuple(values[rank - 1] for rank in ranks)
    if kind is Kind.FUNCTIONS:
        return (math.fsum(values) / count, values[0], values[-1], float(count))
    return (float(len({session for _, session in points})),)


def _conversion(cells: Mapping[tuple[int, str], Mapping[str, list[tuple[float, int]]]]) -> Answer:
    sums = {
        group: [math.fsum(value for value, _ in cell.get(name, ())) for name in CONVERSION]
        for (_, group), cell in cells.items()
    }
    ranked = sorted(sums, key=lambda group: (-sums[group][0], group))
    answer: Answer = {}
    listed: list[tuple[str | None, list[str]]] = [(each, [each]) for each in ranked[:TOP]]
    for group, members in [*listed, (None, ranked[TOP:])]:
        attempts, completed = (math.fsum(sums[each][i] for each in members) for i in range(2))
        if members:
            answer[0, group] = (attempts, completed, completed / attempts)
    return answer
