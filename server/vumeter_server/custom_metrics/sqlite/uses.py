"""Which labels and agents the points of each metric have: what names and tags are answered from."""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from collections.abc import Callable, Collection

import numpy as np

from vumeter_server.custom_metrics.sqlite.growing import GrowingArray

# How many answers of one organization are kept up to date.
MAX_VIEWS = 2_000
# How many values of a label are kept, and so can be told: in the order of their code points.
MAX_VALUES = 1_001


NameOfLabel = Callable[[int], tuple[str, str]]


class View:
    """The metrics, and the values of labels, of some uses; only ever added to."""

    def __init__(self) -> None:
        self.seen = 0
        self.metrics: set[int] = set()
        self.values: dict[str, list[str]] = {}
        self._labels: set[int] = set()

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


class Uses:
    """Rows of (metric, agent, label), of which there are only ever more."""

    def __init__(self) -> None:
        self._rows: GrowingArray[np.int32] = GrowingArray(np.int32)
        self._views: OrderedDict[tuple[int | None, int | None], View] = OrderedDict()
        self._deletions = 0

    def __len__(self) -> int:
        return len(self._rows) // 3

    def append(self, rows: list[tuple[int, int, int]]) -> None:
        """Add uses."""
        self._rows.append(np.array(rows, np.int32).reshape(-1))

    def view(
        self,
        metric: int | None,
        agent: int | None,
        names: NameOfLabel,
        known_metrics: Collection[int],
        deletions: int,
    ) -> View:
        """Return what is used by a metric, an agent, or both; of metrics that are known."""
        if deletions != self._deletions:
            self._views.clear()
            self._deletions = deletions
        view = self._views.setdefault((metric, agent), View())
        self._views.move_to_end((metric, agent))
        if len(self._views) > MAX_VIEWS:
            self._views.popitem(last=False)
        rows = self._rows.view().reshape(-1, 3)[view.seen :]
        view.seen += len(rows)
        if len(rows):
            chosen = np.isin(rows[:, 0], list(known_metrics) if metric is None else [metric])
            if agent is not None:
                chosen &= rows[:, 1] == agent
            rows = rows[chosen]
            labels = np.unique(rows[:, 2])
            view.add(np.unique(rows[:, 0]).tolist(), labels[labels >= 0].tolist(), names)
        return view
