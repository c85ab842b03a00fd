"""The one table of methods names each method of the server once."""

from __future__ import annotations

from collections import Counter

from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from tests.end_to_end import api

from vumeter_server.access.roles import METHODS, TABLE, Role, Scheme


def test_every_rpc_of_the_descriptor_set_and_every_standard_one_is_named_exactly_once() -> None:
    served = [method.descriptor.full_name for method in api.METHODS]
    standard = [
        method.full_name
        for file in (health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR)
        for service in file.services_by_name.values()
        for method in service.methods
    ]
    named = Counter(f"{service}.{method}" for service, _, methods in TABLE for method in methods)
    assert named == Counter([*served, *standard])
    assert set(named.values()) == {1}
    assert METHODS.keys() == named.keys()


def test_a_method_that_asks_for_a_key_is_open_to_some_role_and_the_owner_may_do_all() -> None:
    for method, access in METHODS.items():
        asks_for_key = access.scheme in (Scheme.BEARER, Scheme.KEY_PAIR)
        assert (Role.OWNER in access.roles) == asks_for_key, method
        assert bool(access.roles) == asks_for_key, method
