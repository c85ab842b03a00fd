"""What there is of an organization: metrics, labels, label sets, and what is deleted.

It is what the entries of the organization's log add up to, in their order. A server keeps it in
memory and reads on where it stopped. Nothing here knows the database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
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
MAX_FOUND: Final = 1_000_000
"""So many uses that were found are remembered at most."""


def agent_of(label_set: LabelSet) -> str:
    """Return the agent of a label set, "" for none."""
    for key, value in label_set:
        if key == AGENT:
            return value
    return ""


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
        # Every label that was ever in use: one object that all label sets share.
        self._labels: dict[Label, Label] = {}
        self._times_used: Counter[Label] = Counter()
        self._uses: dict[tuple[str, str], set[Label]] = {}
        self._agents: Counter[str] = Counter()
        self._held = 0
        self._label_sets: dict[LabelSet, int] = {}
        self._label_sets_in_use: int | None = 0
        self._forget_found()

    def _forget_found(self) -> None:
        """Forget what `uses` found, which holds for as long as nothing is deleted."""
        self._found: dict[str, set[int]] = {}
        self._found_uses = 0

    @property
    def entries(self) -> int:
        """About how many entries are held, of about 200 bytes each."""
        held = (self._held + self._found_uses) // 4
        return len(self._labels) + len(self._label_sets) + held + len(self.metrics)

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
            return list(self._times_used)
        labels: set[Label] = set()
        for (name, agent), used in self._uses.items():
            if metric_name in (None, name) and agent_id in (None, agent):
                labels |= used
        return list(labels)

    def numbers_of(self, label_sets: Iterable[LabelSet]) -> list[int | None]:
        """Return the numbers of label sets, None for those that were never recorded."""
        return list(map(self._label_sets.get, label_sets))

    def uses(self, metric_name: str, label_set: LabelSet, number: int) -> bool:
        """Whether some point of a metric had the agent and each of the labels of a label set."""
        found = self._found.get(metric_name)
        if found is not None and number in found:
            return True
        used = self._uses.get((metric_name, agent_of(label_set)))
        if used is None or not used.issuperset(label_set):
            return False
        if self._found_uses >= MAX_FOUND:
            self._forget_found()
        self._found.setdefault(metric_name, set()).add(number)
        self._found_uses += 1
        return True

    @property
    def has_labels_out_of_use(self) -> bool:
        """Whether there is a label that was in use and is no more."""
        return len(self._times_used) < len(self._labels)

    def is_known(self, label: Label) -> bool:
        """Whether a label was ever in use."""
        return label in self._labels

    def is_in_use(self, label: Label) -> bool:
        """Whether a label is in use."""
        return label in self._times_used

    def has_label_set(self, label_set: LabelSet) -> bool:
        """Whether a label set was ever recorded."""
        return label_set in self._label_sets

    def label_sets_in_use(self) -> int:
        """Return how many label sets were recorded all of whose labels are in use."""
        if self._label_sets_in_use is None:
            self._label_sets_in_use = self.count_label_sets(frozenset())
        return self._label_sets_in_use

    def count_label_sets(self, more: Iterable[Label]) -> int:
        """Count the label sets that would be in use if more labels were."""
        used = {*self._times_used, *more}
        return sum(map(used.issuperset, self._label_sets))

    def label_sets_by_key(self) -> Counter[str]:
        """Count the label sets in use that have a label."""
        used = set(self._times_used)
        in_use = filter(used.issuperset, self._label_sets)
        return Counter(key for label_set in in_use for key, _ in label_set)

    def labels_of_metrics(self) -> Counter[str]:
        """Count the labels in use of each metric."""
        labels: dict[str, set[Label]] = {}
        for (name, _), used in self._uses.items():
            labels.setdefault(name, set()).update(used)
        return Counter({name: len(each) for name, each in labels.items()})

    def _use(self, name: str, label_set: LabelSet) -> None:
        key = (name, agent_of(label_set))
        used = self._uses.get(key)
        if used is None:
            used = self._uses[key] = set()
            self._agents[name] += 1
        is_new = label_set not in self._label_sets
        if not is_new and used.issuperset(label_set):
            return
        label_set = tuple(map(self._shared, label_set))
        for label in label_set:
            if label not in used:
                used.add(label)
                self._add_use(label)
        if is_new:
            self._label_sets[label_set] = len(self._label_sets)
            if self._label_sets_in_use is not None:
                self._label_sets_in_use += 1

    def _shared(self, label: Label) -> Label:
        known = self._labels.get(label)
        if known is None:
            self._labels[label] = label
            return label
        if label not in self._times_used:
            # Label sets that lacked nothing but this label are in use again.
            self._label_sets_in_use = None
        return known

    def _add_use(self, label: Label) -> None:
        self._held += 1
        self._times_used[label] += 1
        if self._times_used[label] == 1:
            key, value = label
            self.values[key] += value != OTHER

    def _unuse(self, unused: Sequence[Use]) -> None:
        if unused:
            self._forget_found()
        for name, agent, label in unused:
            used = self._uses.get((name, agent))
            if used is None:
                continue
            if label is None:
                for each in self._uses.pop((name, agent)):
                    self._remove_use(each)
                self._agents[name] -= 1
                if not self._agents[name]:
                    del self._agents[name]
            elif label in used:
                used.remove(label)
                self._remove_use(label)

    def _remove_use(self, label: Label) -> None:
        self._held -= 1
        self._times_used[label] -= 1
        if not self._times_used[label]:
            del self._times_used[label]
            self._label_sets_in_use = None
            key, value = label
            self.values[key] -= value != OTHER

    def _forget_metric(self, name: str) -> None:
        self.metrics = {other: each for other, each in self.metrics.items() if other != name}
        self._unuse([(of, agent, None) for of, agent in self._uses if of == name])
