"""Live metrics by tenant, in the exposition format.

They are written here and not by prometheus_client, which takes several times as long: a thousand
tenants have some ten thousand series.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from vumeter_server.telemetry.encoding import escaped

LABEL: Final = "tenant_id"


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantMetric:
    """A live metric; `number` is its position among the numbers of a tenant.

    `label` and `value` are one more label, for several that are parts of one metric.
    """

    name: str
    """Without `_total`."""
    help: str
    number: int
    is_counter: bool = True
    label: str = ""
    value: str = ""
    unit: str = ""
    by: int = 1
    """What the number is divided by."""


def render_tenants(
    metrics: Sequence[TenantMetric],
    tenants: Iterable[tuple[str | None, Sequence[int]]],
    *,
    openmetrics: bool,
) -> str:
    """Return the series of all tenants as text, without `# EOF`.

    None in the place of a tenant stands for all of them together; its series have no label. A
    counter that is 0 has no series.
    """
    named = [(_labels(tenant_id), numbers) for tenant_id, numbers in tenants]
    lines: list[str] = []
    last = ""
    for metric in metrics:
        sample = f"{metric.name}_total" if metric.is_counter else metric.name
        if metric.name != last:
            family = metric.name if openmetrics else sample
            kind = "counter" if metric.is_counter else "gauge"
            lines.append(f"# HELP {family} {metric.help}")
            lines.append(f"# TYPE {family} {kind}")
            if openmetrics and metric.unit:
                lines.append(f"# UNIT {family} {metric.unit}")
            last = metric.name
        more = f'{metric.label}="{metric.value}"' if metric.label else ""
        lines += _samples(sample, more, metric, named)
    lines.append("")
    return "\n".join(lines)


def _samples(
    sample: str, more: str, metric: TenantMetric, named: Sequence[tuple[str, Sequence[int]]]
) -> list[str]:
    number, by = metric.number, metric.by
    begin = f"{sample}{{{more}," if more else f"{sample}{{"
    if named and not named[0][0]:
        # All tenants together: no label.
        begin = f"{sample}{{{more}" if more else sample
    end = "}" if "{" in begin else ""
    if by == 1:
        return [
            f"{begin}{labels}{end} {numbers[number]}.0"
            for labels, numbers in named
            if numbers[number] or not metric.is_counter
        ]
    return [
        f"{begin}{labels}{end} {numbers[number] / by!r}"
        for labels, numbers in named
        if numbers[number]
    ]


def _labels(tenant_id: str | None) -> str:
    return f'{LABEL}="{escaped(tenant_id)}"' if tenant_id is not None else ""
