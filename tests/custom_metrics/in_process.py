"""The documented paths answered in process: the REST service over a store, without a network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from tests.conformance.access.memory_audit import MemoryAuditLog
from tests.conformance.access.memory_store import MemoryKeyStore
from tests.custom_metrics.cases import Ask, canonical

from vumeter.custom_metrics.v1 import custom_metrics_rest_pb2 as pb
from vumeter_server.access.authenticator import Caller
from vumeter_server.access.rates import RateLimits
from vumeter_server.access.roles import Role
from vumeter_server.custom_metrics.deletion import Deletion
from vumeter_server.custom_metrics.ingest import Recording
from vumeter_server.custom_metrics.query import Queries
from vumeter_server.custom_metrics.rejections import RejectionCounter
from vumeter_server.custom_metrics.rest_api import CustomMetricsRestService
from vumeter_server.custom_metrics.sqlite import SqliteMetricStore
from vumeter_server.custom_metrics.store import MetricStore
from vumeter_server.custom_metrics.usage import Usage
from vumeter_server.custom_metrics.usage_store import UsageStore
from vumeter_server.errors import Conflict, InvalidArgument
from vumeter_server.sqlite import open_database

PREFIX = "/v1/custom-metrics"
QUERY = "/v1/custom-metrics/query"
NOW_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
QUERIES: dict[str, tuple[str, Any]] = {
    "names": ("GetNames", pb.GetNamesRequest),
    "aggregate": ("GetAggregate", pb.GetAggregateRequest),
    "daily": ("GetDaily", pb.GetDailyRequest),
    "timeseries": ("GetTimeseries", pb.GetTimeseriesRequest),
    "tags": ("GetTags", pb.GetTagsRequest),
}


class RestCalls:
    """Calls of the documented paths over a store, by one organization at a time.

    Errors come as exceptions, with fields spelled as callers spell them.
    """

    def __init__(self, store: MetricStore, usage: UsageStore, runner: asyncio.Runner) -> None:
        clock = lambda: NOW_US  # noqa: E731
        rejections = RejectionCounter(usage, clock)
        self.rest = CustomMetricsRestService(
            queries=Queries(store=store),
            recording=Recording(
                store=store, clock=clock, rejections=rejections, rates=RateLimits()
            ),
            deletion=Deletion(store=store, audit=MemoryAuditLog()),
            usage=Usage(store=usage, keys=MemoryKeyStore(clock), clock=clock),
        )
        self.organization_id = 0
        self._runner = runner

    def record(self, points: Sequence[Mapping[str, Any]]) -> None:
        """Record points in the form of the REST body."""
        for start in range(0, len(points), 10_000):
            self.post(json.dumps({"points": points[start : start + 10_000]}))

    def answer(self, ask: Ask) -> Any:
        """Make the request of a case and return the answer."""
        if ask.method == "POST":
            assert ask.body is not None
            if ask.path == QUERY:
                return self.query(ask.body)
            return self.post(ask.body)
        return self.get(ask.path, ask.query)

    def check(self, ask: Ask, context: str) -> None:
        """Make the request of a case; whatever it is answered has to be what the case says."""
        if ask.refused is None:
            assert canonical(self.answer(ask)) == canonical(ask.answer), context
            return
        with pytest.raises((InvalidArgument, Conflict)) as caught:
            self.answer(ask)
        error = caught.value.respelled(self.rest.field_names)
        assert isinstance(error, Conflict) == (ask.refused.status == 409), context
        if ask.refused.message is not None:
            assert error.message == ask.refused.message, context
        if ask.refused.fields is not None:
            fields = tuple(violation.field for violation in error.violations)
            assert fields == ask.refused.fields, context

    def post(self, body: str) -> Any:
        """Send a recording's body and return the answer."""
        request = pb.RecordRequest(
            body=HttpBody(content_type="application/json", data=body.encode())
        )
        return self.run(self._call("Record", request, self.organization_id))

    def query(self, body: str, organization_id: int | None = None) -> Any:
        """Send the body of a query of metrics and return the answer."""
        request = pb.QueryRequest(
            body=HttpBody(content_type="application/json", data=body.encode())
        )
        return self.run(self._call("Query", request, organization_id or self.organization_id))

    def delete(self, body: str) -> Any:
        """Send the body of a deletion and return the answer."""
        request = pb.DeleteRequest(
            body=HttpBody(content_type="application/json", data=body.encode())
        )
        return self.run(self._call("Delete", request, self.organization_id))

    def get(self, path: str, query: Mapping[str, str], organization_id: int | None = None) -> Any:
        """Ask a documented path (already escaped) and return the answer."""
        return self.run(self.ask(path, query, organization_id))

    async def ask(
        self, path: str, query: Mapping[str, str], organization_id: int | None = None
    ) -> Any:
        """Do as `get`, beside whatever else runs."""
        organization_id = organization_id or self.organization_id
        endpoint, _, rest = path.removeprefix(PREFIX + "/").partition("/")
        if endpoint == "sessions":
            request = pb.GetSessionRequest(session_id=unquote(rest))
            return await self._call("GetSession", request, organization_id)
        method, request_type = QUERIES[endpoint]
        fields = {field.json_name: field.name for field in request_type.DESCRIPTOR.fields}
        request = request_type(**{fields[name]: value for name, value in query.items()})
        return await self._call(method, request, organization_id)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Wait for a coroutine."""
        return self._runner.run(work)

    async def _call(self, method: str, request: Message, organization_id: int) -> Any:
        caller = Caller(organization_id=organization_id, role=Role.OWNER, key_id="vmk_in_process")
        call = SimpleNamespace(organization_id=organization_id, caller=caller, metadata={})
        answer = await getattr(self.rest, method)(request, call)
        if isinstance(answer, HttpBody):
            return json.loads(answer.data)
        return MessageToDict(answer, always_print_fields_with_no_presence=True)


class InProcess(RestCalls):
    """The documented paths over a store in a new database."""

    def __init__(self, path: Path) -> None:
        self.database = open_database(path)
        self.writer, self.readers = self.database.writer(), self.database.readers()
        self.store = SqliteMetricStore(self.writer, self.readers, lambda: NOW_US)
        super().__init__(self.store, self.store.usage, asyncio.Runner())

    def __enter__(self) -> InProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()
        self.readers.close()
        self.writer.close()

    def new_organization(self) -> None:
        """Go on as an organization that has recorded nothing."""
        self.organization_id += 1
        name = f"Clinic {self.organization_id}"
        self.database.write(
            lambda connection: connection.execute(
                "INSERT INTO organizations (organization_id, name, created_us) VALUES (?, ?, 0)",
                (self.organization_id, name),
            )
        )

    def flush(self) -> None:
        """Seal what is in the log, so that the next answers come from columns."""
        self.run(self.store.maintenance.flush(everything=True))
