"""Who may call which method: the roles, and the one table of every method of the server.

A new role is added to `Role` and to the groups that it may call. A new method is added to TABLE;
without a row the server does not start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum, auto


class Role(StrEnum):
    """What a key may do in its organization.

    Every role records, `admin` and `owner` also query, `owner` also deletes.
    """

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


ROLES_IN_SHORT = (
    "owner and admin may record and query, member may only record custom metrics; only owner may"
    " delete them."
)
"""For the help of the command that creates keys."""


class Scheme(Enum):
    """Where a credential is looked for: in metadata, which is the headers of a REST call."""

    PUBLIC = auto()
    """No credential is asked for."""
    BEARER = auto()
    """`authorization: Bearer <key id>.<secret>`"""
    KEY_PAIR = auto()
    """`x-api-key: <key id>` and `x-secret-key: <secret>`"""
    ADMIN_TOKEN = auto()
    """`x-admin-token`, the server's own"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """What a method asks of its callers. `roles` count for schemes that show an API key."""

    scheme: Scheme
    roles: frozenset[Role] = frozenset()


PUBLIC = Access(scheme=Scheme.PUBLIC)
ADMIN_TOKEN = Access(scheme=Scheme.ADMIN_TOKEN)
RECORD_CUSTOM_METRICS = Access(
    scheme=Scheme.BEARER, roles=frozenset({Role.OWNER, Role.ADMIN, Role.MEMBER})
)
QUERY_CUSTOM_METRICS = Access(scheme=Scheme.BEARER, roles=frozenset({Role.OWNER, Role.ADMIN}))
DELETE_CUSTOM_METRICS = Access(scheme=Scheme.BEARER, roles=frozenset({Role.OWNER}))
SIMULATION = Access(scheme=Scheme.KEY_PAIR, roles=frozenset({Role.OWNER, Role.ADMIN, Role.MEMBER}))

# The full name of a service, what its methods ask of callers, and their names.
TABLE: Sequence[tuple[str, Access, Sequence[str]]] = (
    (
        "vumeter.custom_metrics.v1.CustomMetricsService",
        RECORD_CUSTOM_METRICS,
        (
            "RecordPoints",
            "StreamPoints",
            "RecordColumns",
            "StreamColumns",
        ),
    ),
    (
        "vumeter.custom_metrics.v1.CustomMetricsService",
        QUERY_CUSTOM_METRICS,
        (
            "ListMetricNames",
            "AggregateMetrics",
            "ListDailyMetrics",
            "QueryTimeseries",
            "QueryMetrics",
            "ListTags",
            "GetSessionMetrics",
        ),
    ),
    ("vumeter.custom_metrics.v1.CustomMetricsService", DELETE_CUSTOM_METRICS, ("DeletePoints",)),
    ("vumeter.custom_metrics.v1.CustomMetricsRestService", RECORD_CUSTOM_METRICS, ("Record",)),
    ("vumeter.custom_metrics.v1.CustomMetricsRestService", DELETE_CUSTOM_METRICS, ("Delete",)),
    (
        "vumeter.custom_metrics.v1.CustomMetricsRestService",
        QUERY_CUSTOM_METRICS,
        (
            "GetNames",
            "GetAggregate",
            "GetDaily",
            "GetTimeseries",
            "Query",
            "GetTags",
            "GetSession",
        ),
    ),
    (
        "vumeter.live_metrics.v1.LiveMetricsService",
        ADMIN_TOKEN,
        (
            "RecordEvents",
            "StreamEvents",
            "GetLiveMetrics",
            "GetCapacity",
            "WatchLiveMetrics",
            "GetHistory",
            "ListTenants",
            "SetTenantLimit",
        ),
    ),
    (
        "vumeter.live_metrics.v1.LiveMetricsRestService",
        ADMIN_TOKEN,
        (
            "GetGlobalMetrics",
            "GetTenantMetrics",
            "GetCapacityDebug",
            "PostEvents",
            "WatchMetrics",
            "GetMetricsHistory",
        ),
    ),
    (
        "vumeter.simulation.v1.SimulationService",
        SIMULATION,
        (
            "RecordRunTest",
            "RecordExecution",
            "RecordCalls",
            "StreamCalls",
            "GetCallMetrics",
            "GetExecutionMetrics",
            "ListExecutionMetrics",
            "ListRunTests",
            "DeleteExecution",
            "CompareExecutions",
        ),
    ),
    (
        "vumeter.simulation.v1.SimulationRestService",
        SIMULATION,
        (
            "QueryMetrics",
            "QueryComparison",
            "PostExecution",
            "PostCalls",
        ),
    ),
    (
        "grpc.health.v1.Health",
        PUBLIC,
        (
            "Check",
            "List",
            "Watch",
        ),
    ),
    ("grpc.reflection.v1alpha.ServerReflection", PUBLIC, ("ServerReflectionInfo",)),
)

METHODS: Mapping[str, Access] = {
    f"{service}.{method}": access for service, access, methods in TABLE for method in methods
}
"""What each method asks of its callers, by its full name."""
