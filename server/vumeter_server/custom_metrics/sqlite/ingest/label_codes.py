"""Interned ids of labels and of label sets, held to the limits of their organization."""

from __future__ import annotations

from array import array
from collections import Counter

from vumeter_server.custom_metrics.limits import OTHER, forms_of, too_many_label_sets
from vumeter_server.custom_metrics.model import LabelSet
from vumeter_server.custom_metrics.sqlite.ingest.unused import Unused
from vumeter_server.errors import LimitExceeded
from vumeter_server.runtime.limits import DEFAULT_LIMITS, Limits

# What an organization can have: the label index numbers a label of a metric within 64 bits.
MAX_LABELS = 16_000_000
# So many labels of recently recorded label sets are cached.
MAX_LABELS_CACHED = 1_000_000


class NewRows:
    """Labels, as code, key and value, and label sets, as code and codes of labels, to be stored."""

    def __init__(self) -> None:
        self.labels: list[tuple[int, str, str]] = []
        self.series: list[tuple[int, bytes]] = []


class LabelCodes:
    """The codes that the writer has given out to labels and label sets of one organization.

    A code is never taken back: the next one is as many as there are. A label or label set that is
    beyond the limits is replaced by OTHER before it gets a code; see `limits.forms_of`.
    """

    def __init__(self, *, labels: dict[tuple[str, str], int], series: dict[bytes, int]) -> None:
        """Take the codes of labels, and of label sets by the codes of their labels in order."""
        self.labels = labels
        self.series = series
        self._limits = DEFAULT_LIMITS
        self._unused = Unused()
        self._values: Counter[str] = Counter()
        self._most_values = 0
        # Recently recorded label sets; those that come again are mostly the same objects.
        self._label_sets: list[LabelSet] = []
        self._by_identity: dict[int, int] = {}
        self._labels_cached = 0
        self.count_without(self._unused)

    @property
    def entries(self) -> int:
        """How many entries are held."""
        return len(self.labels) + 2 * len(self.series) + self._labels_cached // 4

    def hold_to(self, limits: Limits) -> None:
        """Hold what is given from now on to `limits`."""
        if limits != self._limits:
            self._limits = limits
            self._forget_label_sets()

    def count_without(self, unused: Unused) -> None:
        """Count labels and label sets without those that are unused; `unused` is kept up to date.

        Before that is known an empty one counts all, and so too many: see `may_exceed`.
        """
        self._unused = unused
        self._values = Counter(
            key
            for (key, value), code in self.labels.items()
            if value != OTHER and code not in unused.labels
        )
        self._most_values = max(self._values.values(), default=0)
        self._forget_label_sets()

    def may_exceed(self, label_sets: int) -> bool:
        """Whether so many more label sets and values may be too many, as far as is counted."""
        return (
            self._series_in_use() + label_sets > self._limits.label_sets
            or self._most_values + label_sets > self._limits.label_values
        )

    def of(self, label_sets: list[LabelSet]) -> list[int] | None:
        """Return the codes of label sets that were all recorded recently, else None."""
        if self._labels_cached > MAX_LABELS_CACHED:
            self._forget_label_sets()
        codes = list(map(self._by_identity.get, map(id, label_sets)))
        return None if None in codes else codes  # type: ignore[return-value]

    def give(self, label_sets: list[LabelSet]) -> tuple[list[int], NewRows]:
        """Return the codes of label sets, and what is new. Raises LimitExceeded."""
        by_identity, new, codes = self._by_identity, NewRows(), []
        for label_set in label_sets:
            code = by_identity.get(id(label_set))
            if code is None:
                code = by_identity[id(label_set)] = self._code(label_set, new)
                # As long as it is kept, its identity is nobody else's.
                self._label_sets.append(label_set)
                self._labels_cached += len(label_set) + 1
            codes.append(code)
        return codes, new

    def _code(self, label_set: LabelSet, new: NewRows) -> int:
        limit = self._limits.label_values
        if self._most_values >= limit:
            label_set = tuple(
                (key, OTHER)
                if self._values[key] >= limit and self._is_unused((key, value))
                else (key, value)
                for key, value in label_set
            )
        if self._series_in_use() >= self._limits.label_sets:
            label_set = self._within_limit(label_set)
        key = array("i", sorted([self._label_code(label, new) for label in label_set])).tobytes()
        code = self.series.get(key)
        if code is None:
            code = self.series[key] = len(self.series)
            new.series.append((code, key))
        return code

    def _within_limit(self, label_set: LabelSet) -> LabelSet:
        for form, beyond in forms_of(label_set):
            if self._series_in_use() < self._limits.label_sets + beyond or self._is_in_use(form):
                return form
        raise too_many_label_sets(self._limits.label_sets)

    def _series_in_use(self) -> int:
        return len(self.series) - len(self._unused.lacking)

    def _is_in_use(self, label_set: LabelSet) -> bool:
        if any(map(self._is_unused, label_set)):
            return False
        key = array("i", sorted(map(self.labels.__getitem__, label_set))).tobytes()
        return key in self.series

    def _is_unused(self, label: tuple[str, str]) -> bool:
        code = self.labels.get(label)
        return code is None or code in self._unused.labels

    def _label_code(self, label: tuple[str, str], new: NewRows) -> int:
        code = self.labels.get(label)
        if code is None:
            if len(self.labels) >= MAX_LABELS:
                raise LimitExceeded(f"An organization has at most {MAX_LABELS:,} tag values")
            code = self.labels[label] = len(self.labels)
            new.labels.append((code, *label))
        elif code in self._unused.labels:
            self._unused.use_label(code)
        else:
            return code
        if label[1] != OTHER:
            self._values[label[0]] += 1
            self._most_values = max(self._most_values, self._values[label[0]])
        return code

    def _forget_label_sets(self) -> None:
        self._label_sets.clear()
        self._by_identity.clear()
        self._labels_cached = 0
