"""Simulation metrics by REST: parse the query or the body, call the core, render the JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.descriptor import ServiceDescriptor

from vumeter.simulation.v1 import simulation_rest_pb2 as pb
from vumeter_server.api import json_body
from vumeter_server.api.call import Call
from vumeter_server.api.rest_pages import page_of, parse_after, parse_whole
from vumeter_server.errors import InvalidArgument
from vumeter_server.simulation import bodies, ingest, pages, query, rendering
from vumeter_server.simulation.model import CallReport
from vumeter_server.simulation.store import SimulationStore
from vumeter_server.simulation.validation import MAX_NAME

NOTHING_ASKED = (
    "At least one of 'run_test_name', 'execution_id', or 'call_execution_id' is required."
)

# Reading a longer body on the event loop would delay other callers by milliseconds.
READ_ON_THE_LOOP_BYTES = 64 * 1024


async def _read_calls(body: HttpBody) -> list[CallReport]:
    def read() -> list[CallReport]:
        return bodies.call_reports(json_body.decode(body, bodies.CallsBody))

    return read() if len(body.data) <= READ_ON_THE_LOOP_BYTES else await asyncio.to_thread(read)


def _answer(result: object) -> HttpBody:
    return json_body.http_body(rendering.answer(result))


class SimulationRestService:
    """The documented paths, and recording by JSON."""

    service: ServiceDescriptor = pb.DESCRIPTOR.services_by_name["SimulationRestService"]
    field_names: Mapping[str, str] = {}

    def __init__(self, store: SimulationStore) -> None:
        self._store = store

    async def QueryMetrics(self, request: pb.QueryMetricsRequest, call: Call) -> HttpBody:
        """Answer by call, by execution or by run test, whichever is given first in this order."""
        store, organization_id = self._store, call.organization_id
        if request.call_execution_id:
            found = await query.get_call(store, organization_id, request.call_execution_id)
            return _answer(rendering.call_json(found))
        if request.execution_id:
            execution = await query.get_execution(store, organization_id, request.execution_id)
            return _answer(rendering.execution_json(execution))
        if request.run_test_name:
            page, limit = pages.parse_page(request.page), pages.parse_limit(request.limit)
            executions = await query.get_numbered_page(
                store, organization_id, request.run_test_name, page=page, limit=limit
            )
            return _answer(rendering.page_json(executions, page=page, limit=limit))
        raise InvalidArgument(NOTHING_ASKED)

    async def GetRunTests(self, request: pb.GetRunTestsRequest, call: Call) -> HttpBody:
        """Answer a page of run tests."""
        limit = parse_whole(
            request.limit,
            "limit",
            default=pages.DEFAULT_RUN_TESTS,
            least=1,
            most=pages.MAX_RUN_TESTS,
        )
        # One more than the page holds says whether there is a next one.
        after = parse_after(request.after, most=MAX_NAME)
        found = await self._store.run_tests(call.organization_id, after=after, limit=limit + 1)
        shown, last = page_of(found, limit, lambda each: each.run_test_name)
        return _answer({"results": [rendering.run_test_json(each) for each in shown], "next": last})

    async def QueryComparison(self, request: pb.QueryComparisonRequest, call: Call) -> HttpBody:
        """Set two executions side by side."""
        comparison = await query.compare_executions(
            self._store,
            call.organization_id,
            baseline_execution_id=request.baseline_execution_id,
            execution_id=request.execution_id,
        )
        return _answer(rendering.comparison_json(comparison))

    async def PostExecution(self, request: pb.PostExecutionRequest, call: Call) -> HttpBody:
        """Record an execution."""
        report = bodies.execution_report(json_body.decode(request.body, bodies.ExecutionBody))
        execution_id = await ingest.record_execution(self._store, call.organization_id, report)
        return _answer({"execution_id": execution_id})

    async def PostCalls(self, request: pb.PostCallsRequest, call: Call) -> HttpBody:
        """Record calls, all of them or none."""
        reports = await _read_calls(request.body)
        recorded = await ingest.record_calls(self._store, call.organization_id, reports)
        return _answer({"recorded": recorded})
