"""A store with something of everything that a migration copies, and what it answers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from tests.conformance.simulation.reports import call, execution
from tests.custom_metrics.points import Point, checked
from tests.otlp.decoded import NOW_US, batch_of, body_of

from vumeter_server.access.migration_store import (
    CopiedAuditEntry,
    CopiedKey,
    CopiedOrganization,
)
from vumeter_server.access.roles import Role
from vumeter_server.custom_metrics.aggregation import Function, Statistic
from vumeter_server.custom_metrics.given_distributions import GivenDistribution
from vumeter_server.custom_metrics.questions import (
    FunctionOfMetric,
    GroupedQuery,
    Selection,
    SumQuery,
)
from vumeter_server.custom_metrics.store import Idempotency
from vumeter_server.otlp.mapping import AttributeMapping
from vumeter_server.simulation.store import CallsQuery
from vumeter_server.store_migration.stores import MigrationStores
from vumeter_server.times.units import DAY_US, HOUR_US

ACME: Final = "Acme \N{SNOWMAN}"
EMPTY: Final = "nothing recorded"
DISTRIBUTION: Final = GivenDistribution(
    count=5, sum=3_275, min=580, max=815, bounds=(500, 1_000), counts=(0, 5, 0)
)
NAMES: Final = ("py-cumulative-1", "py-cumulative-2", "livekit-metrics")
_WHOLE: Final = Selection(start_us=0, end_us=2**52)


def key(number: int, role: Role = Role.OWNER, **fields: Any) -> CopiedKey:
    """Return a key that there is only as a hash."""
    return CopiedKey(
        key_id=f"vmk_{number:020d}",
        role=role,
        secret_sha256=hashlib.sha256(b"%d" % number).digest(),
        created_us=NOW_US - number,
        **fields,
    )


def organization(name: str, *keys: CopiedKey, **limits: int) -> CopiedOrganization:
    """Return an organization."""
    return CopiedOrganization(
        organization_id=0,
        name=name,
        created_us=NOW_US - DAY_US,
        keys={each.key_id: each for each in keys},
        limits=limits,
    )


def points(count: int, *, first: int = 0) -> list[Point]:
    """Return points of all types over some days, several of one metric and time among them."""
    return [
        Point(
            name=("booked", "queue_length", "ttft_ms")[number % 3],
            type=("counter", "gauge", "histogram")[number % 3],
            value=None if number % 12 == 2 else number % 50 / 4 + 0.1,
            distribution=DISTRIBUTION if number % 12 == 2 else None,
            timestamp=NOW_US - number // 4 * 7_919_000_003 % (9 * DAY_US),
            agent_id=("", "agent_1")[number % 2],
            session_id=f"session_{number % 20}" if number % 5 else None,
            tags={"company": f"c{number % 7}\x00'"} if number % 3 else {},
        )
        for number in range(first, first + count)
    ]


async def record(stores: MigrationStores, organization_id: int, *given: Point, key: str) -> None:
    """Record points under an idempotency key."""
    batch = checked(*given, now_us=NOW_US)
    idempotency = Idempotency(key=key, content_sha256=batch.digest())
    await stores.points.record(organization_id, batch, idempotency=idempotency, now_us=NOW_US)


async def fill(stores: MigrationStores) -> int:
    """Fill an empty store; return the number of ACME."""
    revoked = key(2, Role.MEMBER, revoked_us=NOW_US - 5, label="old \N{SNOWMAN}")
    bound = key(3, Role.REPORTER, tenant_id="tenant", expires_us=NOW_US + DAY_US)
    used = key(1, label="booking", last_used_us=NOW_US - 7)
    acme = await stores.access.put_organization(
        organization(ACME, used, revoked, bound, label_values=3, requests_per_second=9)
    )
    await stores.access.put_organization(organization(EMPTY, key(4)))
    await stores.access.add_audit_entries(
        [
            CopiedAuditEntry(
                occurred_us=NOW_US - number,
                key_id=None,
                user="root",
                command="vumeter keys create",
                action="key.create",
                organization=of,
                target=f"vmk_{number}",
                details='{"role":"owner","tenant":null}',
            )
            for number, of in enumerate((ACME, "gone", None, ACME))
        ]
    )
    for number in range(4):
        await record(stores, acme, *points(300, first=300 * number), key=f"batch-{number}")
    for name in NAMES:
        await stores.exports.record_exported(
            acme, batch_of(body_of(name)), key_id="", notes={}, idempotency=None, now_us=NOW_US
        )
    await stores.exports.set_mapping(acme, AttributeMapping(agent=("my.agent",)))
    for number in (2, 1, 3):
        started_at = None if number == 3 else NOW_US
        await stores.simulation.record_execution(acme, execution(number, started_at=started_at))
    await stores.simulation.record_run_test(acme, "empty")
    await stores.simulation.record_calls(
        acme, [call(number, of=1 + number % 3, response_time_ms=number / 8) for number in range(40)]
    )
    return acme


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """What a store answers about an organization."""

    organizations: Any
    audit: Any
    metrics: Any
    sums: Any
    functions: Any
    session: Any
    states: Any
    recordings: Any
    mapping: Any
    executions: Any
    calls: Any


async def answers(stores: MigrationStores, name: str = ACME) -> Answers:
    """Ask a store everything, without what is its own."""
    organizations = {each.name: each for each in await stores.access.organizations()}
    number = organizations[name].organization_id
    store = stores.points
    sums = await store.sums(number, SumQuery(selection=_WHOLE, group_by=("company", "agent_id")))
    functions = [
        FunctionOfMetric(metric_name=metric, function=function)
        for metric in ("booked", "queue_length", "ttft_ms", "calls")
        for function in (
            Function(Statistic.LAST),
            Function(Statistic.COUNT),
            Function(Statistic.SESSIONS),
            Function(Statistic.PERCENTILE, Fraction(95)),
        )
    ]
    bounds = range(NOW_US - 10 * DAY_US, NOW_US + HOUR_US, HOUR_US)
    query = GroupedQuery(bounds_us=list(bounds), columns=functions, group_by=("company",))
    grouped = await store.at_one_moment(number, lambda ask: ask(query))
    rows = sorted(
        (
            int(bucket),
            grouped.labels[group],
            values.tolist().__repr__(),
            counts.tolist(),
        )
        for bucket, group, values, counts in zip(
            grouped.buckets, grouped.groups, grouped.values, grouped.counts, strict=True
        )
    )
    page = await stores.simulation.executions(
        number, "My Agent Test", percentiles=(50.0, 95.0), limit=100
    )
    return Answers(
        organizations=[
            (each.name, each.created_us, dict(each.keys), dict(each.limits))
            for each in organizations.values()
        ],
        audit=[
            each
            for each in await stores.access.audit_entries()
            if not each.action.startswith("migration.")
        ],
        metrics=await stores.metrics.catalog(number),
        sums=sorted(zip(sums.groups, sums.sums.tolist(), strict=True)),
        functions=rows,
        session=await store.session(number, "session_3"),
        states=sorted(
            (each.stream, each.metric_name, each.states, each.changed_us)
            for each in await stores.metrics.series_states(number)
        ),
        recordings=[
            each
            for each in await stores.metrics.recordings(number, "", 1_000)
            if each.key.startswith("batch-")
        ],
        mapping=await stores.exports.mapping(number),
        executions=None if page is None else (page.count, page.executions),
        calls=await stores.simulation.calls(number, CallsQuery()),
    )
