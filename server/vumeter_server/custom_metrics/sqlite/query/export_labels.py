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
    """Names interned label sets; used by one thread at a time."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._pairs: dict[int, tuple[str, str]] = {}
        self._label_sets: dict[int, LabelSet] = {}

    def named(self, codes: npt.NDArray[np.integer]) -> list[LabelSet]:
        """Return the label sets of these interned ids, which are distinct."""
        known = self._label_sets
        missing = [code for code in codes.tolist() if code not in known]
        if missing:
            if len(known) + len(missing) > MAX_KEPT:
                known.clear()
                self._pairs.clear()
                missing = codes.tolist()
            members = self._labels.members_of(np.array(missing, np.int64))
            for code, labels in zip(missing, members, strict=True):
                known[code] = tuple(sorted(map(self._pair, labels)))
        return [known[code] for code in codes.tolist()]

    def _pair(self, label: int) -> tuple[str, str]:
        pair = self._pairs.get(label)
        if pair is None:
            pair = self._pairs[label] = self._labels.name(label)
        return pair
