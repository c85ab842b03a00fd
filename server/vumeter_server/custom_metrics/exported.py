"""Points as exporters send them: increments may have to be computed from cumulative values.

An exporter such as OpenTelemetry's sends what its process counted in an interval (delta) or since
it started (cumulative). `settle_exported` makes points of both, in the transaction that stores
them.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final

from vumeter_server.custom_metrics.given_distributions import GivenDistribution
from vumeter_server.custom_metrics.model import LabelSet, MetricType

SERIES_BYTES: Final = 16
MAX_UNIT: Final = 63
MAX_DESCRIPTION: Final = 1_024


class Temporality(IntEnum):
    """What the value of a point is."""

    DELTA = 1
    """What was counted since the point before."""
    CUMULATIVE = 2
    """What was counted since the start of the series."""
    STATE = 3
    """The state of something at the time of the point: a gauge."""
    CHANGE = 4
    """By how much a gauge changed since the point before."""


class Reason(StrEnum):
    """Why a point was rejected; the values are stored and shown to callers."""

    NAME = "name"
    TYPE = "type"
    VALUE = "value"
    TIME = "time"
    DISTRIBUTION = "distribution"
    LABELS = "labels"
    UNSUPPORTED = "unsupported"
    LIMIT = "limit"
    MALFORMED = "malformed"


# One is made per metric. It is not frozen, since that would make it three times as slow to make.
@dataclass(kw_only=True, slots=True)
class ExportedMetric:
    """A metric as an exporter describes it; "" is a unit or description that was not given."""

    name: str
    type: MetricType
    unit: str = ""
    description: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RejectedPoint:
    """A point that was not recorded; `problem` is a sentence without a subject."""

    metric_name: str
    reason: Reason
    problem: str


@dataclass(kw_only=True, slots=True, eq=False)
class ExportedBatch:
    """The points of a request, a list element per point.

    Attributes:
        metrics: the metrics; one may occur twice.
        metric_indexes: index into `metrics`.
        temporalities: what each value is.
        values: the value; the sum of a histogram.
        histograms: the histogram, None for a number.
        starts_ns, times_ns: nanoseconds since the epoch; a start of 0 is not known.
        label_sets, label_set_indexes: sets of labels, and the index of each point's.
        session_ids: "" for none.
        streams: 16 bytes that identify an exporter: a hash of their resource and scope.
        series: 16 bytes that identify a series of a metric and exporter; empty for deltas.
        rejected: points that broke a rule before they came here.
    """

    metrics: list[ExportedMetric] = field(default_factory=list)
    metric_indexes: list[int] = field(default_factory=list)
    temporalities: list[Temporality] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    histograms: list[GivenDistribution | None] = field(default_factory=list)
    starts_ns: list[int] = field(default_factory=list)
    times_ns: list[int] = field(default_factory=list)
    label_sets: list[LabelSet] = field(default_factory=list)
    label_set_indexes: list[int] = field(default_factory=list)
    session_ids: list[str] = field(default_factory=list)
    streams: list[bytes] = field(default_factory=list)
    series: list[bytes] = field(default_factory=list)
    rejected: list[RejectedPoint] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportOutcome:
    """What became of a request: how many of its points were taken, and which were rejected.

    A point is taken too if nothing is to be stored of it, such as a cumulative value that is the
    same as before. `notes` says how many points something is worth knowing of. `is_repeat` says
    that the request was recorded before.
    """

    taken: int
    rejected: Sequence[RejectedPoint] = ()
    notes: Mapping[str, int] = field(default_factory=dict)
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class KnownMetric:
    """What is stored of a metric; "" for a unit or description that nobody sent."""

    type: MetricType
    unit: str = ""
    description: str = ""


@dataclass(kw_only=True, slots=True)
class RoomForMetrics:
    """How many metrics a batch may add to an organization's.

    Attributes:
        left: how many more.
        pointless: known metrics that have no point, and so count as added.
    """

    left: int
    pointless: set[str] = field(default_factory=set)

    def has(self, name: str, known: Container[str]) -> bool:
        """Whether a metric may be recorded."""
        return self.left > 0 or not self._adds(name, known)

    def take(self, name: str, known: Container[str]) -> None:
        """Count a metric that is recorded; it is known from now on."""
        self.left -= self._adds(name, known)
        self.pointless.discard(name)

    def _adds(self, name: str, known: Container[str]) -> bool:
        return name not in known or name in self.pointless
