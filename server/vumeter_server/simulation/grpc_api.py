"""Simulation metrics by gRPC: read the message, call the core, write the message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from types import NoneType

from google.protobuf.descriptor import ServiceDescriptor

from vumeter.simulation.v1 import simulation_pb2 as pb
from vumeter_server.access.audit import AuditLog
from vumeter_server.api.call import Call
from vumeter_server.api.page_tokens import asked_page, resume_token
from vumeter_server.api.streams import answer_in_order
from vumeter_server.simulation import grpc_messages, ingest, pages, query
from vumeter_server.simulation.model import CallReport
from vumeter_server.simulation.store import ExecutionPosition, SimulationStore

MAX_BATCHES_IN_FLIGHT = 16
EXPORT_TAKEN_WITHIN_SECONDS = 600.0

# Where a message spells a field otherwise than the documented JSON, and so the core, does.
FIELD_NAMES: Mapping[str, str] = {"started_at": "start_time", "completed_at": "end_time"}

# Reading more calls on the event loop would delay other callers by milliseconds.
READ_ON_THE_LOOP = 100


async def _read_calls(calls: Sequence[pb.Call]) -> list[CallReport]:
    if len(calls) <= READ_ON_THE_LOOP:
        return grpc_messages.read_calls(calls)
    return await asyncio.to_thread(grpc_messages.read_calls, calls)


class SimulationService:
    """The typed RPCs."""

    service: ServiceDescriptor = pb.DESCRIPTOR.services_by_name["SimulationService"]
    field_names = FIELD_NAMES

    def __init__(self, store: SimulationStore, audit: AuditLog) -> None:
        self._store = store
        self._audit = audit

    async def RecordRunTest(
        self, request: pb.RecordRunTestRequest, call: Call
    ) -> pb.RecordRunTestResponse:
        """Create a run test."""
        await ingest.record_run_test(self._store, call.organization_id, request.run_test_name)
        return pb.RecordRunTestResponse()

    async def RecordExecution(
        self, request: pb.RecordExecutionRequest, call: Call
    ) -> pb.RecordExecutionResponse:
        """Record an execution."""
        report = grpc_messages.read_execution(request.execution)
        execution_id = await ingest.record_execution(self._store, call.organization_id, report)
        return pb.RecordExecutionResponse(execution_id=execution_id)

    async def RecordCalls(
        self, request: pb.RecordCallsRequest, call: Call
    ) -> pb.RecordCallsResponse:
        """Record calls, all of them or none."""
        reports = await _read_calls(request.calls)
        recorded = await ingest.record_calls(self._store, call.organization_id, reports)
        return pb.RecordCallsResponse(recorded=recorded)

    async def StreamCalls(
        self, requests: AsyncIterator[pb.StreamCallsRequest], call: Call
    ) -> AsyncIterator[pb.StreamCallsResponse]:
        """Record batch after batch, and answer each once it is on disk."""
        # Batches are read in turn, so that they are recorded in the order in which they came.
        reading = asyncio.Lock()

        async def record(request: pb.StreamCallsRequest) -> int:
            async with reading:
                reports = await _read_calls(request.calls)
            return await ingest.record_calls(self._store, call.organization_id, reports)

        answers = answer_in_order(requests, record, MAX_BATCHES_IN_FLIGHT, self.field_names)
        async for sequence, recorded, error in answers:
            yield pb.StreamCallsResponse(sequence=sequence, recorded=recorded, error=error)

    async def GetCallMetrics(
        self, request: pb.GetCallMetricsRequest, call: Call
    ) -> pb.GetCallMetricsResponse:
        """Answer with one call."""
        found = await query.get_call(self._store, call.organization_id, request.call_execution_id)
        return pb.GetCallMetricsResponse(call=grpc_messages.write_call(found))

    async def GetExecutionMetrics(
        self, request: pb.GetExecutionMetricsRequest, call: Call
    ) -> pb.GetExecutionMetricsResponse:
        """Answer with one execution and its metrics."""
        found = await query.get_execution(
            self._store, call.organization_id, request.execution_id, request.percentiles
        )
        return pb.GetExecutionMetricsResponse(execution=grpc_messages.write_execution(found))

    async def ListExecutionMetrics(
        self, request: pb.ListExecutionMetricsRequest, call: Call
    ) -> pb.ListExecutionMetricsResponse:
        """Answer with a page of a run test's executions."""
        page = asked_page(
            request, ((int, NoneType), int), default=pages.DEFAULT_LIMIT, most=pages.MAX_LIMIT
        )
        found = await query.list_executions(
            self._store,
            call.organization_id,
            request.run_test_name,
            limit=page.size or pages.DEFAULT_LIMIT,
            after=ExecutionPosition(started_at=page.after[0], sequence=page.after[1])
            if page.after
            else None,
            percentiles=request.percentiles,
        )
        last = found.ends_at
        return pb.ListExecutionMetricsResponse(
            executions=[grpc_messages.write_execution(each) for each in found.executions],
            next_page_token=page.next_token(last.started_at, last.sequence) if last else "",
            total_size=found.count,
        )

    async def ListRunTests(
        self, request: pb.ListRunTestsRequest, call: Call
    ) -> pb.ListRunTestsResponse:
        """Answer with a page of the organization's run tests."""
        page = asked_page(
            request, (str,), default=pages.DEFAULT_RUN_TESTS, most=pages.MAX_RUN_TESTS
        )
        size = page.size or pages.DEFAULT_RUN_TESTS
        after = page.after[0] if page.after else ""
        # One more than the page holds says whether there is a next one.
        found = await self._store.run_tests(call.organization_id, after=after, limit=size + 1)
        shown = found[:size]
        more = len(found) > size
        return pb.ListRunTestsResponse(
            run_tests=[grpc_messages.write_run_test(each) for each in shown],
            next_page_token=page.next_token(shown[-1].run_test_name) if more else "",
        )

    async def ExportCalls(
        self, request: pb.ExportCallsRequest, call: Call
    ) -> AsyncIterator[pb.ExportCallsResponse]:
        """Stream calls as recorded last."""
        token = resume_token(request, (str, int, int))
        call.taken_within_seconds = EXPORT_TAKEN_WITHIN_SECONDS
        position = token.position
        exported = query.export_calls(
            self._store,
            self._audit,
            call.caller,
            run_test_name=request.run_test_name,
            execution_id=request.execution_id,
            after=None if position is None else grpc_messages.read_position(position),
        )
        async for page in exported:
            yield await asyncio.to_thread(grpc_messages.write_calls, page, token)

    async def DeleteExecution(
        self, request: pb.DeleteExecutionRequest, call: Call
    ) -> pb.DeleteExecutionResponse:
        """Delete an execution with its calls."""
        deleted = await query.delete_execution(
            self._store, self._audit, call.caller, request.execution_id
        )
        return pb.DeleteExecutionResponse(deleted_calls=deleted)

    async def CompareExecutions(
        self, request: pb.CompareExecutionsRequest, call: Call
    ) -> pb.CompareExecutionsResponse:
        """Set two executions side by side, and check the candidate against thresholds."""
        comparison = await query.compare_executions(
            self._store,
            call.organization_id,
            baseline_execution_id=request.baseline_execution_id,
            execution_id=request.execution_id,
            thresholds=grpc_messages.read_thresholds(request.thresholds),
        )
        return grpc_messages.write_comparison(comparison)
