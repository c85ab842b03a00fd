"""The label index: which labels and agents the points of each metric have.

Names and tags are answered from it. A use is a metric, an agent and a label that some point has
together; a point with no label uses its metric and agent alone. Uses of flushed points are in the
table `metric_uses`. Those of the head are found when it is read, and written when it is flushed: so
recording has nothing to do with them. When points are deleted, the index is read again without the
uses that only they had.
"""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from collections.abc import Callable, Collection

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.aggregation import MAX_TAG_VALUES
from vumeter_server.custom_metrics.sqlite.cache.growing_array import GrowingArray
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import NO_CODE

# How many combinations of a metric and an agent of one organization are kept up to date.
MAX_USED_LABELS = 2_000
# How many values of a label are kept, in the order of their code points: one more than an answer
# has, so that it can say that there are more.
MAX_VALUES = MAX_TAG_VALUES + 1

NameOfLabel = Callable[[int], tuple[str, str]]
Integers = npt.NDArray[np.int64]


def use_numbers(metrics: npt.NDArray[np.integer], agents: Integers, labels: Integers) -> Integers:
    """Return uses as numbers of 64 bits: MAX_LABELS and MAX_METRICS see to it. NO_CODE is none."""
    numbers: Integers = metrics.astype(np.int64) << 48 | (agents + 1) << 24 | (labels + 1)
    return numbers


def use_codes(numbers: Integers) -> npt.NDArray[np.int32]:
    """Return the metric, agent and label of each use, as rows."""
    codes = (numbers >> 48, (numbers >> 24 & 0xFFFFFF) - 1, (numbers & 0xFFFFFF) - 1)
    return np.stack(codes, axis=1).astype(np.int32)


class UsedLabels:
    """The metrics, and the values of labels, of some uses; only ever added to."""

    def __init__(self) -> None:
        self.seen = 0
        self.metrics: set[int] = set()
        self.values: dict[str, list[str]] = {}
        self._labels: set[int] = set()

    @property
    def labels(self) -> list[int]:
        """The codes of all labels, however many a key has, in no order."""
        return list(self._labels)

    def add(self, metrics: list[int], labels: list[int], names: NameOfLabel) -> None:
        """Take up the metrics and labels of further uses."""
        self.metrics.update(metrics)
        fresh = set(labels) - self._labels
        self._labels |= fresh
        by_key: dict[str, list[str]] = {}
        for label in fresh:
            key, value = names(label)
            by_key.setdefault(key, []).append(value)
        for key, values in by_key.items():
            known = self.values.setdefault(key, [])
            if len(values) > len(known):
                known.extend(values)
                known.sort()
            else:
                for value in values:
                    insort(known, value)
            del known[MAX_VALUES:]


class LabelIndex:
    """Every use of an organization; only ever added to."""

    def __init__(self) -> None:
        self._rows: GrowingArray[np.int32] = GrowingArray(np.int32)
        # The same as numbers in ascending order; and those that are not in the table yet.
        self._numbers: Integers = np.empty(0, np.int64)
        self._unflushed: Integers = np.empty(0, np.int64)
        self._used: OrderedDict[tuple[int | None, int | None], UsedLabels] = OrderedDict()
        self._deletions = 0
        self.flushed = 0
        """How many rows of the table were read."""

    def __len__(self) -> int:
        return len(self._numbers)

    def add_flushed(self, rows: list[tuple[int, int, int, bool]]) -> None:
        """Add further rows of the table: metric, agent, label, and whether it is still a use."""
        self.flushed += len(rows)
        of_rows = np.array(rows, np.int64).reshape(-1, 4)
        metrics, agents, labels, _ = of_rows[of_rows[:, 3] != 0].T
        numbers = np.unique(use_numbers(metrics, agents, labels))
        self._add(numbers)
        self._unflushed = np.setdiff1d(self._unflushed, numbers, assume_unique=True)

    def add_of_head(self, numbers: Integers) -> None:
        """Add uses of points of the head; `numbers` are distinct and ascending."""
        new = self._add(numbers)
        if len(new):
            at = self._unflushed.searchsorted(new)
            self._unflushed = np.insert(self._unflushed, at, new)

    def unflushed_among(self, numbers: Integers) -> Integers:
        """Return those of distinct uses that are not in the table."""
        return numbers[np.isin(numbers, self._unflushed, assume_unique=True)]

    def labels_by_metric(self, metrics: int) -> Integers:
        """Return how many labels the points of each metric have, of `metrics` in all."""
        numbers = self._numbers
        pairs = np.unique((numbers >> 48) << 24 | numbers & 0xFFFFFF)
        of_labels = pairs[pairs & 0xFFFFFF != 0] >> 24
        counts: Integers = np.bincount(of_labels, minlength=metrics)
        return counts

    def _add(self, numbers: Integers) -> Integers:
        """Add what is not known, and return it."""
        at = self._numbers.searchsorted(numbers)
        known = np.zeros(len(numbers), np.bool_)
        inside = at < len(self._numbers)
        known[inside] = self._numbers[at[inside]] == numbers[inside]
        new = numbers[~known]
        if len(new):
            self._numbers = np.insert(self._numbers, at[~known], new)
            self._rows.append(use_codes(new).reshape(-1))
        return new

    def used(
        self,
        metric: int | None,
        agent: int | None,
        names: NameOfLabel,
        known_metrics: Collection[int],
        deletions: int,
    ) -> UsedLabels:
        """Return what is used by a metric, an agent, or both; of metrics that are known."""
        if deletions != self._deletions:
            self._used.clear()
            self._deletions = deletions
        used = self._used.setdefault((metric, agent), UsedLabels())
        self._used.move_to_end((metric, agent))
        if len(self._used) > MAX_USED_LABELS:
            self._used.popitem(last=False)
        rows = self._rows.view().reshape(-1, 3)[used.seen :]
        used.seen += len(rows)
        if len(rows):
            chosen = np.isin(rows[:, 0], list(known_metrics) if metric is None else [metric])
            if agent is not None:
                chosen &= rows[:, 1] == agent
            rows = rows[chosen]
            labels = np.unique(rows[:, 2])
            used.add(np.unique(rows[:, 0]).tolist(), labels[labels != NO_CODE].tolist(), names)
        return used
