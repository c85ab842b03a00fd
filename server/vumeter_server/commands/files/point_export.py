"""Points as they are exported: columns of the API become lines, rows and tables.

What is needed to ask is loaded first. Most of the rest is loaded while the server makes ready.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1 import query_pb2
from vumeter_server.api.times import timestamp
from vumeter_server.commands.files.ahead import ReadAhead
from vumeter_server.commands.files.export_run import Exportable
from vumeter_server.commands.files.point_fields import COLUMNS
from vumeter_server.commands.remote import Remote
from vumeter_server.custom_metrics.matchers import Matcher

if TYPE_CHECKING:
    from vumeter_server.commands.files.point_table import PointTables
    from vumeter_server.commands.files.point_text import Csv, Ndjson

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

    def __init__(self, remote: Remote, request: pb.ExportPointsRequest) -> None:
        self._export: Callable[..., Any] = remote.channel.unary_stream(
            f"/{_SERVICE.full_name}/ExportPoints",
            request_serializer=pb.ExportPointsRequest.SerializeToString,
            response_deserializer=None,
        )
        self._metadata = remote.metadata
        self._request = request

    @cached_property
    def _ndjson(self) -> Ndjson:
        from vumeter_server.commands.files.point_text import Ndjson  # noqa: PLC0415 - see above

        return Ndjson()

    @cached_property
    def _csv(self) -> Csv:
        from vumeter_server.commands.files.point_text import Csv  # noqa: PLC0415 - see above

        return Csv()

    @cached_property
    def _tables(self) -> PointTables:
        from vumeter_server.commands.files.point_table import (  # noqa: PLC0415 - see above
            PointTables,
        )

        return PointTables()

    def identity(self) -> str:
        """Return the request."""
        return self._request.SerializeToString(deterministic=True).hex()

    def messages(self, resume_token: str) -> Iterator[Any]:
        """Open the stream."""
        request = pb.ExportPointsRequest()
        request.CopyFrom(self._request)
        request.resume_token = resume_token
        ahead = ReadAhead(self._export(request, metadata=self._metadata))
        try:
            from vumeter_server.custom_metrics import wire  # noqa: PLC0415 - see above

            # Label sets stay bytes, since most were seen before, and columns become arrays.
            yield from map(wire.EXPORTED.FromString, ahead)
        finally:
            ahead.close()

    def count(self, message: Any) -> int:
        """Return how many points there are."""
        from vumeter_server.commands.files import point_columns  # noqa: PLC0415 - see above

        return point_columns.count(message.columns)

    def ndjson(self, message: Any) -> str:
        """Return points as in the REST body."""
        return self._ndjson.lines(message.columns)

    def csv(self, message: Any) -> str:
        """Return points as rows; tags and distributions are JSON objects."""
        return self._csv.rows(message.columns)

    def schema(self, pyarrow: Any) -> Any:
        """Return the columns of a table."""
        from vumeter_server.commands.files import point_table  # noqa: PLC0415 - see above

        return point_table.schema(pyarrow)

    def parquet_options(self) -> Mapping[str, Any]:
        """Return how columns are encoded."""
        from vumeter_server.commands.files import point_table  # noqa: PLC0415 - see above

        return point_table.PARQUET_OPTIONS

    def table(self, pyarrow: Any, messages: Sequence[Any]) -> Any:
        """Return points as a table; the value of a distribution is null."""
        return self._tables.table(pyarrow, [message.columns for message in messages])
