"""What a batch means beside what was recorded before: types of metrics, and the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vumeter_server.custom_metrics.findings import Findings
from vumeter_server.custom_metrics.points import Batch, MetricType


@dataclass(frozen=True, kw_only=True, slots=True)
class Settlement:
    """A batch's columns with nothing left open.

    `types` has every metric of the batch, `new_types` those that it is the first to record.
    """

    types: dict[str, MetricType]
    new_types: dict[str, MetricType]
    values: list[float]
    timestamps_us: list[int]


def settle(batch: Batch, known_types: Mapping[str, MetricType], now_us: int) -> Settlement:
    """Give each point its metric's type, a counter without a value 1, and a time to those without.

    `known_types` has at least the metrics of the batch that were recorded before. A new metric gets
    the type of its first point in the batch, counter if that one has none. Raises InvalidArgument
    naming `points[3].type` where another type was given, `points[3].value` where a value is missing
    or negative that the metric's type does not allow so.
    """
    types: dict[str, MetricType] = {}
    new_types: dict[str, MetricType] = {}
    # In order of first use, which decides the type of a new metric.
    uses = dict.fromkeys(zip(batch.names, batch.types, strict=True))
    conflicts = set()
    for use in uses:
        name, given = use
        own = types.get(name)
        if own is None:
            own = known_types.get(name)
            if own is None:
                own = new_types[name] = given or "counter"
            types[name] = own
        if given is not None and given != own:
            conflicts.add(use)
    findings = Findings()
    if conflicts:
        _tell_conflicts(batch, types, conflicts, findings)
    _check_values(batch, types, findings)
    findings.raise_any()
    return Settlement(
        types=types,
        new_types=new_types,
        values=[1.0 if value is None else value for value in batch.values],
        timestamps_us=[now_us if each is None else each for each in batch.timestamps_us],
    )


def _tell_conflicts(
    batch: Batch,
    types: Mapping[str, MetricType],
    conflicts: set[tuple[str, MetricType | None]],
    findings: Findings,
) -> None:
    for index, use in enumerate(zip(batch.names, batch.types, strict=True)):
        if use in conflicts:
            own = types[use[0]]
            findings.add(index, "type", f"must be {own}, as this metric was first recorded")


def _check_values(batch: Batch, types: Mapping[str, MetricType], findings: Findings) -> None:
    """Check the values that only the metric's own type tells right from wrong."""
    for index, value in enumerate(batch.values):
        if value is not None and value >= 0:
            continue
        given = batch.types[index]
        own = types[batch.names[index]]
        if given is not None and given != own:
            continue
        if value is None and own != "counter":
            findings.add(index, "value", f"must be given for a {own}")
        elif value is not None and own == "counter":
            findings.add(index, "value", "must not be negative for a counter")
