"""What commands do beside servers is the same in every store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.conformance.administration.engines import ENGINES, Engine
from tests.otlp.decoded import NOW_US
from tests.store_migration.sample import ACME, EMPTY

from vumeter_server.commands.administration import Administration
from vumeter_server.commands.organization_contents import OrganizationContents
from vumeter_server.custom_metrics.matchers import Matcher, Operator
from vumeter_server.custom_metrics.questions import DeleteQuery
from vumeter_server.live_metrics.store import TenantContents
from vumeter_server.otlp.mapping import DEFAULT_MAPPING, AttributeMapping
from vumeter_server.runtime.clock import system_clock
from vumeter_server.runtime.clock_guard import ClockGuard, ClockKeeping, ClockRecord
from vumeter_server.simulation.store import SimulationContents
from vumeter_server.times.units import DAY_US, HOUR_US


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """A store that holds something of everything."""
    return ENGINES[request.param](tmp_path)


@pytest.fixture
def administration(engine: Engine) -> Administration:
    """What commands do."""
    return engine.administration


@pytest.fixture
def acme(administration: Administration) -> int:
    """The number of the organization that recorded everything."""
    number = administration.keys.organization_id(ACME)
    assert number is not None
    return number


def noted(administration: Administration, action: str) -> list[tuple[str, str | None, str]]:
    """Return what the audit has of an action that a command did just now."""
    since_us = system_clock() - DAY_US
    return [
        (each.action, each.organization, each.target)
        for each in administration.audit.entries(most=100, action=action, since_us=since_us)
    ]


def names(administration: Administration) -> list[str]:
    return [each.name for each in administration.metrics.list_metrics(ACME) or []]


def test_metrics_are_listed_and_deleted_by_the_name_of_their_organization(
    administration: Administration, acme: int
) -> None:
    before = names(administration)
    assert {"booked", "queue_length", "ttft_ms"} <= set(before)
    assert administration.metrics.list_metrics("nobody") is None
    assert not administration.metrics.delete_metric("nobody", "booked")
    assert not administration.metrics.delete_metric(ACME, "never_recorded")
    assert administration.metrics.delete_metric(ACME, "booked")
    assert names(administration) == [name for name in before if name != "booked"]
    assert noted(administration, "metric.delete") == [("metric.delete", ACME, "booked")]
    assert administration.points.count_points(acme, DeleteQuery(metric_names=["booked"])) == 0
    assert administration.problems() == []


def test_points_are_counted_and_deleted(administration: Administration, acme: int) -> None:
    company = DeleteQuery(filters=[Matcher("company", Operator.EQUAL, ("c1\x00'",))])
    everything = administration.points.count_points(acme, DeleteQuery())
    count = administration.points.count_points(acme, company)
    assert 0 < count < everything
    assert administration.points.delete_points(acme, company) == count
    assert administration.points.count_points(acme, company) == 0
    assert administration.points.count_points(acme, DeleteQuery()) == everything - count
    assert administration.points.delete_points(acme, company) == 0
    assert administration.problems() == []


def test_mappings_of_exporters_are_shown_and_changed(administration: Administration) -> None:
    otlp = administration.otlp
    assert otlp.mapping(ACME) == AttributeMapping(agent=("my.agent",))
    assert otlp.mapping(EMPTY) == DEFAULT_MAPPING
    assert otlp.mapping("nobody") is None
    changed = AttributeMapping(session=("call.sid", "room_id"))
    assert otlp.set_mapping(EMPTY, changed)
    assert otlp.set_mapping(ACME, None)
    assert not otlp.set_mapping("nobody", changed)
    assert (otlp.mapping(EMPTY), otlp.mapping(ACME)) == (changed, DEFAULT_MAPPING)
    assert noted(administration, "otlp") == [
        ("otlp.reset_mapping", ACME, ""),
        ("otlp.set_mapping", EMPTY, ""),
    ]


def test_what_was_rejected_is_shown(administration: Administration) -> None:
    found = administration.otlp.rejections(ACME)
    assert found is not None
    empty = administration.otlp.rejections(EMPTY)
    assert empty is not None
    assert (list(empty.counts), list(empty.latest)) == ([], [])
    assert administration.otlp.rejections("nobody") is None


def test_run_tests_are_deleted_with_all_they_hold(
    administration: Administration, acme: int
) -> None:
    contents = administration.organizations.count(ACME, acme).simulation
    assert contents.calls == 40
    empty = SimulationContents(run_tests=1, executions=0, calls=0)
    assert administration.run_tests.contents(acme, ["empty"]) == empty
    assert administration.run_tests.contents(acme, ["nothing"]).run_tests == 0
    assert administration.run_tests.delete(acme, ["empty"]) == empty
    assert administration.run_tests.delete(acme, ["empty"]).run_tests == 0
    left = administration.organizations.count(ACME, acme).simulation
    assert left == SimulationContents(
        run_tests=contents.run_tests - 1, executions=contents.executions, calls=contents.calls
    )


def test_a_tenant_is_deleted_with_all_it_has(administration: Administration) -> None:
    tenants = administration.tenants
    found = tenants.contents("a")
    other = tenants.contents("b")
    assert found is not None
    assert found.calls > 0 < found.events
    assert tenants.contents("unknown") is None
    assert tenants.delete("a") == found
    assert tenants.contents("a") is None
    assert tenants.contents("b") == other
    assert tenants.delete("a") == TenantContents(events=0, calls=0)
    assert administration.problems() == []


def test_an_organization_is_deleted_until_nothing_is_left(
    administration: Administration, acme: int
) -> None:
    contents = administration.organizations.count(ACME, acme)
    assert (contents.keys, contents.simulation.calls) == (3, 40)
    assert contents.points > 1_200
    assert str(contents).startswith("3 keys, ")
    assert administration.organizations.delete(ACME)
    assert not administration.organizations.delete(ACME)
    assert administration.keys.is_erased(acme)
    assert administration.keys.organization_id(ACME) is None
    assert [each.name for each in administration.keys.list_organizations()] == [EMPTY]
    nothing = SimulationContents(run_tests=0, executions=0, calls=0)
    assert administration.organizations.count(ACME, acme) == OrganizationContents(
        keys=0, metrics=0, points=0, simulation=nothing
    )
    assert noted(administration, "organization") == [("organization.delete", ACME, "")]
    assert administration.problems() == []


def test_a_clock_that_is_accepted_is_taken_once_by_a_server_that_runs(
    engine: Engine, administration: Administration
) -> None:
    async def taken(before: Callable[[], None]) -> list[bool]:
        async with engine.clock_records() as records:
            await records.save(ClockRecord(seen_us=NOW_US, untrusted_for_us=5))
            first = [await records.take_acceptance()]
            await asyncio.to_thread(before)
            return [*first, *[await records.take_acceptance() for _ in range(2)]]

    assert administration.clock.record() is None
    assert asyncio.run(taken(administration.clock.accept)) == [False, True, False]
    assert administration.clock.record() == ClockRecord(seen_us=NOW_US, untrusted_for_us=5)
    assert noted(administration, "clock") == [("clock.accept", None, "")]


def test_a_clock_that_is_accepted_while_no_server_runs_is_taken_by_the_next_start(
    engine: Engine, administration: Administration
) -> None:
    async def started(seen_us: int | None) -> list[bool]:
        async with engine.clock_records() as records:
            found = [await records.take_acceptance() for _ in range(2)]
            if seen_us is not None:
                await records.save(ClockRecord(seen_us=seen_us))
            return found

    assert asyncio.run(started(NOW_US)) == [False, False]
    administration.clock.accept()
    assert asyncio.run(started(system_clock())) == [True, False]
    assert asyncio.run(started(None)) == [False, False]


def test_the_record_of_the_clock_never_goes_back_by_a_late_server(
    engine: Engine, administration: Administration
) -> None:
    def kept() -> int:
        record = administration.clock.record()
        assert record is not None
        return record.seen_us

    async def two_servers_save() -> None:
        async with engine.clock_records() as records, engine.clock_records() as of_the_late:
            await records.save(ClockRecord(seen_us=NOW_US))
            await of_the_late.save(ClockRecord(seen_us=NOW_US - DAY_US))
            assert await records.read() == ClockRecord(seen_us=NOW_US)
            await of_the_late.save(ClockRecord(seen_us=NOW_US - DAY_US, untrusted_for_us=7))
            assert await records.read() == ClockRecord(seen_us=NOW_US, untrusted_for_us=7)

    async def boot(early_us: int, right_us: int) -> None:
        """Run a server whose clock is early until NTP sets it."""
        now_us, steady_us = early_us, 5 * DAY_US
        async with engine.clock_records() as records:
            with capture_logs() as logs:
                guard = ClockGuard(lambda: now_us, await records.read(), lambda: steady_us)
                keeping = ClockKeeping(guard, records, lambda: steady_us)
                for _ in range(2):
                    await keeping.step()
                    now_us, steady_us = now_us + HOUR_US, steady_us + HOUR_US
                assert kept() == right_us - DAY_US
                now_us = right_us
                await keeping.step()
            assert [each["event"] for each in logs] == ["clock_behind", "clock_put_right"]
            assert guard.deletion_us() == right_us
        assert kept() == right_us

    asyncio.run(two_servers_save())
    for days in (1, 2, 3):
        asyncio.run(boot(0, NOW_US + days * DAY_US))


def test_the_record_of_the_clock_goes_back_on_an_operators_word(
    engine: Engine, administration: Administration
) -> None:
    async def saved(seen_us: int) -> None:
        async with engine.clock_records() as records:
            await records.save(ClockRecord(seen_us=seen_us))

    async def started() -> int:
        async with engine.clock_records() as records:
            keeping = ClockKeeping(ClockGuard(system_clock, await records.read()), records)
            await keeping.step()
            record = await records.read()
            assert record is not None
            return record.seen_us

    far_ahead_us = system_clock() + 500 * DAY_US
    asyncio.run(saved(far_ahead_us))
    assert asyncio.run(started()) == far_ahead_us
    administration.clock.accept()
    assert asyncio.run(started()) <= system_clock()
