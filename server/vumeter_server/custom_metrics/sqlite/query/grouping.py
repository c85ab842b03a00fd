"""Numbers the groups of a query: by the label set of a point, and by its session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.columns import Array
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import NO_CODE
from vumeter_server.custom_metrics.sqlite.query.plan import SESSION
from vumeter_server.custom_metrics.sqlite.query.point_columns import PointColumns
from vumeter_server.sqlite import check_cancelled

NAMES_AT_ONCE = 10_000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Grouping:
    """The groups that some labels make of a snapshot's label sets.

    Attributes:
        members: for each group of label sets its interned labels; NO_CODE for none.
        of_label_set: int32[label sets], the group of each; None if there is just one group.
        by_session: whether sessions make further groups.
        session_position: where the session stands among the labels.
    """

    snapshot: Snapshot
    members: list[list[int]]
    of_label_set: npt.NDArray[np.int32] | None
    by_session: bool
    session_position: int

    @classmethod
    def of(cls, snapshot: Snapshot, group_by: Sequence[str]) -> Grouping:
        """Number the groups that `group_by` makes of the snapshot's label sets."""
        keys = [key for key in group_by if key != SESSION]
        by_session = len(keys) < len(group_by)
        members: list[list[int]] = [[]]
        of_label_set: npt.NDArray[np.int32] | None = None
        if keys:
            of_label_set, members = snapshot.labels.groups(tuple(keys))
        return cls(
            snapshot=snapshot,
            members=members,
            of_label_set=of_label_set,
            by_session=by_session,
            session_position=list(group_by).index(SESSION) if by_session else 0,
        )

    @property
    def groups(self) -> int:
        """How many groups there can be."""
        return max(len(self.members), 1) * self._sessions

    @property
    def _sessions(self) -> int:
        return self.snapshot.state.sessions + 1 if self.by_session else 1

    def group_of(self, points: PointColumns) -> Array | int:
        """Return the group of each point, or of all."""
        group: Array | int = 0
        if self.of_label_set is not None and points.label_sets is not None:
            group = self.of_label_set.take(points.label_sets)
        if self.by_session and points.sessions is not None:
            group = group * self._sessions + points.sessions + 1
        return group

    def group_of_label(self) -> npt.NDArray[np.int64]:
        """Return, for grouping by one label, the group of each interned label plus 1; else -1."""
        groups = np.full(len(self.snapshot.labels.texts) + 1, -1, np.int64)
        groups[[code + 1 for (code,) in self.members]] = np.arange(len(self.members))
        return groups

    def labels(self, groups: npt.NDArray[np.int64]) -> list[tuple[str, ...]]:
        """Return the label values of groups."""
        if self.of_label_set is None and not self.by_session:
            return [()] * len(groups)
        texts = self.snapshot.labels.texts
        values = {
            group: tuple("" if code == NO_CODE else texts[code] for code in self.members[group])
            for group in np.unique(groups // self._sessions).tolist()
        }
        if not self.by_session:
            return [values[group] for group in groups.tolist()]
        sessions = self._sessions
        names = _session_names(self.snapshot, np.unique(groups % sessions - 1).tolist())
        position = self.session_position
        labels = []
        for group in groups.tolist():
            of_label_set = values[group // sessions]
            name = names[group % sessions - 1]
            labels.append((*of_label_set[:position], name, *of_label_set[position:]))
        return labels


def _session_names(snapshot: Snapshot, codes: list[int]) -> dict[int, str]:
    names = {NO_CODE: ""}
    for start in range(0, len(codes), NAMES_AT_ONCE):
        check_cancelled()
        # The cross join keeps SQLite from going through all sessions in search of some.
        names |= snapshot.connection.execute(
            "SELECT session_code, name FROM json_each(?2)"
            " CROSS JOIN sessions ON organization_id = ?1 AND session_code = value",
            (snapshot.organization_id, str(codes[start : start + NAMES_AT_ONCE])),
        )
    return names
