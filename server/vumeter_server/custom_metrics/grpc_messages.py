"""Messages of exports, which are points as columns, of time series and of sessions."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter_server.api.page_tokens import ResumeToken
from vumeter_server.api.times import timestamp
from vumeter_server.custom_metrics import varints, wire
from vumeter_server.custom_metrics.export import ExportPiece, ExportPosition, ExportRequest
from vumeter_server.custom_metrics.given_distributions import GivenDistribution, given_of
from vumeter_server.custom_metrics.grpc_query import asked_points
from vumeter_server.custom_metrics.model import Batch, LabelSet, MetricType
from vumeter_server.custom_metrics.questions import SessionMetric, Timeseries

# What a client takes that does not say otherwise is 4 MiB.
MAX_MESSAGE_BYTES: Final = 3_500_000
MAX_LABEL_SETS_KEPT: Final = 100_000
# No message begins with it.
_UNWRITTEN: Final = b"\0"
_IDS: Final = ("agent_id", "environment_id")
TYPES: Mapping[MetricType | None, pb.MetricType] = {
    None: pb.METRIC_TYPE_UNSPECIFIED,
    MetricType.COUNTER: pb.METRIC_TYPE_COUNTER,
    MetricType.GAUGE: pb.METRIC_TYPE_GAUGE,
    MetricType.HISTOGRAM: pb.METRIC_TYPE_HISTOGRAM,
}


def read_export(request: pb.ExportPointsRequest, token: ResumeToken) -> ExportRequest:
    """Return what to export; raises InvalidArgument naming what cannot be read."""
    start_us, end_us, metric_names, filters = asked_points(request)
    position = token.position
    return ExportRequest(
        start_us=start_us,
        end_us=end_us,
        metric_names=metric_names,
        filters=filters,
        after=None if position is None else ExportPosition(*position),
    )


class PieceWriter:
    """Writes the messages of one export; used by one thread at a time."""

    def __init__(self, token: ResumeToken) -> None:
        self._token = token
        self._label_sets: dict[LabelSet, bytes] = {}
        self._labels: dict[tuple[str, str], bytes] = {}

    def write(self, piece: ExportPiece) -> list[Any]:
        """Return some points as an ExportPointsResponse, or as several if one is too large."""
        position = piece.position
        message = wire.EXPORTED(
            columns=self.columns(piece.batch),
            resume_token=self._token.behind(position.time_us, position.points),
            progress=piece.progress,
        )
        if message.ByteSize() <= MAX_MESSAGE_BYTES or len(piece.batch) == 1:
            return [message]
        return [each for half in piece.halves() for each in self.write(half)]

    def columns(self, batch: Batch) -> Any:
        """Return a batch as the PointColumns that would be recorded as it."""
        types = np.zeros(len(batch.names), np.int64)
        types[batch.name_indexes] = batch.types
        columns = wire.EXPORTED_COLUMNS(
            names=batch.names,
            types=[TYPES[MetricType(each)] for each in types.tolist()],
            name_indexes=varints.encode(batch.name_indexes),
            values=batch.values.astype("<f8").tobytes(),
            times_us=varints.encode(batch.times_us),
            label_sets=self._written(batch.label_sets),
            label_set_indexes=varints.encode(batch.label_set_indexes),
            sessions=batch.sessions,
        )
        if batch.sessions:
            columns.session_indexes = varints.encode(batch.session_indexes + 1)
        distributions = batch.distributions
        if distributions is not None:
            columns.distribution_indexes.extend(distributions.positions.tolist())
            sums = batch.values[distributions.positions].tolist()
            for given in given_of(distributions, sums):
                columns.distributions.add().MergeFromString(_distribution(given))
        return columns

    def _written(self, label_sets: Sequence[LabelSet]) -> list[bytes]:
        """Return label sets as bytes; most were written before."""
        known = self._label_sets
        written = [known.get(each, _UNWRITTEN) for each in label_sets]
        if _UNWRITTEN in written:
            if len(known) > MAX_LABEL_SETS_KEPT:
                known.clear()
                self._labels.clear()
            for place, (label_set, found) in enumerate(zip(label_sets, written, strict=True)):
                if found is _UNWRITTEN:
                    # Parts of a message, one after another, are the message.
                    written[place] = known[label_set] = b"".join(map(self._label, label_set))
        return written

    def _label(self, label: tuple[str, str]) -> bytes:
        """Return one label as a LabelSet that has no other."""
        written = self._labels.get(label)
        if written is None:
            name, value = label
            given: dict[str, Any] = {name: value} if name in _IDS else {"tags": {name: value}}
            written = self._labels[label] = pb.LabelSet(**given).SerializeToString()
        return written


def _distribution(given: GivenDistribution) -> bytes:
    return pb.Distribution(
        count=given.count,
        sum=given.sum,
        min=given.min,
        max=given.max,
        bounds=given.bounds,
        bucket_counts=given.counts,
    ).SerializeToString()


def timeseries_buckets(starts_us: list[int], found: Timeseries) -> list[pb.TimeseriesBucket]:
    """Return the buckets of a time series as messages."""
    errors = itertools.repeat(0.0) if found.errors is None else found.errors.tolist()
    columns = zip(starts_us, found.values.tolist(), found.counts.tolist(), strict=True)
    return [
        pb.TimeseriesBucket(
            start_time=timestamp(start_us), value=value, sample_count=count, max_error=error
        )
        for (start_us, value, count), error in zip(columns, errors, strict=False)
    ]


def write_session_metric(metric: SessionMetric) -> pb.SessionMetric:
    """Return a metric of a session as a message."""
    tags = dict(metric.labels)
    return pb.SessionMetric(
        metric_name=metric.metric_name,
        type=TYPES[metric.type],
        agent_id=tags.pop("agent_id", ""),
        environment_id=tags.pop("environment_id", ""),
        tags=tags,
        last_occur_time=timestamp(metric.last_time_us),
        value=metric.value,
        sample_count=metric.count,
        max_error=metric.error,
    )
