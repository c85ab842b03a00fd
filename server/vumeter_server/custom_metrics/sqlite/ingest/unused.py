"""Which interned ids no point has any more, because points were deleted: they do not count.

That is found when an organization comes near a limit, and not before. Once it is known it is kept
up to date, until the next deletion.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.sqlite.formats.batches import POINT, content_of_batch
from vumeter_server.sqlite.library import sqlite3

_Pairs = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


@dataclass(slots=True)
class Unused:
    """Interned ids that are out of use.

    Attributes:
        metrics: of metrics that have a name and no point.
        labels: of labels.
        lacking: of label sets, with how many of their labels are out of use.
        label_sets: those of `lacking` by label.
    """

    metrics: set[int] = field(default_factory=set)
    labels: set[int] = field(default_factory=set)
    lacking: dict[int, int] = field(default_factory=dict)
    label_sets: dict[int, list[int]] = field(default_factory=dict)

    def use_label(self, code: int) -> None:
        """Take a label back into use."""
        self.labels.discard(code)
        for series in self.label_sets.pop(code, ()):
            self.lacking[series] -= 1
            if not self.lacking[series]:
                del self.lacking[series]

    @classmethod
    def read(
        cls,
        connection: sqlite3.Connection,
        organization_id: int,
        deleted_through: int,
        metrics: Collection[int],
        series: Mapping[bytes, int],
    ) -> Unused:
        """Find out what is not used.

        Args:
            connection: of the writer.
            organization_id: whose.
            deleted_through: that of the organization's state.
            metrics: the ids of metrics that have a name.
            series: the id of each label set, by the ids of its labels: of all labels.
        """
        members = np.frombuffer(b"".join(series), np.int32)
        owners = np.repeat(
            np.fromiter(series.values(), np.int64, len(series)),
            np.fromiter(map(len, series), np.int64, len(series)) // members.itemsize,
        )
        named = np.array(list(metrics), np.int64)
        flushed, labels = _flushed(connection, organization_id, deleted_through)
        is_named = np.isin(flushed, named)
        in_head, label_sets = _of_head(connection, organization_id)
        of_named = np.isin(in_head, named)
        is_used = np.zeros(int(members.max(initial=-1)) + 1, np.bool_)
        is_used[labels[is_named & (labels >= 0)]] = True
        is_used[members[np.isin(owners, label_sets[of_named])]] = True
        used_metrics = {*flushed[is_named].tolist(), *in_head[of_named].tolist()}
        unused = cls(
            metrics=set(metrics) - used_metrics, labels=set(np.flatnonzero(~is_used).tolist())
        )
        lost = ~is_used[members]
        for label, owner in zip(members[lost].tolist(), owners[lost].tolist(), strict=True):
            unused.lacking[owner] = unused.lacking.get(owner, 0) + 1
            unused.label_sets.setdefault(label, []).append(owner)
        return unused


def _flushed(connection: sqlite3.Connection, organization_id: int, deleted_through: int) -> _Pairs:
    """Return the metrics and labels of the uses of flushed points."""
    rows = connection.execute(
        "SELECT DISTINCT metric_code, label_code FROM metric_uses"
        " WHERE organization_id = ? AND ifnull(deleted_by > ?, 1)",
        (organization_id, deleted_through),
    ).fetchall()
    metrics, labels = np.array(rows, np.int64).reshape(-1, 2).T
    return metrics, labels


def _of_head(connection: sqlite3.Connection, organization_id: int) -> _Pairs:
    """Return the metrics and label sets of points that are not flushed."""
    found = [np.empty(0, np.int64)]
    for (blob,) in connection.execute(
        "SELECT columns FROM metric_batches WHERE organization_id = ?", (organization_id,)
    ):
        points = np.frombuffer(content_of_batch(blob), POINT)
        found.append(np.unique(points["metric"].astype(np.int64) << 32 | points["series"]))
    numbers = np.unique(np.concatenate(found))
    return numbers >> 32, numbers & 0xFFFFFFFF
