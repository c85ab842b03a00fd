"""What an entry of an organization's log changes, and how it is written.

An entry is one row of JSON beside the points of its batch, in one block with them: what a batch
brings that there was not, or what a deletion takes. Whoever reads all entries in order knows the
catalog of the organization, see `catalog`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from vumeter_server.custom_metrics.exported import KnownMetric
from vumeter_server.custom_metrics.matchers import Matcher, Operator
from vumeter_server.custom_metrics.model import LabelSet, MetricType
from vumeter_server.custom_metrics.questions import END_OF_TIME_US

Label = tuple[str, str]
Use = tuple[str, str, Label | None]
"""A metric, an agent ("" for none) and a label that points of both have; None: they have points."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HiddenPoints:
    """Points that an entry deleted: no query sees them, until they are removed from the tables.

    Attributes:
        seq: number of the entry which deleted them.
        hidden_us: when that was.
        through: only points of entries up to this seq are among them.
        start_us, end_us, metric_names, filters: which, as in `questions.DeleteQuery`.
        days: days since the epoch that are dropped whole; None for no such condition.
    """

    seq: int
    hidden_us: int
    through: int
    start_us: int = 0
    end_us: int = END_OF_TIME_US
    metric_names: Sequence[str] | None = None
    filters: Sequence[Matcher] = ()
    days: Sequence[int] | None = None


@dataclass(kw_only=True, slots=True)
class CatalogChange:
    """What one entry changes.

    Attributes:
        types: those of new metrics.
        described: units and descriptions that are sent for the first time, by metric.
        series: metrics with label sets, where one of them, or both together, are new.
        recorded_on: the last day on which a point of a day was recorded, by day, where it changed.
        hidden: points that are deleted.
        unused: what only deleted points had.
        forgotten_metric: a metric that is deleted with its type.
        forgets_everything: whether the organization is erased.
        removed: numbers of deletions whose points are removed from the tables.
    """

    types: dict[str, MetricType] = field(default_factory=dict)
    described: dict[str, KnownMetric] = field(default_factory=dict)
    series: list[tuple[str, LabelSet]] = field(default_factory=list)
    recorded_on: dict[int, int] = field(default_factory=dict)
    hidden: HiddenPoints | None = None
    unused: list[Use] = field(default_factory=list)
    forgotten_metric: str | None = None
    forgets_everything: bool = False
    removed: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(
            self.types
            or self.described
            or self.series
            or self.recorded_on
            or self.hidden
            or self.unused
            or self.forgotten_metric
            or self.forgets_everything
            or self.removed
        )


def encode_change(change: CatalogChange) -> bytes:
    """Write a change; nothing of none."""
    if not change:
        return b""
    label_sets: dict[LabelSet, int] = {}
    series = [
        (name, label_sets.setdefault(label_set, len(label_sets)))
        for name, label_set in change.series
    ]
    written: dict[str, Any] = {
        "types": {name: int(each) for name, each in change.types.items()},
        "described": {
            name: [int(each.type), each.unit, each.description]
            for name, each in change.described.items()
        },
        "label_sets": list(label_sets),
        "series": series,
        "recorded_on": list(change.recorded_on.items()),
        "hidden": change.hidden and _written(change.hidden),
        "unused": change.unused,
        "forgotten_metric": change.forgotten_metric,
        "forgets_everything": change.forgets_everything,
        "removed": change.removed,
    }
    return orjson.dumps({key: value for key, value in written.items() if value})


def decode_change(payload: str | bytes) -> CatalogChange:
    """Read what `encode_change` wrote."""
    if not payload:
        return CatalogChange()
    read: Mapping[str, Any] = orjson.loads(payload)
    label_sets: list[LabelSet] = [
        tuple((key, value) for key, value in each) for each in read.get("label_sets", ())
    ]
    hidden = read.get("hidden")
    return CatalogChange(
        types={name: MetricType(each) for name, each in read.get("types", {}).items()},
        described={
            name: KnownMetric(MetricType(of), unit, description)
            for name, (of, unit, description) in read.get("described", {}).items()
        },
        series=[(name, label_sets[index]) for name, index in read.get("series", ())],
        recorded_on=dict(read.get("recorded_on", ())),
        hidden=None if hidden is None else _hidden_of(hidden),
        unused=[
            (name, agent, None if label is None else (label[0], label[1]))
            for name, agent, label in read.get("unused", ())
        ],
        forgotten_metric=read.get("forgotten_metric"),
        forgets_everything=read.get("forgets_everything", False),
        removed=list(read.get("removed", ())),
    )


def _written(hidden: HiddenPoints) -> Mapping[str, Any]:
    return {
        "seq": hidden.seq,
        "hidden_us": hidden.hidden_us,
        "through": hidden.through,
        "range": [hidden.start_us, hidden.end_us],
        "metric_names": hidden.metric_names,
        "filters": [(each.label, each.operator.value, each.values) for each in hidden.filters],
        "days": hidden.days,
    }


def _hidden_of(read: Mapping[str, Any]) -> HiddenPoints:
    return HiddenPoints(
        seq=read["seq"],
        hidden_us=read["hidden_us"],
        through=read["through"],
        start_us=read["range"][0],
        end_us=read["range"][1],
        metric_names=read["metric_names"],
        filters=[
            Matcher(label, Operator(operator), tuple(values))
            for label, operator, values in read["filters"]
        ],
        days=read["days"],
    )
