"""What belongs to custom metrics is read and written as MetricMigrationStore says."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

import pytest
from tests.conformance.migration.engines import Engine, SettableClock
from tests.custom_metrics.points import Point
from tests.otlp.decoded import NOW_US, batch_of, body_of
from tests.store_migration.sample import NAMES, organization, points, record

from vumeter_server.custom_metrics.migration_store import CopiedRecording
from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.questions import DeleteQuery, MetricInfo
from vumeter_server.custom_metrics.store import IDEMPOTENCY_KEYS_KEPT_US
from vumeter_server.errors import Conflict, InvalidArgument
from vumeter_server.store_migration.stores import MigrationStores
from vumeter_server.times.units import DAY_US, HOUR_US

DAY = NOW_US // DAY_US


async def acme_and_rival(stores: MigrationStores) -> tuple[int, int]:
    return (
        await stores.access.put_organization(organization("acme")),
        await stores.access.put_organization(organization("rival")),
    )


def recording(key: str, recorded_us: int, recorded: int = 3) -> CopiedRecording:
    digest = hashlib.sha256(key.encode()).digest()
    return CopiedRecording(
        key=key, content_sha256=digest, recorded=recorded, recorded_us=recorded_us
    )


async def test_the_days_that_have_points_are_told(stores: MigrationStores) -> None:
    acme, rival = await acme_and_rival(stores)
    assert await stores.metrics.days(acme) == {}
    times = [NOW_US, NOW_US - 1, NOW_US - 3 * DAY_US, 0]
    await record(stores, acme, *(Point(name="turns", timestamp=each) for each in times), key="k")
    for _ in range(2):
        days = await stores.metrics.days(acme)
        assert {day for day, count in days.items() if count} >= {each // DAY_US for each in times}
        assert await stores.metrics.days(rival) == {}
        # Also when they stand elsewhere.
        await stores.settle()


async def test_metrics_are_described_and_listed_also_without_points(
    stores: MigrationStores, engine: Engine
) -> None:
    acme, rival = await acme_and_rival(stores)
    assert await stores.metrics.catalog(acme) == []
    given = [
        MetricInfo(name="b", type=MetricType.GAUGE, unit="s", description="Länge ☃"),
        MetricInfo(name="B", type=MetricType.HISTOGRAM),
        MetricInfo(name="a", type=MetricType.COUNTER, unit="{calls}"),
    ]
    await stores.metrics.describe(acme, given[:2])
    await stores.metrics.describe(acme, given[2:])
    await stores.metrics.describe(acme, [])
    expected = sorted(given, key=lambda each: each.name)
    assert await stores.metrics.catalog(acme) == expected
    assert await stores.metrics.catalog(rival) == []
    # The type is fixed for whoever records.
    with pytest.raises(InvalidArgument):
        await record(stores, acme, Point(name="b", type="counter", value=1), key="wrong")
    await record(stores, acme, Point(name="b", type="gauge", value=1), key="right")
    # Units and descriptions change, or go.
    changed = [replace(given[0], unit="ms", description=""), replace(given[1], unit="By")]
    await stores.metrics.describe(acme, changed)
    expected = sorted([*changed, given[2]], key=lambda each: each.name)
    assert await stores.metrics.catalog(acme) == expected
    async with engine() as again:
        assert await again.metrics.catalog(acme) == expected


async def test_a_forgotten_metric_is_gone_with_its_points_and_its_type(
    stores: MigrationStores,
) -> None:
    acme, rival = await acme_and_rival(stores)
    for each in (acme, rival):
        await record(stores, each, *points(60), key="batch")
    before = await stores.points.count_points(acme, DeleteQuery())
    booked = DeleteQuery(metric_names=["booked"])
    gone = await stores.points.count_points(acme, booked)
    await stores.metrics.forget_metric(acme, "booked")
    await stores.metrics.forget_metric(acme, "never recorded")
    assert [each.name for each in await stores.metrics.catalog(acme)] == ["queue_length", "ttft_ms"]
    assert await stores.points.count_points(acme, booked) == 0 < gone
    assert await stores.points.count_points(acme, DeleteQuery()) == before - gone
    assert await stores.points.count_points(rival, DeleteQuery()) == before
    await record(stores, acme, Point(name="booked", type="gauge", value=-1), key="as a gauge")
    (booked_now,) = [each for each in await stores.metrics.catalog(acme) if each.name == "booked"]
    assert booked_now.type is MetricType.GAUGE


async def test_idempotency_keys_are_read_in_pages_by_code_point(
    stores: MigrationStores, engine: Engine
) -> None:
    acme, rival = await acme_and_rival(stores)
    keys = ["b", "B", "ä", "a", "😀", "a b", "9", "10"]
    for key in keys:
        await record(stores, acme, *points(2), key=key)
    async with engine() as again:
        found: list[CopiedRecording] = []
        while page := await again.metrics.recordings(acme, found[-1].key if found else "", 3):
            assert len(page) <= 3
            found += page
    assert [each.key for each in found] == sorted(keys)
    assert {(each.recorded, each.recorded_us) for each in found} == {(2, NOW_US)}
    assert await stores.metrics.recordings(rival, "", 10) == []


async def test_idempotency_keys_that_are_put_are_known_as_if_used_here(
    stores: MigrationStores, engine: Engine
) -> None:
    acme, _ = await acme_and_rival(stores)
    await record(stores, acme, *points(2), key="used here")
    (own,) = await stores.metrics.recordings(acme, "", 10)
    given = [recording(each, NOW_US - HOUR_US) for each in ("put", "put too")]
    # One that is known already stays as it is.
    await stores.metrics.put_recordings(acme, [recording("used here", NOW_US - 1, 9), *given])
    await stores.metrics.put_recordings(acme, given)
    async with engine() as again:
        assert list(await again.metrics.recordings(acme, "", 10)) == [*given, own]
    count = await stores.points.count_points(acme, DeleteQuery())
    with pytest.raises(Conflict):
        await record(stores, acme, *points(5), key="put")
    assert await stores.points.count_points(acme, DeleteQuery()) == count
    # A repeat of what was copied with its key is answered as the first was, and stores nothing.
    async with engine() as elsewhere:
        other = await elsewhere.access.put_organization(organization("other"))
        await elsewhere.metrics.put_recordings(other, [replace(own, recorded=2)])
        await record(elsewhere, other, *points(2), key="used here")
        assert await elsewhere.points.count_points(other, DeleteQuery()) == 0


async def test_idempotency_keys_are_known_for_as_long_as_if_used_here(
    stores: MigrationStores, clock: SettableClock
) -> None:
    acme, _ = await acme_and_rival(stores)
    await record(stores, acme, *points(2), key="used")
    await stores.metrics.put_recordings(acme, [recording("put", NOW_US)])
    clock.now_us += IDEMPOTENCY_KEYS_KEPT_US + 1
    await stores.metrics.put_recordings(acme, [recording("new", clock.now_us - 1)])
    known = {each.key for each in await stores.metrics.recordings(acme, "", 10)}
    assert "new" in known
    assert ("used" in known) is ("put" in known)


async def test_states_of_series_take_the_place_of_earlier_ones(
    stores: MigrationStores, engine: Engine
) -> None:
    acme, rival = await acme_and_rival(stores)
    for name in NAMES:
        await stores.exports.record_exported(
            rival, batch_of(body_of(name)), key_id="", notes={}, idempotency=None, now_us=NOW_US
        )
    sent = list(await stores.metrics.series_states(rival))
    assert len({(each.stream, each.metric_name) for each in sent}) == len(sent) > 3
    assert {each.changed_us for each in sent} == {NOW_US}
    assert await stores.metrics.series_states(acme) == []
    await stores.metrics.describe(acme, await stores.metrics.catalog(rival))
    older, newer = sent[0], replace(sent[0], states=sent[1].states, changed_us=NOW_US + 5)
    await stores.metrics.put_series_states(acme, [older, *sent[1:]])
    await stores.metrics.put_series_states(acme, [newer])
    await stores.metrics.put_series_states(acme, [])
    async with engine() as again:
        found = await again.metrics.series_states(acme)
        assert Counter(found) == Counter([newer, *sent[1:]])
        assert Counter(await again.metrics.series_states(rival)) == Counter(sent)
