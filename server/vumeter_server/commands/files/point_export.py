"""Points as they are exported: columns of the API become lines, rows and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import orjson

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1 import query_pb2
from vumeter_server.api.times import timestamp
from vumeter_server.commands.files.export_run import Exportable
from vumeter_server.commands.files.point_table import distribution_fields, table_of
from vumeter_server.commands.files.points import COLUMNS, TYPES
from vumeter_server.commands.remote import Remote
from vumeter_server.custom_metrics import wire
from vumeter_server.custom_metrics.matchers import Matcher
from vumeter_server.times.rfc3339 import format_rfc3339

_SERVICE: Final = pb.DESCRIPTOR.services_by_name["CustomMetricsService"]
MAX_LABEL_SETS_KEPT: Final = 50_000
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


class PointExport(Exportable[Any]):
    """The stream of ExportPoints."""

    noun = "points"
    columns = COLUMNS

    def __init__(self, remote: Remote, request: pb.ExportPointsRequest) -> None:
        # Label sets stay bytes, since most were seen before.
        self._export = remote.channel.unary_stream(
            f"/{_SERVICE.full_name}/ExportPoints",
            request_serializer=pb.ExportPointsRequest.SerializeToString,
            response_deserializer=wire.EXPORTED.FromString,
        )
        self._labels: dict[bytes, Any] = {}
        self._metadata = remote.metadata
        self._request = request

    def identity(self) -> str:
        """Return the request."""
        return self._request.SerializeToString(deterministic=True).hex()

    def messages(self, resume_token: str) -> Iterator[Any]:
        """Open the stream."""
        request = pb.ExportPointsRequest()
        request.CopyFrom(self._request)
        request.resume_token = resume_token
        return iter(self._export(request, metadata=self._metadata))

    def count(self, message: Any) -> int:
        """Return how many points there are."""
        return len(message.columns.name_indexes)

    def lines(self, message: Any) -> Iterable[bytes]:
        """Return points as in the REST body."""
        columns = message.columns
        labels = [self._read(each, _labels_in_json) for each in columns.label_sets]
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

    def rows(self, message: Any) -> Iterable[Sequence[str]]:
        """Return points as rows; tags and distributions are JSON objects."""
        columns = message.columns
        labels = [self._read(each, _labels_in_cells) for each in columns.label_sets]
        distributions = _by_point(columns)
        for index, (time, name, of_type, value, label_set, session) in enumerate(_points(columns)):
            agent_id, environment_id, tags = labels[label_set]
            distribution = distributions.get(index)
            yield (
                *(time, name, of_type, "" if distribution else _number(value)),
                *(agent_id, environment_id, session, tags),
                "" if distribution is None else _json(_distribution(distribution)),
            )

    def _read(self, label_set: bytes, read: Callable[[pb.LabelSet], Any]) -> Any:
        """Read a label set; what was read before is cached."""
        found = self._labels.get(label_set)
        if found is None:
            if len(self._labels) >= MAX_LABEL_SETS_KEPT:
                self._labels.clear()
            found = self._labels[label_set] = read(pb.LabelSet.FromString(label_set))
        return found

    def schema(self, pyarrow: Any) -> Any:
        """Return the columns of a table; each text is stored once."""
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

    def table(self, pyarrow: Any, messages: Sequence[Any]) -> Any:
        """Return points as a table; the value of a distribution is null."""
        columns = [message.columns for message in messages]
        return table_of(pyarrow, self.schema(pyarrow), columns, _TYPE_NAMES)


def _points(columns: Any) -> Iterator[tuple[str, str, str, float, int, str]]:
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


def _by_point(columns: Any) -> dict[int, Any]:
    return dict(zip(columns.distribution_indexes, columns.distributions, strict=True))


def _labels_in_cells(label_set: pb.LabelSet) -> tuple[str, str, str]:
    tags = _json(dict(sorted(label_set.tags.items())))
    return label_set.agent_id, label_set.environment_id, tags


def _labels_in_json(label_set: pb.LabelSet) -> dict[str, Any]:
    labels: dict[str, Any] = {}
    if label_set.agent_id:
        labels["agentId"] = label_set.agent_id
    if label_set.environment_id:
        labels["environmentId"] = label_set.environment_id
    if label_set.tags:
        labels["tags"] = dict(sorted(label_set.tags.items()))
    return labels


def _distribution(message: Any) -> dict[str, Any]:
    """Return a distribution as in the REST body."""
    found = distribution_fields(message)
    if counts := found.pop("bucket_counts", None):
        found["bucketCounts"] = counts
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
