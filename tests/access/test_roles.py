"""The one table of methods names each method of the server once."""

from __future__ import annotations

from collections import Counter

from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from tests.end_to_end import api

from vumeter_server.access.roles import ANY_CALLER, LIVE_ROLES, METHODS, TABLE, Role, Scheme


def test_every_rpc_of_the_descriptor_set_and_every_standard_one_is_named_exactly_once() -> None:
    served = [method.descriptor.full_name for method in api.METHODS]
    standard = [
        method.full_name
        for method in metrics_service_pb2.DESCRIPTOR.services_by_name["MetricsService"].methods
    ]
    standard += [
        method.full_name
        for file in (health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR)
        for service in file.services_by_name.values()
        for method in service.methods
    ]
    named = Counter(f"{service}.{method}" for service, _, methods in TABLE for method in methods)
    assert named == Counter([*served, *standard])
    assert set(named.values()) == {1}
    assert METHODS.keys() == named.keys()


def test_the_owner_may_do_everything_that_belongs_to_an_organization_and_nothing_else() -> None:
    for method, access in METHODS.items():
        if access is ANY_CALLER:
            continue
        of_organization = access.scheme in (
            Scheme.BEARER,
            Scheme.BEARER_OR_BASIC,
            Scheme.KEY_PAIR,
        )
        assert (Role.OWNER in access.roles) == of_organization, method
        assert not (of_organization and access.roles & LIVE_ROLES), method


def test_live_metrics_are_for_the_admin_token_and_the_roles_made_for_them() -> None:
    for method, access in METHODS.items():
        if access is ANY_CALLER:
            # Whose a credential is, anybody is told who has one.
            continue
        assert (access.scheme is Scheme.LIVE) == method.startswith("vumeter.live_metrics."), method
        if access.scheme is Scheme.LIVE:
            assert access.roles <= LIVE_ROLES, method
            # One reads and the other records, so that a key that leaks does the least.
            assert len(access.roles) <= 1, method
        assert not (access.all_tenants and Role.REPORTER in access.roles), method


def test_only_the_admin_token_changes_what_belongs_to_a_tenant() -> None:
    assert [
        method
        for method, access in METHODS.items()
        if access.scheme is Scheme.LIVE and not access.roles
    ] == ["vumeter.live_metrics.v1.LiveMetricsService.SetTenantLimit"]


def test_every_caller_may_ask_who_it_is_and_nothing_else() -> None:
    assert [method for method, access in METHODS.items() if access is ANY_CALLER] == [
        "vumeter.access.v1.AccessService.GetCaller",
        "vumeter.access.v1.AccessRestService.GetCaller",
    ]


def test_pages_and_standard_services_alone_ask_for_no_credential() -> None:
    """They tell nothing of anybody's data; signing in by a link shows its code in the request."""
    public = [
        method
        for method, access in METHODS.items()
        if access.scheme is Scheme.PUBLIC and not method.endswith(".SignIn")
    ]
    assert {method.rpartition(".")[0] for method in public} == {
        "vumeter.dashboard.v1.DashboardRestService",
        "vumeter.openapi.v1.OpenApiRestService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
