"""Which point sums are kept, and which make room."""

from __future__ import annotations

import numpy as np
import pytest

from vumeter_server.custom_metrics.sqlite.cache import unit_cache
from vumeter_server.custom_metrics.sqlite.cache.metric_point_sums import MetricPointSums
from vumeter_server.custom_metrics.sqlite.cache.unit_cache import OwnPointSums, PointSumsCache
from vumeter_server.custom_metrics.sqlite.cache.units import Unit

POINTS = 100
SIZE = 8 * POINTS + 8 * (POINTS + 1)
ROOM_FOR = 4


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> PointSumsCache:
    """A cache with room for four units."""
    monkeypatch.setattr(unit_cache, "MAX_BYTES", ROOM_FOR * SIZE)
    return PointSumsCache()


def sums(first_day: int, points: int = POINTS) -> MetricPointSums:
    unit = Unit(1, first_day, first_day + 16)
    return MetricPointSums(unit, 1, np.arange(points), np.ones(points))


def days_of(own: OwnPointSums) -> list[int]:
    return sorted(unit.first for unit in own.units)


def test_what_came_first_makes_room(cache: PointSumsCache) -> None:
    one, other = OwnPointSums(cache), OwnPointSums(cache)
    for day in (0, 16, 32):
        one.put(sums(day))
    for day in (0, 16, 32):
        other.put(sums(day))
    assert days_of(one) == [32]
    assert days_of(other) == [0, 16, 32]
    assert cache.size_bytes == ROOM_FOR * SIZE


def test_what_was_used_stays_one_more_turn(cache: PointSumsCache) -> None:
    own = OwnPointSums(cache)
    for day in (0, 16, 32, 48):
        own.put(sums(day))
    assert own.get(sums(0).unit) is own.units[sums(0).unit]
    own.put(sums(64))
    assert days_of(own) == [0, 32, 48, 64]
    for day in (80, 96, 112):
        own.put(sums(day))
    assert days_of(own) == [0, 80, 96, 112]
    # It was not used again.
    own.put(sums(128))
    assert days_of(own) == [80, 96, 112, 128]


def test_all_used_is_no_reason_to_grow(cache: PointSumsCache) -> None:
    own = OwnPointSums(cache)
    for day in range(0, 160, 16):
        own.put(sums(day))
        for unit in list(own.units):
            own.get(unit)
        assert len(own.units) <= ROOM_FOR
    assert cache.size_bytes == ROOM_FOR * SIZE


def test_a_unit_is_there_once(cache: PointSumsCache) -> None:
    own = OwnPointSums(cache)
    own.put(sums(0))
    later = sums(0)
    own.put(later)
    assert own.get(later.unit) is later
    assert cache.size_bytes == SIZE


def test_what_is_larger_than_all_room_is_not_kept(cache: PointSumsCache) -> None:
    own = OwnPointSums(cache)
    own.put(sums(0))
    own.put(sums(16, points=POINTS * (ROOM_FOR + 1)))
    assert days_of(own) == [0]
    own.put(sums(0, points=POINTS * (ROOM_FOR + 1)))
    assert days_of(own) == []
    assert cache.size_bytes == 0


def test_days_with_further_points_are_dropped_of_one_organization(cache: PointSumsCache) -> None:
    one, other = OwnPointSums(cache), OwnPointSums(cache)
    for own in (one, other):
        own.put(sums(0))
        own.put(sums(16))
    one.drop_days([3, 40])
    assert days_of(one) == [16]
    assert days_of(other) == [0, 16]
    one.drop_all()
    assert days_of(one) == []
    assert days_of(other) == [0, 16]
    assert cache.size_bytes == 2 * SIZE
