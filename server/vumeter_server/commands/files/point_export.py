"""Points as they are exported: columns of the API become lines, rows and tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import orjson

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1 import query_pb2
from vumeter.custom_metrics.v1.custom_metrics_pb2_grpc import CustomMetricsServiceStub
from vumeter_server.api.times import timestamp
from vumeter_server.commands.files.export_run import Exportable
from vumeter_server.commands.files.points import COLUMNS, TYPES
from vumeter_server.commands.remote import Remote
from vumeter_server.custom_metrics.matchers import Matcher
from vumeter_server.times.rfc3339 import format_rfc3339

_TYPE_NAMES: Final = {number: name for name, number in TYPES.items()}


def export_request(
    time_range: tuple[int | None, int | None], metrics: Sequence[str], filters: Sequence[Matcher]
) -> pb.ExportPointsRequest:
    """Return the request for points of a range, of metrics and with labels."""
    start_us, end_us = time_range
    return pb.ExportPointsRequest(
        start_time=timestamp(start_us),
        end_time=timestamp(end_us),
        metric_names=metrics,
        filters=[
            query_pb2.LabelFilter(
                label=each.label,
                operator=f"LABEL_OPERATOR_{each.operator.name}",
                values=each.values,
            )
            for each in filters
        ],
    )


class PointExport(Exportable[pb.ExportPointsResponse]):
    """The stream of ExportPoints."""

    noun = "points"
    columns = COLUMNS

    def __init__(self, remote: Remote, request: pb.ExportPointsRequest) -> None:
        self._stub = CustomMetricsServiceStub(remote.channel)
        self._metadata = remote.metadata
        self._request = request

    def identity(self) -> str:
        """Return the request."""
        return self._request.SerializeToString(deterministic=True).hex()

    def messages(self, resume_token: str) -> Iterator[pb.ExportPointsResponse]:
        """Open the stream."""
        request = pb.ExportPointsRequest()
        request.CopyFrom(self._request)
        request.resume_token = resume_token
        return iter(self._stub.ExportPoints(request, metadata=self._metadata))

    def count(self, message: pb.ExportPointsResponse) -> int:
        """Return how many points there are."""
        return len(message.columns.name_indexes)

    def lines(self, message: pb.ExportPointsResponse) -> Iterable[bytes]:
        """Return points as in the REST body."""
        columns = message.columns
        labels = [_labels_in_json(each) for each in columns.label_sets]
        distributions = _by_point(columns)
        for index, (time, name, of_type, value, label_set, session) in enumerate(_points(columns)):
            distribution = distributions.get(index)
            measured = (
                {"value": value}
                if distribution is None
                else {"distribution": _distribution(distribution)}
            )
            point = {
                **{"timestamp": time, "name": name, "type": of_type},
                **measured,
                **labels[label_set],
            }
            if session:
                point["sessionId"] = session
            yield orjson.dumps(point)

    def rows(self, message: pb.ExportPointsResponse) -> Iterable[Sequence[str]]:
        """Return points as rows; tags and distributions are JSON objects."""
        columns = message.columns
        labels = [
            (each.agent_id, each.environment_id, _json(dict(sorted(each.tags.items()))))
            for each in columns.label_sets
        ]
        distributions = _by_point(columns)
        for index, (time, name, of_type, value, label_set, session) in enumerate(_points(columns)):
            agent_id, environment_id, tags = labels[label_set]
            distribution = distributions.get(index)
            yield (
                *(time, name, of_type, "" if distribution else _number(value)),
                *(agent_id, environment_id, session, tags),
                "" if distribution is None else _json(_distribution(distribution)),
            )

    def schema(self, pyarrow: Any) -> Any:
        """Return the columns of a table; texts are written by dictionary."""
        text = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
        return pyarrow.schema(
            [
                ("timestamp", pyarrow.timestamp("us", "UTC")),
                ("name", text),
                ("type", text),
                ("value", pyarrow.float64()),
                ("agent_id", text),
                ("environment_id", text),
                ("session_id", text),
                ("tags", pyarrow.map_(pyarrow.string(), pyarrow.string())),
                ("distribution", _distribution_type(pyarrow)),
            ]
        )

    def table(self, pyarrow: Any, message: pb.ExportPointsResponse) -> Any:
        """Return points as a table; the value of a distribution is null."""
        columns, schema = message.columns, self.schema(pyarrow)
        names = pyarrow.array(columns.name_indexes[:], pyarrow.int32())
        label_sets = pyarrow.array(columns.label_set_indexes[:], pyarrow.int32())
        values = pyarrow.array(columns.values[:], pyarrow.float64())
        distributions = pyarrow.nulls(len(names), _distribution_type(pyarrow))
        if columns.distributions:
            by_point = _by_point(columns)
            found = [by_point.get(index) for index in range(len(names))]
            distributions = pyarrow.array(
                [None if each is None else _fields(each) for each in found],
                _distribution_type(pyarrow),
            )
            values = pyarrow.compute.if_else(distributions.is_null(), values, None)
        tags = pyarrow.array(
            [sorted(each.tags.items()) for each in columns.label_sets],
            schema.field("tags").type,
        )

        def dictionary(indexes: Any, texts: Sequence[str]) -> Any:
            return pyarrow.DictionaryArray.from_arrays(
                indexes, pyarrow.array(texts, pyarrow.string())
            )

        def of_label_sets(texts: Sequence[str]) -> Any:
            found = pyarrow.array([each or None for each in texts], pyarrow.string())
            return found.dictionary_encode().take(label_sets)

        return pyarrow.Table.from_arrays(
            [
                pyarrow.array(columns.times_us[:], pyarrow.timestamp("us", "UTC")),
                dictionary(names, columns.names[:]),
                dictionary(names, [_TYPE_NAMES[each] for each in columns.types]),
                values,
                of_label_sets([each.agent_id for each in columns.label_sets]),
                of_label_sets([each.environment_id for each in columns.label_sets]),
                _sessions(pyarrow, columns, len(names)),
                tags.take(label_sets),
                distributions,
            ],
            schema=schema,
        )


def _sessions(pyarrow: Any, columns: pb.PointColumns, count: int) -> Any:
    text = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    if not columns.session_indexes:
        return pyarrow.nulls(count, text)
    texts = pyarrow.array([None, *columns.sessions], pyarrow.string()).dictionary_encode()
    return texts.take(pyarrow.array(columns.session_indexes[:], pyarrow.int32()))


def _points(columns: pb.PointColumns) -> Iterator[tuple[str, str, str, float, int, str]]:
    """Yield time, name, type, value, label set and session of each point."""
    names = columns.names[:]
    types = [_TYPE_NAMES[each] for each in columns.types]
    sessions = ["", *columns.sessions]
    session_indexes = columns.session_indexes[:] or [0] * len(columns.name_indexes)
    for time_us, name, value, label_set, session in zip(
        columns.times_us,
        columns.name_indexes,
        columns.values,
        columns.label_set_indexes,
        session_indexes,
        strict=True,
    ):
        yield (
            *(format_rfc3339(time_us), names[name], types[name], value),
            *(label_set, sessions[session]),
        )


def _by_point(columns: pb.PointColumns) -> dict[int, pb.Distribution]:
    return dict(zip(columns.distribution_indexes, columns.distributions, strict=True))


def _labels_in_json(label_set: pb.LabelSet) -> dict[str, Any]:
    labels: dict[str, Any] = {}
    if label_set.agent_id:
        labels["agentId"] = label_set.agent_id
    if label_set.environment_id:
        labels["environmentId"] = label_set.environment_id
    if label_set.tags:
        labels["tags"] = dict(sorted(label_set.tags.items()))
    return labels


def _distribution(message: pb.Distribution) -> dict[str, Any]:
    """Return a distribution as in the REST body."""
    found = _fields(message)
    if counts := found.pop("bucket_counts", None):
        found["bucketCounts"] = counts
    return found


def _fields(message: pb.Distribution) -> dict[str, Any]:
    """Return what a distribution has; a smallest or greatest value may not be known."""
    found: dict[str, Any] = {"count": message.count, "sum": message.sum}
    for name in ("min", "max"):
        if message.HasField(name):
            found[name] = getattr(message, name)
    for name in ("bounds", "bucket_counts"):
        if repeated := getattr(message, name)[:]:
            found[name] = repeated
    return found


def _distribution_type(pyarrow: Any) -> Any:
    return pyarrow.struct(
        [
            ("count", pyarrow.int64()),
            ("sum", pyarrow.float64()),
            ("min", pyarrow.float64()),
            ("max", pyarrow.float64()),
            ("bounds", pyarrow.list_(pyarrow.float64())),
            ("bucket_counts", pyarrow.list_(pyarrow.int64())),
        ]
    )


def _json(value: dict[str, Any]) -> str:
    return orjson.dumps(value).decode() if value else ""


def _number(value: float) -> str:
    """Print a number so that reading it gives the same; whole ones without a point."""
    text = repr(value)
    return text.removesuffix(".0")
