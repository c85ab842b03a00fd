"""Catalogs and drafts against a model that counts everything anew."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from tests.custom_metrics.points import NOW_US, Point, columns_of

from vumeter_server.custom_metrics.clickhouse import catalog as catalogs
from vumeter_server.custom_metrics.clickhouse.admission import Draft
from vumeter_server.custom_metrics.clickhouse.catalog import MetricCatalog, agent_of
from vumeter_server.custom_metrics.clickhouse.changes import (
    CatalogChange,
    Use,
    decode_change,
    encode_change,
)
from vumeter_server.custom_metrics.label_sets import KnownLabelSets
from vumeter_server.custom_metrics.limits import OTHER
from vumeter_server.custom_metrics.model import LabelSet
from vumeter_server.custom_metrics.validation import settle, validate
from vumeter_server.runtime.limits import DEFAULT_LIMITS

NAMES = ("bookings", "transfers")
AGENTS = ("", "agent_a", "agent_b")
Uses = dict[tuple[str, str], set[tuple[str, str]]]


class Model:
    """What a catalog should know, each answer computed from all that happened."""

    def __init__(self) -> None:
        self.uses: Uses = {}
        self.label_sets: set[LabelSet] = set()

    def take(self, change: CatalogChange) -> None:
        for name, agent, label in change.unused:
            if label is None:
                self.uses.pop((name, agent), None)
            else:
                self.uses[name, agent].discard(label)
        for name, label_set in change.series:
            self.uses.setdefault((name, agent_of(label_set)), set()).update(label_set)
            self.label_sets.add(label_set)

    @property
    def labels(self) -> set[tuple[str, str]]:
        return {label for used in self.uses.values() for label in used}

    @property
    def in_use(self) -> int:
        return sum(self.labels.issuperset(label_set) for label_set in self.label_sets)


def some_points(chance: random.Random) -> list[Point]:
    return [
        Point(
            name=chance.choice(NAMES),
            type="counter",
            agent_id=chance.choice(AGENTS),
            tags={
                key: f"{chance.randrange(4)}"
                for key in ("branch", "origin")
                if chance.random() < 0.7
            },
        )
        for _ in range(chance.randrange(1, 6))
    ]


def unused(model: Model, chance: random.Random) -> list[Use]:
    """Return what a deletion might leave without points."""
    name, agent = chance.choice(list(model.uses))
    labels = sorted(model.uses[name, agent])
    if not labels or chance.random() < 0.3:
        return [(name, agent, None)]
    return [(name, agent, label) for label in labels if chance.random() < 0.5]


def assert_same(catalog: MetricCatalog, model: Model) -> None:
    assert set(catalog.labels()) == model.labels
    assert catalog.label_sets_in_use() == model.in_use
    values = Counter(key for key, value in model.labels if value != OTHER)
    assert +catalog.values == values
    assert all(map(catalog.has_label_set, model.label_sets))
    by_key = Counter(
        key
        for label_set in model.label_sets
        if model.labels.issuperset(label_set)
        for key, _ in label_set
    )
    assert catalog.label_sets_by_key() == by_key


@pytest.mark.parametrize("seed", range(40))
def test_a_catalog_knows_what_is_in_use_whatever_is_deleted_and_recorded_again(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(catalogs, "MAX_FOUND", chance.choice([1, 3, 1_000_000]))
    catalog, other, model = MetricCatalog(), MetricCatalog(), Model()
    # As in a server: equal label sets are one object, which catalogs hold on to.
    known = KnownLabelSets[Any](lambda key: key, lambda tag: tag)
    for seq in range(1, 60):
        if model.uses and chance.random() < 0.3:
            change = CatalogChange(unused=unused(model, chance))
            model.take(change)
        else:
            draft = Draft(catalog)
            change = CatalogChange()
            # What one caller records after another, stored at once.
            for _ in range(chance.randrange(1, 4)):
                columns = columns_of(some_points(chance))
                batch = validate(replace(columns, label_sets=known), NOW_US)
                settled = settle(batch, draft.types(batch.names), NOW_US)
                _, admitted = draft.admit(settled, DEFAULT_LIMITS, 0)
                expected = {
                    (batch.names[name], batch.label_sets[label_set])
                    for name, label_set in zip(
                        batch.name_indexes, batch.label_set_indexes, strict=True
                    )
                }
                assert set(admitted.series) <= expected
                # What is left out is in use already, with each of its labels.
                for name, label_set in expected - set(admitted.series):
                    assert model.uses[name, agent_of(label_set)].issuperset(label_set)
                    assert label_set in model.label_sets
                model.take(admitted)
                assert draft.in_use == model.in_use
                change.types |= admitted.types
                change.series += admitted.series
        catalog.apply(seq, change)
        # As another server reads it.
        other.apply(seq, decode_change(encode_change(change)))
        assert_same(catalog, model)
        assert_same(other, model)
