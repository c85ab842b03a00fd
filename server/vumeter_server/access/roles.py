"""Who may call which method: the roles, and the one table of every method of the server.

A new role is added to `Role` and to the groups that it may call. A new method is added to TABLE;
without a row the server does not start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum, auto


class Role(StrEnum):
    """What a key may do.

    The first three are for the data of the key's organization: each of them records, `admin` and
    `owner` also query, `owner` also deletes. The last two are for live metrics, which belong to no
    organization: of all tenants, or of the one that the key is bound to.
    """

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    OPERATOR = "operator"
    REPORTER = "reporter"


ROLES_IN_SHORT = (
    "owner and admin may record and query, member may only record custom metrics; only owner may"
    " delete them; operator reads live metrics, reporter records call events."
)
"""For the help of the command that creates keys."""

LIVE_ROLES = frozenset({Role.OPERATOR, Role.REPORTER})
"""The roles whose keys may be bound to a tenant."""


class Scheme(Enum):
    """Where a credential is looked for: in metadata, which is the headers of a REST call."""

    PUBLIC = auto()
    """No credential is asked for."""
    BEARER = auto()
    """`authorization: Bearer <key id>.<secret>`"""
    BEARER_OR_BASIC = auto()
    """the same, or `authorization: Basic` with the key id as user and the secret as password"""
    KEY_PAIR = auto()
    """`x-api-key: <key id>` and `x-secret-key: <secret>`"""
    LIVE = auto()
    """`x-admin-token`, the server's own, which may do everything; without it as BEARER"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """What a method asks of its callers. `roles` count for callers that show an API key."""

    scheme: Scheme
    roles: frozenset[Role] = frozenset()
    all_tenants: bool = False
    """Whether it answers about all tenants, so that no key may call it that is bound to one."""


PUBLIC = Access(scheme=Scheme.PUBLIC)
READ_LIVE = Access(scheme=Scheme.LIVE, roles=frozenset({Role.OPERATOR}))
READ_ALL_TENANTS = Access(scheme=Scheme.LIVE, roles=frozenset({Role.OPERATOR}), all_tenants=True)
RECORD_EVENTS = Access(scheme=Scheme.LIVE, roles=frozenset({Role.REPORTER}))
# For the admin token alone.
ADMINISTER_LIVE = Access(scheme=Scheme.LIVE)
ANY_CALLER = Access(scheme=Scheme.LIVE, roles=frozenset(Role))
RECORD_CUSTOM_METRICS = Access(
    scheme=Scheme.BEARER, roles=frozenset({Role.OWNER, Role.ADMIN, Role.MEMBER})
)
EXPORT_METRICS = Access(
    scheme=Scheme.BEARER_OR_BASIC, roles=frozenset({Role.OWNER, Role.ADMIN, Role.MEMBER})
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
            "ListMetrics",
            "AggregateMetrics",
            "ListDailyMetrics",
            "QueryTimeseries",
            "QueryMetrics",
            "ExportPoints",
            "ListTags",
            "GetUsage",
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
            "GetMetrics",
            "GetAggregate",
            "GetDaily",
            "GetTimeseries",
            "Query",
            "GetTags",
            "QueryUsage",
            "GetSession",
        ),
    ),
    (
        "opentelemetry.proto.collector.metrics.v1.MetricsService",
        EXPORT_METRICS,
        ("Export",),
    ),
    (
        "vumeter.otlp.v1.OtlpRestService",
        EXPORT_METRICS,
        ("ExportMetrics", "DiscardTraces", "DiscardLogs", "DiscardRecordings"),
    ),
    ("vumeter.otlp.v1.OtlpService", QUERY_CUSTOM_METRICS, ("ListRejectedPoints",)),
    (
        "vumeter.live_metrics.v1.LiveMetricsService",
        RECORD_EVENTS,
        (
            "RecordEvents",
            "StreamEvents",
        ),
    ),
    (
        "vumeter.live_metrics.v1.LiveMetricsService",
        READ_LIVE,
        (
            "GetLiveMetrics",
            "WatchLiveMetrics",
            "GetHistory",
            "ExportEvents",
        ),
    ),
    (
        "vumeter.live_metrics.v1.LiveMetricsService",
        READ_ALL_TENANTS,
        (
            "GetCapacity",
            "ListTenants",
        ),
    ),
    ("vumeter.live_metrics.v1.LiveMetricsService", ADMINISTER_LIVE, ("SetTenantLimit",)),
    ("vumeter.live_metrics.v1.LiveMetricsRestService", RECORD_EVENTS, ("PostEvents",)),
    (
        "vumeter.live_metrics.v1.LiveMetricsRestService",
        READ_LIVE,
        (
            "GetTenantMetrics",
            "WatchMetrics",
            "GetMetricsHistory",
        ),
    ),
    (
        "vumeter.live_metrics.v1.LiveMetricsRestService",
        READ_ALL_TENANTS,
        (
            "GetGlobalMetrics",
            "GetCapacityDebug",
            "GetTenants",
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
            "ExportCalls",
            "DeleteExecution",
            "CompareExecutions",
        ),
    ),
    (
        "vumeter.simulation.v1.SimulationRestService",
        SIMULATION,
        (
            "QueryMetrics",
            "GetRunTests",
            "QueryComparison",
            "PostExecution",
            "PostCalls",
        ),
    ),
    ("vumeter.access.v1.AccessService", ANY_CALLER, ("GetCaller",)),
    ("vumeter.access.v1.AccessRestService", ANY_CALLER, ("GetCaller",)),
    # The code in the request is the credential.
    ("vumeter.access.v1.AccessService", PUBLIC, ("SignIn",)),
    ("vumeter.access.v1.AccessRestService", PUBLIC, ("SignIn",)),
    ("vumeter.dashboard.v1.DashboardRestService", PUBLIC, ("GetPage", "GetAsset")),
    ("vumeter.openapi.v1.OpenApiRestService", PUBLIC, ("GetDocument", "GetPage", "GetAsset")),
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
