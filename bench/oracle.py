"""Right answers, straight from the generated arrays."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bench.answers import MAX_TAG_VALUES, Answer
from bench.asks import Ask, Kind
from bench.dataset import DAY_US, METRIC_NAMES, METRICS, Dataset, LabelSet, Type, session_id
from bench.functions import right_answer

Codes = npt.NDArray[np.int64]
SYSTEM_LABELS = ("agent_id", "environment_id")


def labels_of(label_set: LabelSet) -> dict[str, str]:
    """Return all labels, the system's among them."""
    ids = {"agent_id": label_set.agent_id, "environment_id": label_set.environment_id}
    return ids | dict(label_set.tags)


def nearest_rank(values: npt.NDArray[np.float64]) -> float:
    """Return the 95th percentile: the value of rank ceil(0.95 n)."""
    rank = -(-95 * len(values) // 100)
    return float(np.sort(values)[rank - 1])


class Oracle:
    """Answers asks by going through all points."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._columns: dict[str, tuple[list[str], Codes]] = {}

    def answer(self, ask: Ask) -> Answer:
        """Return the right answer."""
        match ask.kind:
            case Kind.NAMES:
                return sorted(METRIC_NAMES[code] for code in np.unique(self._of_agent(ask)[0]))
            case Kind.TAGS:
                return self._tags(ask)
            case Kind.AGGREGATE | Kind.DAILY:
                return self._sums(ask)
            case Kind.TIMESERIES:
                return self._timeseries(ask)
            case Kind.SESSION:
                return self._session(ask)
            case _:
                return right_answer(self._dataset, ask, self._selected(ask), self._column)

    def _column(self, key: str) -> tuple[list[str], Codes]:
        """Return a label's values, "" first, and the value's index for each label set."""
        if key not in self._columns:
            texts = {"": 0}
            codes = [
                texts.setdefault(labels_of(each).get(key, ""), len(texts))
                for each in self._dataset.label_sets
            ]
            self._columns[key] = list(texts), np.array(codes)
        return self._columns[key]

    @cached_property
    def _used(self) -> tuple[Codes, Codes]:
        """The distinct pairs of metric and label set."""
        dataset = self._dataset
        pairs = np.unique(dataset.label_set_indexes.astype(np.int64) * 256 + dataset.metrics)
        return pairs % 256, pairs // 256

    def _of_agent(self, ask: Ask) -> tuple[Codes, Codes]:
        metrics, label_sets = self._used
        if not ask.agent_id:
            return metrics, label_sets
        texts, codes = self._column("agent_id")
        chosen = codes[label_sets] == texts.index(ask.agent_id)
        return metrics[chosen], label_sets[chosen]

    def _tags(self, ask: Ask) -> Answer:
        metrics, label_sets = self._of_agent(ask)
        if ask.metric_name:
            label_sets = label_sets[metrics == METRIC_NAMES.index(ask.metric_name)]
        found: dict[str, set[str]] = {}
        for index in np.unique(label_sets).tolist():
            for key, value in self._dataset.label_sets[index].tags.items():
                found.setdefault(key, set()).add(value)
        return {key: sorted(values)[:MAX_TAG_VALUES] for key, values in sorted(found.items())}

    def _selected(self, ask: Ask) -> npt.NDArray[np.int64]:
        """Return the indexes of the points in the range and under the filters."""
        dataset = self._dataset
        start, end = np.searchsorted(dataset.times_us, (ask.start_us, ask.end_us))
        keep = np.ones(len(dataset.label_sets), np.bool_)
        for key, value in (*ask.filters, *([("agent_id", ask.agent_id)] if ask.agent_id else [])):
            texts, codes = self._column(key)
            keep &= codes == texts.index(value)
        points: Codes = np.flatnonzero(keep[dataset.label_set_indexes[start:end]]) + start
        return points

    def _sums(self, ask: Ask) -> Answer:
        dataset = self._dataset
        points = self._selected(ask)
        columns: list[tuple[list[str], Codes]] = [
            (texts, codes[dataset.label_set_indexes[points]])
            for texts, codes in map(self._column, ask.group_by)
        ]
        if ask.kind is Kind.DAILY:
            days = (dataset.times_us[points] + ask.offset_us) // DAY_US
            first = int(days.min()) if len(days) else 0
            last = int(days.max()) if len(days) else 0
            columns.insert(0, ([_date(day) for day in range(first, last + 1)], days - first))
        columns.append((list(METRIC_NAMES), dataset.metrics[points].astype(np.int64)))
        keys = np.zeros(len(points), np.int64)
        for texts, codes in columns:
            keys = keys * len(texts) + codes
        totals = np.bincount(keys, weights=dataset.values[points])
        answer = {}
        for key in np.flatnonzero(totals).tolist():
            names, rest = [], key
            for texts, _ in reversed(columns):
                rest, code = divmod(rest, len(texts))
                names.append(texts[code])
            if not ask.metric_names or names[0] in ask.metric_names:
                answer[tuple(reversed(names))] = float(totals[key])
        return answer

    def _timeseries(self, ask: Ask) -> Answer:
        dataset = self._dataset
        points = self._selected(ask)
        code = METRIC_NAMES.index(ask.metric_name)
        points = points[dataset.metrics[points] == code]
        buckets = (dataset.times_us[points] - ask.start_us) // ask.step_us
        found, starts = np.unique(buckets, return_index=True)
        reduce = _REDUCE[METRICS[code].type]
        return {
            ask.start_us + bucket * ask.step_us: reduce(values)
            for bucket, values in zip(
                found.tolist(), np.split(dataset.values[points], starts[1:]), strict=True
            )
        }

    def _session(self, ask: Ask) -> Answer:
        dataset = self._dataset
        points = self._by_session.get(ask.session_id, np.empty(0, np.int64))
        entries: dict[tuple[int, int], list[int]] = {}
        for point in points.tolist():
            key = (int(dataset.metrics[point]), int(dataset.label_set_indexes[point]))
            entries.setdefault(key, []).append(point)
        return {
            (
                METRIC_NAMES[metric],
                tuple(sorted(labels_of(dataset.label_sets[label_set]).items())),
            ): (
                int(dataset.times_us[entry[-1]]),
                _SESSION_REDUCE[METRICS[metric].type](dataset.values[entry]),
            )
            for (metric, label_set), entry in entries.items()
        }

    @cached_property
    def _by_session(self) -> dict[str, npt.NDArray[np.int64]]:
        order = np.argsort(self._dataset.sessions, kind="stable")
        numbers, starts = np.unique(self._dataset.sessions[order], return_index=True)
        return dict(
            zip(map(session_id, numbers.tolist()), np.split(order, starts[1:]), strict=True)
        )


_REDUCE = {
    Type.COUNTER: lambda values: float(values.sum()),
    Type.GAUGE: lambda values: float(values.mean()),
    Type.HISTOGRAM: nearest_rank,
}
_SESSION_REDUCE = _REDUCE | {Type.GAUGE: lambda values: float(values[-1])}


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_US // 1_000_000, UTC).date().isoformat()
