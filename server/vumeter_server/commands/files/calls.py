"""Files of simulated calls: one per line as in the REST body, or one per row."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import grpc
from google.api.httpbody_pb2 import HttpBody

from vumeter.simulation.v1 import simulation_pb2 as pb
from vumeter.simulation.v1.simulation_pb2_grpc import SimulationServiceStub
from vumeter_server.api import json_body
from vumeter_server.commands.files.import_run import Asking, Importable
from vumeter_server.commands.files.records import json_in, number_in
from vumeter_server.commands.remote import CALL_TIMEOUT_SECONDS, Remote
from vumeter_server.simulation.bodies import CallBody, add_call
from vumeter_server.simulation.grpc_messages import write_call
from vumeter_server.simulation.model import NUMBER_NAMES, OBJECT_PATHS, CallReport
from vumeter_server.simulation.validation import CallChecker

OBJECT_NAMES: Final = tuple(path.rpartition(".")[2] for path in OBJECT_PATHS)
COLUMNS: Final = (
    *("call_execution_id", "execution_id", "status"),
    *NUMBER_NAMES,
    *OBJECT_NAMES,
)


class CallImport(Importable[CallReport]):
    """Records calls; with `run_test` also executions that are not known yet."""

    noun = "calls"
    field = "calls"
    prefix = "calls[0]."
    batch_records = 1_000
    batch_bytes = 2 * 1024 * 1024
    columns = COLUMNS
    required = ("call_execution_id", "execution_id")

    def __init__(self, remote: Remote, run_test: str | None) -> None:
        self._stub = SimulationServiceStub(remote.channel)
        self._metadata = remote.metadata
        self._run_test = run_test
        self._known_executions: set[str] = set()

    def from_json(self, data: bytes) -> CallReport:
        """Read a call as in the REST body."""
        checker = CallChecker()
        add_call(checker, json_body.decode(HttpBody(data=data), CallBody))
        (report,) = checker.reports()
        return report

    def from_cells(self, cells: Mapping[str, str]) -> CallReport:
        """Read a row of CSV."""
        stripped = {name: cell.strip() for name, cell in cells.items() if cell.strip()}
        numbers = [number_in(stripped, name) for name in NUMBER_NAMES]
        objects = [json_in(stripped.get(name), name, dict[str, Any]) for name in OBJECT_NAMES]
        return self._report(stripped, numbers, objects)

    def from_row(self, row: Mapping[str, Any]) -> CallReport:
        """Read a row of Parquet."""
        numbers = [None if row.get(name) is None else float(row[name]) for name in NUMBER_NAMES]
        objects = [json_in(row.get(name), name, dict[str, Any]) for name in OBJECT_NAMES]
        return self._report(row, numbers, objects)

    @staticmethod
    def _report(
        texts: Mapping[str, Any],
        numbers: Sequence[float | None],
        objects: Sequence[dict[str, Any] | None],
    ) -> CallReport:
        checker = CallChecker()
        checker.add(
            call_execution_id=texts.get("call_execution_id", ""),
            execution_id=texts.get("execution_id", ""),
            status=texts.get("status"),
            numbers=numbers,
            objects=objects,
        )
        (report,) = checker.reports()
        return report

    def message(self, record: CallReport) -> pb.Call:
        """Return a call as a message."""
        return write_call(record)

    def request(
        self, messages: Sequence[pb.Call], key: str, *, dry_run: bool
    ) -> pb.RecordCallsRequest:
        """Return the request for some calls; recorded again, they replace themselves."""
        del key, dry_run
        return pb.RecordCallsRequest(calls=messages)

    def send(self, request: pb.RecordCallsRequest) -> None:
        """Record calls."""
        self._stub.RecordCalls(request, metadata=self._metadata, timeout=CALL_TIMEOUT_SECONDS)

    def before(self, messages: Sequence[pb.Call], ask: Asking) -> None:
        """Create the executions that are not known yet."""
        if self._run_test is None:
            return
        for execution_id in dict.fromkeys(call.execution_id for call in messages):
            if execution_id not in self._known_executions:
                if not ask(functools.partial(self._is_known, execution_id)):
                    ask(functools.partial(self._create, execution_id))
                self._known_executions.add(execution_id)

    def _is_known(self, execution_id: str) -> bool:
        try:
            self._stub.GetExecutionMetrics(
                pb.GetExecutionMetricsRequest(execution_id=execution_id),
                metadata=self._metadata,
                timeout=CALL_TIMEOUT_SECONDS,
            )
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            return False
        return True

    def _create(self, execution_id: str) -> None:
        execution = pb.Execution(
            execution_id=execution_id,
            run_test_name=self._run_test or "",
            status=pb.EXECUTION_STATUS_COMPLETED,
        )
        self._stub.RecordExecution(
            pb.RecordExecutionRequest(execution=execution),
            metadata=self._metadata,
            timeout=CALL_TIMEOUT_SECONDS,
        )
