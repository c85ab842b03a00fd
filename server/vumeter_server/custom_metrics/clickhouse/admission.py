"""Decides what becomes of batches before they are stored: types, limits, and what is new.

A draft stands for the catalog as it will be once the batches before are stored, so that several
can be stored at a time. Nothing here knows the database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

import numpy as np

from vumeter_server.custom_metrics.clickhouse.catalog import MetricCatalog
from vumeter_server.custom_metrics.clickhouse.changes import CatalogChange, Label
from vumeter_server.custom_metrics.exported import KnownMetric, RoomForMetrics
from vumeter_server.custom_metrics.limits import (
    OTHER,
    check_metrics,
    forms_of,
    too_many_label_sets,
)
from vumeter_server.custom_metrics.model import Batch, LabelSet, MetricType, Settled
from vumeter_server.errors import LimitExceeded
from vumeter_server.runtime.limits import Limits
from vumeter_server.times.units import DAY_US

MAX_METRICS: Final = 30_000
MAX_LABELS: Final = 16_000_000
"""An organization has at most so many metrics and labels: what a server can hold in memory."""


class Draft:
    """A catalog with batches that are about to be stored."""

    def __init__(self, catalog: MetricCatalog) -> None:
        self._catalog = catalog
        self._metrics: dict[str, KnownMetric] = {}
        self._names: set[str] = set()
        self._series: set[tuple[str, LabelSet]] = set()
        self._labels: set[Label] = set()
        self._label_sets: set[LabelSet] = set()
        self._values: Counter[str] = Counter()
        self._in_use = catalog.label_sets_in_use()
        self._recorded_on: dict[int, int] = {}

    def types(self, names: Sequence[str]) -> dict[str, MetricType]:
        """Return the types of those of some metrics that there are."""
        return {name: known.type for name, known in self.known(names).items()}

    def known(self, names: Iterable[str]) -> dict[str, KnownMetric]:
        """Return what is known of those of some metrics that there are."""
        found = {name: self._metrics.get(name) or self._catalog.metrics.get(name) for name in names}
        return {name: known for name, known in found.items() if known is not None}

    def _has_points(self, name: str) -> bool:
        return name in self._names or self._catalog.has_points(name)

    def _count(self, more: Iterable[str] = ()) -> int:
        new = {name for name in (*self._metrics, *more) if name not in self._catalog.metrics}
        return len(self._catalog.metrics) + len(new)

    def _count_used(self) -> int:
        return self._catalog.used_metrics + len(self._names)

    def room(self, names: Sequence[str], limits: Limits) -> RoomForMetrics:
        """Return how many metrics there may be more, by the limit and by what can be stored."""
        return RoomForMetrics(
            left=min(MAX_METRICS - self._count(), limits.metrics - self._count_used()),
            pointless={name for name in self.known(names) if not self._has_points(name)},
        )

    def check_metrics(self, batch: Batch, limits: Limits) -> None:
        """Raise LimitExceeded for a metric that is too many."""
        check_metrics(batch, self._has_points, metrics=self._count_used(), limit=limits.metrics)

    def admit(
        self,
        settled: Settled,
        limits: Limits,
        today: int,
        described: dict[str, KnownMetric] | None = None,
    ) -> tuple[Settled, CatalogChange]:
        """Return as what a batch is stored, and what it changes. Raises LimitExceeded.

        Nothing is changed if it raises.
        """
        batch = settled.batch
        if self._count(settled.new_types) > MAX_METRICS:
            raise LimitExceeded(f"An organization has at most {MAX_METRICS:,} metrics")
        numbers = self._catalog.numbers_of(batch.label_sets)
        label_sets = self._label_sets_within(batch.label_sets, numbers, limits)
        if label_sets is not batch.label_sets:
            batch = replace(batch, label_sets=label_sets)
            settled = replace(settled, batch=batch)
            numbers = self._catalog.numbers_of(label_sets)
        change = CatalogChange(
            types=dict(settled.new_types),
            described=dict(described or {}),
            series=self._new_series(batch, numbers),
            recorded_on=self._new_days(settled, today),
        )
        self._take(change)
        return settled, change

    def _take(self, change: CatalogChange) -> None:
        self._metrics |= {name: KnownMetric(of) for name, of in change.types.items()}
        self._metrics |= change.described
        self._recorded_on |= change.recorded_on
        label_sets = dict.fromkeys(label_set for _, label_set in change.series)
        self._in_use = _Forms(self._catalog, self).count_with(label_sets)
        self._series.update(change.series)
        self._names.update(
            name for name in {name for name, _ in change.series} if not self._has_points(name)
        )
        self._label_sets.update(label_sets)
        for label in set(chain.from_iterable(label_sets)):
            if not self.is_in_use(label):
                self._labels.add(label)
                self._values[label[0]] += label[1] != OTHER

    def is_in_use(self, label: Label) -> bool:
        """Whether a label is in use."""
        return label in self._labels or self._catalog.is_in_use(label)

    def has_label_set(self, label_set: LabelSet) -> bool:
        """Whether a label set was ever recorded."""
        return label_set in self._label_sets or self._catalog.has_label_set(label_set)

    @property
    def in_use(self) -> int:
        """How many label sets are in use."""
        return self._in_use

    def values_of(self, key: str) -> int:
        """Return how many values a label has in use."""
        return self._catalog.values[key] + self._values[key]

    def labels_and_label_sets(self) -> tuple[set[Label], set[LabelSet]]:
        """Return what the drafted batches bring."""
        return self._labels, self._label_sets

    def _label_sets_within(
        self, label_sets: list[LabelSet], numbers: Sequence[int | None], limits: Limits
    ) -> list[LabelSet]:
        """Return as what label sets are stored; the same list if none differs.

        `numbers` are those that the catalog has for them.
        """
        more = label_sets
        if not self._catalog.has_labels_out_of_use:
            more = [
                each for each, number in zip(label_sets, numbers, strict=True) if number is None
            ]
        keys = {key for key, _ in chain.from_iterable(more)}
        most = max(map(self.values_of, keys), default=0)
        self._check_labels(more)
        if (
            self._in_use + len(more) <= limits.label_sets
            and most + len(more) <= limits.label_values
        ):
            return label_sets
        forms = _Forms(self._catalog, self)
        return [forms.within(label_set, limits) for label_set in label_sets]

    def _check_labels(self, label_sets: list[LabelSet]) -> None:
        """Raise LimitExceeded if there would be more labels than are taken."""
        in_use = sum(self._catalog.values.values()) + len(self._labels)
        if in_use + sum(map(len, label_sets)) <= MAX_LABELS:
            return
        labels = {label for label_set in label_sets for label in label_set}
        labels |= self._labels
        in_use = len(self._catalog.labels())
        if in_use + sum(not self._catalog.is_in_use(each) for each in labels) > MAX_LABELS:
            raise LimitExceeded(f"An organization has at most {MAX_LABELS:,} tag values")

    def _new_series(
        self, batch: Batch, numbers: Sequence[int | None]
    ) -> list[tuple[str, LabelSet]]:
        names, label_sets, uses = batch.names, batch.label_sets, self._catalog.uses
        pairs = np.unique(
            batch.name_indexes.astype(np.int64) * len(label_sets or [()]) + batch.label_set_indexes
        )
        # As a dict, since limits can make equal label sets of different ones.
        new: dict[tuple[str, LabelSet], None] = {}
        for pair in pairs.tolist():
            name_index, index = divmod(pair, len(label_sets))
            name, label_set, number = names[name_index], label_sets[index], numbers[index]
            if number is not None and uses(name, label_set, number):
                continue
            new[name, label_set] = None
        for series in self._series.intersection(new):
            del new[series]
        return list(new)

    def _new_days(self, settled: Settled, today: int) -> dict[int, int]:
        days = np.unique(settled.times_us // DAY_US).tolist()
        known = self._catalog.recorded_on
        return {day: today for day in days if self._recorded_on.get(day, known.get(day)) != today}


class _Forms:
    """Finds the forms of label sets, one after another, as if each were recorded."""

    def __init__(self, catalog: MetricCatalog, draft: Draft) -> None:
        self._catalog = catalog
        self._draft = draft
        self._labels: set[Label] = set()
        self._label_sets: set[LabelSet] = set()
        self._values: Counter[str] = Counter()
        self._in_use = draft.in_use

    def within(self, label_set: LabelSet, limits: Limits) -> LabelSet:
        """Return the first form of a label set for which there is room. Raises LimitExceeded."""
        label_set = tuple(
            (key, value)
            if self._is_in_use((key, value))
            or self._draft.values_of(key) + self._values[key] < limits.label_values
            else (key, OTHER)
            for key, value in label_set
        )
        for form, beyond in forms_of(label_set):
            if self._is_label_set_in_use(form) or self._in_use < limits.label_sets + beyond:
                self._use(form)
                return form
        raise too_many_label_sets(limits.label_sets)

    def count_with(self, label_sets: Iterable[LabelSet]) -> int:
        """Return how many label sets are in use once these are recorded, each given once."""
        if self._catalog.has_labels_out_of_use:
            for label_set in label_sets:
                self._use(label_set)
            return self._in_use
        return self._in_use + sum(not self._draft.has_label_set(each) for each in label_sets)

    def _is_in_use(self, label: Label) -> bool:
        return label in self._labels or self._draft.is_in_use(label)

    def _is_label_set_in_use(self, label_set: LabelSet) -> bool:
        return all(map(self._is_in_use, label_set)) and (
            label_set in self._label_sets or self._draft.has_label_set(label_set)
        )

    def _use(self, label_set: LabelSet) -> None:
        if self._is_label_set_in_use(label_set):
            return
        is_revived = False
        for label in label_set:
            if not self._is_in_use(label):
                self._labels.add(label)
                self._values[label[0]] += label[1] != OTHER
                is_revived = is_revived or self._catalog.is_known(label)
        is_new = label_set not in self._label_sets and not self._draft.has_label_set(label_set)
        self._label_sets.add(label_set)
        if is_revived:
            # Other label sets may be in use again.
            labels, label_sets = self._draft.labels_and_label_sets()
            new = [
                each
                for each in self._label_sets | label_sets
                if not self._catalog.has_label_set(each)
            ]
            self._in_use = len(new) + self._catalog.count_label_sets(self._labels | labels)
        else:
            self._in_use += is_new
