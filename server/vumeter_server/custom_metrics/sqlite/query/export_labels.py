"""The label sets of an export by name: most of a piece's are those of the pieces before."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.model import LabelSet
from vumeter_server.custom_metrics.sqlite.cache.label_tables import Labels

# Some 150 bytes each.
MAX_KEPT: Final = 100_000


class LabelSetsOfExport:
    """Names interned label sets; used by one thread at a time.

    A label set is one object for as long as it is kept.
    """

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._pairs = _Pairs(labels)
        self._label_sets = np.empty(labels.series, np.object_)
        self._is_known = np.zeros(labels.series, np.bool_)
        self._kept = 0

    def named(self, codes: npt.NDArray[np.integer]) -> list[LabelSet]:
        """Return the label sets of these interned ids, which are distinct."""
        missing = codes[~self._is_known[codes]]
        if len(missing):
            if self._kept + len(missing) > MAX_KEPT:
                self._pairs.clear()
                self._label_sets[:] = None
                self._is_known[:] = False
                self._kept, missing = 0, codes
            members = self._labels.members_of(missing.astype(np.int64))
            for code, labels in zip(missing.tolist(), members, strict=True):
                self._label_sets[code] = tuple(sorted(map(self._pairs.__getitem__, labels)))
            self._is_known[missing] = True
            self._kept += len(missing)
        found: list[LabelSet] = self._label_sets[codes].tolist()
        return found


class _Pairs(dict[int, tuple[str, str]]):
    """Keys and values of labels by their codes, each looked up once."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels

    def __missing__(self, label: int) -> tuple[str, str]:
        pair = self[label] = self._labels.name(label)
        return pair
