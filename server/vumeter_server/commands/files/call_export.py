"""Simulated calls as they are exported: as in the REST body, or a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from vumeter.simulation.v1 import simulation_pb2 as pb
from vumeter.simulation.v1.simulation_pb2_grpc import SimulationServiceStub
from vumeter_server.commands.files.calls import COLUMNS
from vumeter_server.commands.files.export_run import Exportable
from vumeter_server.commands.files.sinks import csv_of, ndjson_of
from vumeter_server.commands.remote import Remote
from vumeter_server.simulation.grpc_messages import read_calls
from vumeter_server.simulation.model import NUMBER_NAMES, CallReport
from vumeter_server.simulation.rendering import call_json


class CallExport(Exportable[pb.ExportCallsResponse]):
    """The stream of ExportCalls."""

    noun = "calls"
    columns = COLUMNS

    def __init__(self, remote: Remote, request: pb.ExportCallsRequest) -> None:
        self._stub = SimulationServiceStub(remote.channel)
        self._metadata = remote.metadata
        self._request = request

    def identity(self) -> str:
        """Return the request."""
        return f"calls {self._request.SerializeToString(deterministic=True).hex()}"

    def messages(self, resume_token: str) -> Iterator[pb.ExportCallsResponse]:
        """Open the stream."""
        request = pb.ExportCallsRequest()
        request.CopyFrom(self._request)
        request.resume_token = resume_token
        return iter(self._stub.ExportCalls(request, metadata=self._metadata))

    def count(self, message: pb.ExportCallsResponse) -> int:
        """Return how many calls there are."""
        return len(message.calls)

    def ndjson(self, message: pb.ExportCallsResponse) -> str:
        """Return calls as in the REST body."""
        return ndjson_of(map(call_json, read_calls(message.calls)))

    def csv(self, message: pb.ExportCallsResponse) -> str:
        """Return calls as rows."""
        return csv_of(
            ["" if cell is None else _text(cell) for cell in _cells(call)]
            for call in read_calls(message.calls)
        )

    def schema(self, pyarrow: Any) -> Any:
        """Return the columns of a table."""
        return pyarrow.schema(
            [
                (name, pyarrow.float64() if name in NUMBER_NAMES else pyarrow.string())
                for name in COLUMNS
            ]
        )

    def table(self, pyarrow: Any, messages: Sequence[pb.ExportCallsResponse]) -> Any:
        """Return calls as a table."""
        rows = [_cells(call) for message in messages for call in read_calls(message.calls)]
        schema = self.schema(pyarrow)
        return pyarrow.Table.from_arrays(
            [
                pyarrow.array([row[place] for row in rows], column.type)
                for place, column in enumerate(schema)
            ],
            schema=schema,
        )


def _cells(call: CallReport) -> Sequence[Any]:
    """Return what a call has, in the order of COLUMNS."""
    return (
        *(call.call_execution_id, call.execution_id, call.status),
        *call.numbers,
        *(call.customer_latency_metrics, call.customer_cost_breakdown),
    )


def _text(cell: Any) -> str:
    return repr(cell).removesuffix(".0") if isinstance(cell, float) else str(cell)
