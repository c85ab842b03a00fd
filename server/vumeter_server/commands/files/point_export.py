"""Points as they are exported: columns of the API become lines, rows and tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1 import query_pb2
from vumeter_server.api.times import timestamp
from vumeter_server.commands.files import point_columns, point_table
from vumeter_server.commands.files.export_run import Exportable
from vumeter_server.commands.files.point_columns import COLUMNS
from vumeter_server.commands.files.point_table import PointTables
from vumeter_server.commands.files.point_text import Csv, Ndjson
from vumeter_server.commands.remote import Remote
from vumeter_server.custom_metrics import wire
from vumeter_server.custom_metrics.matchers import Matcher

_SERVICE: Final = pb.DESCRIPTOR.services_by_name["CustomMetricsService"]


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
    parquet_options = point_table.PARQUET_OPTIONS

    def __init__(self, remote: Remote, request: pb.ExportPointsRequest) -> None:
        # Label sets stay bytes, since most were seen before, and columns become arrays.
        self._export = remote.channel.unary_stream(
            f"/{_SERVICE.full_name}/ExportPoints",
            request_serializer=pb.ExportPointsRequest.SerializeToString,
            response_deserializer=wire.EXPORTED.FromString,
        )
        self._ndjson, self._csv, self._tables = Ndjson(), Csv(), PointTables()
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
        return point_columns.count(message.columns)

    def ndjson(self, message: Any) -> str:
        """Return points as in the REST body."""
        return self._ndjson.lines(message.columns)

    def csv(self, message: Any) -> str:
        """Return points as rows; tags and distributions are JSON objects."""
        return self._csv.rows(message.columns)

    def schema(self, pyarrow: Any) -> Any:
        """Return the columns of a table."""
        return point_table.schema(pyarrow)

    def table(self, pyarrow: Any, messages: Sequence[Any]) -> Any:
        """Return points as a table; the value of a distribution is null."""
        return self._tables.table(pyarrow, [message.columns for message in messages])
