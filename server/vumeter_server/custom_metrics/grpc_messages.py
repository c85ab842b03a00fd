"""Messages of exports, which are points as columns, of time series and of sessions."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

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


@dataclass(frozen=True, slots=True)
class WrittenMessage:
    """A message that is bytes already."""

    data: bytes

    def SerializeToString(self) -> bytes:
        """Return the bytes."""
        return self.data


class PieceWriter:
    """Writes the messages of one export; used by one thread at a time."""

    def __init__(self, token: ResumeToken) -> None:
        self._token = token
        self._label_sets = _WrittenLabelSets()

    def write(self, piece: ExportPiece) -> list[Any]:
        """Return some points as an ExportPointsResponse, or as several if one is too large."""
        position = piece.position
        message = wire.EXPORTED(
            resume_token=self._token.behind(position.time_us, position.points),
            progress=piece.progress,
        )
        self._add_columns(message.columns, piece.batch)
        data = message.SerializeToString()
        if len(data) <= MAX_MESSAGE_BYTES or len(piece.batch) == 1:
            return [WrittenMessage(data)]
        return [each for half in piece.halves() for each in self.write(half)]

    def _add_columns(self, columns: Any, batch: Batch) -> None:
        """Fill in the PointColumns that would be recorded as a batch."""
        types = np.zeros(len(batch.names), np.int64)
        types[batch.name_indexes] = batch.types
        columns.names.extend(batch.names)
        columns.types.extend([TYPES[MetricType(each)] for each in types.tolist()])
        columns.name_indexes = varints.encode(batch.name_indexes)
        columns.values = batch.values.astype("<f8").tobytes()
        columns.times_us = varints.encode(batch.times_us)
        columns.label_sets.extend(self._label_sets.of(batch.label_sets))
        columns.label_set_indexes = varints.encode(batch.label_set_indexes)
        if batch.sessions:
            columns.sessions.extend(batch.sessions)
            columns.session_indexes = varints.encode(batch.session_indexes + 1)
        distributions = batch.distributions
        if distributions is not None:
            columns.distribution_indexes.extend(distributions.positions.tolist())
            sums = batch.values[distributions.positions].tolist()
            for given in given_of(distributions, sums):
                columns.distributions.add().MergeFromString(_distribution(given))


class _WrittenLabelSets:
    """Label sets as bytes, each written once."""

    def __init__(self) -> None:
        # By the id of the object, which no other has while it is kept: stores give a label set as
        # the same object again, and its labels need not be compared.
        self._known: dict[int, bytes] = {}
        self._kept: list[LabelSet] = []
        self._labels = _WrittenLabels()

    def of(self, label_sets: Sequence[LabelSet]) -> list[bytes]:
        """Return label sets as the bytes of their messages."""
        known = self._known
        if len(known) > MAX_LABEL_SETS_KEPT:
            known.clear()
            self._kept.clear()
            self._labels.clear()
        found = list(map(known.get, map(id, label_sets)))
        missing = [index for index, each in enumerate(found) if each is None]
        for index in missing:
            label_set = label_sets[index]
            # Parts of a message, one after another, are the message.
            written = b"".join(map(self._labels.__getitem__, label_set))
            found[index] = known[id(label_set)] = written
            self._kept.append(label_set)
        return cast("list[bytes]", found)


class _WrittenLabels(dict[tuple[str, str], bytes]):
    """Labels as bytes, each the LabelSet that has no other."""

    def __missing__(self, label: tuple[str, str]) -> bytes:
        name, value = label
        given: dict[str, Any] = {name: value} if name in _IDS else {"tags": {name: value}}
        written = self[label] = pb.LabelSet(**given).SerializeToString()
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
