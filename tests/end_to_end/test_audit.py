"""What callers export, delete and limit is in the audit with their key, or the admin token."""

from __future__ import annotations

from typing import Any

import grpc
from tests.simulation.typed_asking import RUN_TEST, call, execution, execution_id
from tests.stack import Stack

from vumeter.live_metrics.v1 import live_metrics_pb2 as live_pb
from vumeter.live_metrics.v1.live_metrics_pb2_grpc import LiveMetricsServiceStub
from vumeter.simulation.v1 import simulation_pb2 as pb
from vumeter.simulation.v1.simulation_pb2_grpc import SimulationServiceStub
from vumeter_server.access.audit import AuditEntry
from vumeter_server.access.roles import Role
from vumeter_server.runtime.actors import ADMIN_TOKEN, Actor


def what(entry: AuditEntry) -> tuple[Actor, str, str | None, str, dict[str, Any]]:
    return entry.actor, entry.action, entry.organization, entry.target, entry.details


def test_exports_of_events_and_limits_of_tenants(stack: Stack) -> None:
    tenant = "audited clinic"
    key = stack.make_key("audited live", Role.OPERATOR, tenant_id=tenant)
    bearer = (("authorization", f"Bearer {key.bearer}"),)
    token = (("x-admin-token", stack.admin_token),)
    asked = live_pb.ExportEventsRequest(tenant_id=tenant)
    limit = live_pb.SetTenantLimitRequest(tenant_id=tenant, max_concurrent_calls=3)
    with grpc.insecure_channel(stack.grpc_target) as channel:
        stub = LiveMetricsServiceStub(channel)
        for metadata in (bearer, token):
            assert list(stub.ExportEvents(asked, metadata=metadata, timeout=20)) == []
        assert stub.SetTenantLimit(limit, metadata=token, timeout=20).tenant.tenant_id == tenant
    found = [
        what(each)
        for action in ("events.export", "tenant.set_limit")
        for each in stack.audited(action)
        if each.target == tenant
    ]
    assert found == [
        (Actor(key_id=key.key_id), "events.export", None, tenant, {}),
        (ADMIN_TOKEN, "events.export", None, tenant, {}),
        (ADMIN_TOKEN, "tenant.set_limit", None, tenant, {"max_concurrent_calls": 3}),
    ]


def test_exports_of_calls_and_deletions_of_executions(stack: Stack) -> None:
    name = "audited simulations"
    key = stack.make_key(name, Role.MEMBER)
    metadata = (("x-api-key", key.key_id), ("x-secret-key", key.secret))
    with grpc.insecure_channel(stack.grpc_target) as channel:
        stub = SimulationServiceStub(channel)
        for method, request in (
            ("RecordExecution", pb.RecordExecutionRequest(execution=execution())),
            ("RecordCalls", pb.RecordCallsRequest(calls=[call(1), call(2)])),
        ):
            getattr(stub, method)(request, metadata=metadata, timeout=20)
        asked = pb.ExportCallsRequest(run_test_name=RUN_TEST)
        (page,) = stub.ExportCalls(asked, metadata=metadata, timeout=20)
        asked.resume_token = page.resume_token
        assert list(stub.ExportCalls(asked, metadata=metadata, timeout=20)) == []
        deleting = pb.DeleteExecutionRequest(execution_id=execution_id(1))
        assert stub.DeleteExecution(deleting, metadata=metadata, timeout=20).deleted_calls == 2
    found = [
        what(each)
        for action in ("calls.export", "execution.delete")
        for each in stack.audited(action)
        if each.organization == name
    ]
    actor = Actor(key_id=key.key_id)
    assert found == [
        (actor, "calls.export", name, "", {"run_test": RUN_TEST}),
        (actor, "calls.export", name, "", {"run_test": RUN_TEST, "goes_on": True}),
        (actor, "execution.delete", name, execution_id(1), {"calls": 2}),
    ]
