"""What is copied answers as before, whatever changed in the source or the target meanwhile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.conformance.simulation.reports import call, execution, execution_id
from tests.otlp.decoded import NOW_US
from tests.store_migration.conftest import now, opened_sqlite
from tests.store_migration.sample import (
    ACME,
    EMPTY,
    answers,
    fill,
    key,
    organization,
    points,
    record,
)

from vumeter_server.custom_metrics.matchers import Matcher, Operator
from vumeter_server.custom_metrics.questions import DeleteQuery
from vumeter_server.demo.record import DemoState
from vumeter_server.store_migration.run import Migration, Progress, Report
from vumeter_server.store_migration.stores import MigrationStores


async def migrate(source: MigrationStores, target: MigrationStores, rounds: int = 1) -> Report:
    migration = Migration(
        source=source, target=target, clock=now, rounds=rounds, progress=Progress()
    )
    return await migration.run()


def told(report: Report) -> list[str]:
    return [str(each) for each in report.differences]


async def test_everything_answers_as_before_there_and_back(
    source: MigrationStores, target: MigrationStores, tmp_path: Path
) -> None:
    await fill(source)
    report = await migrate(source, target)
    assert told(report) == []
    acme = next(each for each in report.organizations if each.organization == ACME)
    assert acme.points == acme.points_copied > 1_200
    assert (acme.keys, acme.idempotency_keys, acme.executions, acme.calls) == (3, 4, 3, 40)
    expected = await answers(source)
    assert await answers(target) == expected
    async with opened_sqlite(tmp_path / "back.db") as back:
        assert told(await migrate(target, back)) == []
        assert await answers(back) == expected


async def test_a_second_pass_takes_what_came_since(
    source: MigrationStores, target: MigrationStores
) -> None:
    acme = await fill(source)
    await migrate(source, target)
    # Points of times that are copied already, and of a metric that there was not.
    await record(source, acme, *points(90, first=7), key="later")
    late = replace(points(1)[0], name="new_metric")
    await record(source, acme, late, key="new")
    await source.access.put_organization(organization("new", key(9)))
    await source.access.put_organization(
        organization(ACME, key(1, revoked_us=NOW_US), key(8), metrics=7)
    )
    await source.simulation.record_execution(acme, execution(1, status="failed"))
    await source.simulation.record_calls(acme, [call(2, of=3, status="failed"), call(90)])
    report = await migrate(source, target)
    assert told(report) == []
    assert sum(each.points_copied for each in report.organizations) == 91
    assert await answers(target) == await answers(source)


async def test_what_was_deleted_since_goes(
    source: MigrationStores, target: MigrationStores
) -> None:
    acme = await fill(source)
    await migrate(source, target)
    company = Matcher("company", Operator.EQUAL, ("c1\x00'",))
    assert await source.points.delete_points(acme, DeleteQuery(filters=[company]))
    await source.metrics.forget_metric(acme, "queue_length")
    await source.simulation.delete_execution(acme, execution_id(2))
    await source.simulation.delete_run_tests(acme, ["empty"])
    await source.simulation.record_execution(acme, execution(2, run_test_name="other"))
    (empty,) = [each for each in await source.access.organizations() if each.name == EMPTY]
    await source.access.delete_organization(empty.organization_id)
    assert told(await migrate(source, target)) == []
    found, expected = await answers(target), await answers(source)
    # What the target noted of its own deletions is its own.
    assert replace(found, audit=[]) == replace(expected, audit=[])


async def test_a_metric_that_is_another_now_is_copied_anew(
    source: MigrationStores, target: MigrationStores
) -> None:
    acme = await fill(source)
    await migrate(source, target)
    await source.metrics.forget_metric(acme, "booked")
    gauge = replace(points(1)[0], type="gauge", value=-5)
    await record(source, acme, gauge, key="as a gauge")
    assert told(await migrate(source, target)) == []
    assert await answers(target) == await answers(source)


async def test_comparing_finds_each_difference_and_changes_nothing(
    source: MigrationStores, target: MigrationStores
) -> None:
    await fill(source)
    await migrate(source, target)
    theirs = {each.name: each.organization_id for each in await target.access.organizations()}
    acme = theirs[ACME]
    stray = replace(points(1)[0], value=77)
    await record(target, acme, stray, key="stray")
    await target.access.put_organization(organization(EMPTY, key(4, label="other"), key(5)))
    await target.exports.set_mapping(acme, None)
    await target.simulation.record_calls(acme, [call(1, of=2, status="failed")])
    before = await answers(target)
    report = await migrate(source, target, rounds=0)
    assert await answers(target) == before
    assert told(report) == [
        f"{EMPTY}: key vmk_{4:020d} is another in the target",
        f"{EMPTY}: key vmk_{5:020d} is not in the source",
        f"{ACME}: booked on 2026-11-26: 36 points with sum 205.09999999999999 in the source,"
        " 37 with 282.10000000000002 in the target",
        f"{ACME}: the mapping of OpenTelemetry's attributes differs",
        f"{ACME}: calls that the target has not, or not so: 1",
    ]


async def test_demo_data_that_was_loaded_is_not_loaded_again(
    source: MigrationStores, target: MigrationStores
) -> None:
    states = {
        "custom_metrics": DemoState(begun_us=NOW_US, finished_us=NOW_US + 1, from_us=NOW_US - 9),
        "simulation": DemoState(begun_us=NOW_US),
    }
    for family, state in states.items():
        await source.demo.put_state(family, state)
    (unlike, _) = told(await migrate(source, target, rounds=0))
    assert unlike == "up to when custom_metrics has demo data is another in the target"
    assert await target.demo.states() == {}
    assert told(await migrate(source, target)) == []
    assert await target.demo.states() == states
    # It is loaded on while the source serves.
    states["simulation"] = DemoState(begun_us=NOW_US, finished_us=NOW_US + 5)
    await source.demo.put_state("simulation", states["simulation"])
    assert told(await migrate(source, target)) == []
    assert await target.demo.states() == states
