"""History read from ClickHouse: marks summed by instant and then by bucket, in one statement."""

from __future__ import annotations

from typing import Final

from vumeter_server.clickhouse import Parameter
from vumeter_server.live_metrics.clickhouse.lookups import LiveTable
from vumeter_server.live_metrics.clickhouse.rows import LOG, LiveRowKind
from vumeter_server.live_metrics.clickhouse.state import Visibility
from vumeter_server.live_metrics.counters import COUNTS_AS, Counter
from vumeter_server.live_metrics.history import Bucket, Buckets, Span, fill_buckets
from vumeter_server.live_metrics.marks import STARTS_AND_ENDS

STARTS_OR_ENDS: Final = f"counter IN ({', '.join(f'{kind:d}' for kind in STARTS_AND_ENDS)})"


def _counted(counted: Counter) -> str:
    """Return the sum of what counts into a counter."""
    if counted is Counter.MINUTES:
        return f"sumIf(sign * amount, counter = {counted:d})"
    kinds = ", ".join(f"{kind:d}" for kind, into in COUNTS_AS.items() if counted in into)
    return f"toInt64(sumIf(sign, counter IN ({kinds})))"


# What happened before the range is one instant, in a bucket of its own.
_STATEMENT: Final = """
SELECT bucket, min(instant) AS first, max(instant) AS last, sum(change) AS net,
       max(active) AS peak, sumForEach(counted) AS counted
FROM (
    SELECT if(instant < {{start:Int64}}, -1, intDiv(instant - {{start:Int64}}, {{step:Int64}}))
           AS bucket, instant, change, counted,
           sum(change) OVER (ORDER BY instant ROWS UNBOUNDED PRECEDING) AS active
    FROM (
        SELECT if(at < {{start:Int64}}, {{start:Int64}} - 1, at) AS instant,
               sumIf(sign * amount, {is_start_or_end}) AS change, [{counted}] AS counted
        FROM {table}
        WHERE log = {log} AND kind = {mark} AND at < {{end:Int64}}
        AND (at >= {{start:Int64}} OR {is_start_or_end}) AND {of_tenant} AND {counts}
        GROUP BY instant
    )
)
GROUP BY bucket ORDER BY bucket
"""


def row_counts(
    visibility: Visibility, table: LiveTable, tenant: str
) -> tuple[str, dict[str, Parameter]]:
    """Return the condition that a mark or an event counts, whose tenant is in a column."""
    conditions = [
        f"call_no NOT IN (SELECT at FROM {table.local}"
        f" WHERE log = {LOG} AND kind = {LiveRowKind.GONE_CALL:d})"
    ]
    values: dict[str, Parameter] = {}
    if visibility.dropped_at:
        conditions.append(
            f"NOT (received_us < {visibility.dropped_before_us:d}"
            f" AND seq < {visibility.dropped_at:d})"
        )
    for index, (tenant_id, seq) in enumerate(visibility.deleted.items()):
        conditions.append(f"NOT ({tenant} = {{deleted_{index}:String}} AND seq <= {seq:d})")
        values[f"deleted_{index}"] = tenant_id
    return " AND ".join(conditions), values


async def read_history(
    table: LiveTable, visibility: Visibility, tenant_id: str | None, buckets: Buckets
) -> list[Bucket]:
    """Return every bucket, of all tenants together if `tenant_id` is None."""
    if buckets.number == 0:
        return []
    counts, values = row_counts(visibility, table, "name")
    of_tenant = "true" if tenant_id is None else "name = {tenant:String}"
    found = await table.clickhouse.query(
        _STATEMENT.format(
            table=table.name,
            log=LOG,
            mark=int(LiveRowKind.MARK),
            is_start_or_end=STARTS_OR_ENDS,
            counted=", ".join(map(_counted, Counter)),
            of_tenant=of_tenant,
            counts=counts,
        ),
        {
            **values,
            **({} if tenant_id is None else {"tenant": tenant_id}),
            "start": buckets.start_us,
            "end": buckets.end_us,
            "step": buckets.step_us,
        },
    )
    active_before, active, spans = 0, 0, []
    for row in found.to_pylist():
        if row["bucket"] < 0:
            active_before = active = row["net"]
            continue
        span = Span(
            row["first"], row["last"] + 1, tuple(row["counted"]), row["net"], row["peak"] - active
        )
        spans.append(span)
        active += row["net"]
    return fill_buckets(buckets, active_before, spans)
