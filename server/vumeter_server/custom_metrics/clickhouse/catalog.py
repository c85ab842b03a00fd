"""What there is of an organization: metrics, labels, label sets, and what is deleted.

It is what the entries of the organization's log add up to, in their order. A server keeps it in
memory and reads on where it stopped. Nothing here knows the database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from vumeter_server.custom_metrics.clickhouse.changes import (
    CatalogChange,
    HiddenPoints,
    Label,
    Use,
)
from vumeter_server.custom_metrics.exported import KnownMetric
from vumeter_server.custom_metrics.limits import OTHER
from vumeter_server.custom_metrics.model import LabelSet, MetricType

AGENT: Final = "agent_id"


def agent_of(label_set: LabelSet) -> str:
    """Return the agent of a label set, "" for none."""
    return next((value for key, value in label_set if key == AGENT), "")


@dataclass(frozen=True, slots=True)
class KnownLabelSet:
    """A label set as a catalog knows it: its agent, and its labels by number."""

    agent: str
    codes: tuple[int, ...]


class MetricCatalog:
    """The catalog of one organization, up to the entry `seq`.

    Attributes:
        seq: number of the last entry; 0 before the first.
        forgotten_at: the entry by which the organization was last erased, 0 if it never was.
        metrics: type, unit and description of each metric; replaced by every change.
        recorded_on: for each day with points, the last day on which one of them was recorded.
        hidden: what is deleted and not removed yet; replaced by every change.
        values: how many values each label has in use, without OTHER.
    """

    def __init__(self) -> None:
        self.seq = 0
        self.forgotten_at = 0
        self._clear()

    def _clear(self) -> None:
        self.metrics: dict[str, KnownMetric] = {}
        self.recorded_on: dict[int, int] = {}
        self.hidden: tuple[HiddenPoints, ...] = ()
        self.values: Counter[str] = Counter()
        self._codes: dict[Label, int] = {}
        self._labels: list[Label] = []
        self._times_used: list[int] = []
        self._uses: dict[tuple[str, str], set[int]] = {}
        self._agents: Counter[str] = Counter()
        self._held = 0
        self._label_sets: set[tuple[int, ...]] = set()
        self._label_sets_in_use: int | None = 0

    @property
    def entries(self) -> int:
        """About how many entries are held, of about 200 bytes each."""
        return len(self._labels) + len(self._label_sets) + self._held // 4 + len(self.metrics)

    def apply(self, seq: int, change: CatalogChange) -> None:
        """Take the next entry into account."""
        self.seq = seq
        if not change:
            return
        if change.forgets_everything:
            self._clear()
            self.forgotten_at = seq
        if change.forgotten_metric is not None:
            self._forget_metric(change.forgotten_metric)
        if change.types or change.described:
            new = {name: KnownMetric(of) for name, of in change.types.items()}
            self.metrics = {**self.metrics, **new, **change.described}
        self._unuse(change.unused)
        for name, label_set in change.series:
            self._use(name, label_set)
        self.recorded_on.update(change.recorded_on)
        if change.hidden is not None:
            self.hidden = (*self.hidden, change.hidden)
            for day in change.hidden.days or ():
                self.recorded_on.pop(day, None)
        if change.removed:
            gone = set(change.removed)
            self.hidden = tuple(each for each in self.hidden if each.seq not in gone)

    def types(self) -> dict[str, MetricType]:
        """Return the type of each metric."""
        return {name: each.type for name, each in self.metrics.items()}

    def names(self, agent_id: str | None = None) -> set[str]:
        """Return the metrics that have points, or whose points retention dropped."""
        if agent_id is None:
            return set(self._agents)
        return {name for name, agent in self._uses if agent == agent_id}

    def has_points(self, name: str) -> bool:
        """Whether `names` lists a metric."""
        return name in self._agents

    @property
    def used_metrics(self) -> int:
        """How many metrics `names` lists."""
        return len(self._agents)

    def labels(self, metric_name: str | None = None, agent_id: str | None = None) -> list[Label]:
        """Return the labels in use, of a metric and an agent or of all, in any order."""
        if metric_name is None and agent_id is None:
            return [
                label for label, times in zip(self._labels, self._times_used, strict=True) if times
            ]
        codes: set[int] = set()
        for (name, agent), used in self._uses.items():
            if metric_name in (None, name) and agent_id in (None, agent):
                codes |= used
        return [self._labels[code] for code in codes]

    def find_label_set(self, label_set: LabelSet) -> KnownLabelSet | None:
        """Return a label set that was ever recorded; None if it never was."""
        codes = tuple(self._codes.get(label, -1) for label in label_set)
        return KnownLabelSet(agent_of(label_set), codes) if codes in self._label_sets else None

    def uses(self, metric_name: str, label_set: KnownLabelSet) -> bool:
        """Whether some point of a metric had this agent and each of these labels."""
        used = self._uses.get((metric_name, label_set.agent))
        return used is not None and used.issuperset(label_set.codes)

    def is_known(self, label: Label) -> bool:
        """Whether a label was ever in use."""
        return label in self._codes

    def is_in_use(self, label: Label) -> bool:
        """Whether a label is in use."""
        code = self._codes.get(label)
        return code is not None and self._times_used[code] > 0

    def has_label_set(self, label_set: LabelSet) -> bool:
        """Whether a label set was ever recorded."""
        return self.find_label_set(label_set) is not None

    def label_sets_in_use(self) -> int:
        """Return how many label sets were recorded all of whose labels are in use."""
        if self._label_sets_in_use is None:
            self._label_sets_in_use = self.count_label_sets(frozenset())
        return self._label_sets_in_use

    def count_label_sets(self, more: Iterable[Label]) -> int:
        """Count the label sets that would be in use if more labels were."""
        used = list(map(bool, self._times_used))
        for label in more:
            if label in self._codes:
                used[self._codes[label]] = True
        return sum(all(used[code] for code in codes) for codes in self._label_sets)

    def label_sets_by_key(self) -> Counter[str]:
        """Count the label sets in use that have a label."""
        used = list(map(bool, self._times_used))
        return Counter(
            self._labels[code][0]
            for codes in self._label_sets
            if all(used[code] for code in codes)
            for code in codes
        )

    def labels_of_metrics(self) -> Counter[str]:
        """Count the labels in use of each metric."""
        codes: dict[str, set[int]] = {}
        for (name, _), used in self._uses.items():
            codes.setdefault(name, set()).update(used)
        return Counter({name: len(each) for name, each in codes.items()})

    def _code(self, label: Label) -> int:
        code = self._codes.get(label)
        if code is None:
            code = self._codes[label] = len(self._labels)
            self._labels.append(label)
            self._times_used.append(0)
        elif not self._times_used[code]:
            # Label sets that lacked nothing but this label are in use again.
            self._label_sets_in_use = None
        return code

    def _use(self, name: str, label_set: LabelSet) -> None:
        codes = tuple(self._code(label) for label in label_set)
        key = (name, agent_of(label_set))
        used = self._uses.get(key)
        if used is None:
            used = self._uses[key] = set()
            self._agents[name] += 1
        for code in codes:
            if code not in used:
                used.add(code)
                self._add_use(code)
        if codes not in self._label_sets:
            self._label_sets.add(codes)
            if self._label_sets_in_use is not None:
                self._label_sets_in_use += 1

    def _add_use(self, code: int) -> None:
        self._held += 1
        self._times_used[code] += 1
        key, value = self._labels[code]
        if self._times_used[code] == 1 and value != OTHER:
            self.values[key] += 1

    def _unuse(self, unused: Iterable[Use]) -> None:
        for name, agent, label in unused:
            used = self._uses.get((name, agent))
            if used is None:
                continue
            if label is None:
                for code in self._uses.pop((name, agent)):
                    self._remove_use(code)
                self._agents[name] -= 1
                if not self._agents[name]:
                    del self._agents[name]
            else:
                code = self._codes.get(label, -1)
                if code in used:
                    used.remove(code)
                    self._remove_use(code)

    def _remove_use(self, code: int) -> None:
        self._held -= 1
        self._times_used[code] -= 1
        if not self._times_used[code]:
            self._label_sets_in_use = None
            key, value = self._labels[code]
            if value != OTHER:
                self.values[key] -= 1

    def _forget_metric(self, name: str) -> None:
        self.metrics = {other: each for other, each in self.metrics.items() if other != name}
        for of, agent in [each for each in self._uses if each[0] == name]:
            self._unuse([(of, agent, None)])
