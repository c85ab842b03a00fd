"""What becomes of points beyond the limits of their organization."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from vumeter_server.custom_metrics.labels import SYSTEM_LABELS
from vumeter_server.custom_metrics.model import Batch, LabelSet
from vumeter_server.errors import LimitExceeded, Violation

OTHER: Final = "__other__"
"""The value of a label that stands for all values beyond the limit."""
OTHER_LABEL_SETS: Final = 1_000
"""So many label sets go beyond the limit whose tags are all OTHER, and as many of nothing else."""
RETRY_AFTER_SECONDS: Final = 60
"""A limit on what is stored is not over soon."""


def check_metrics(
    batch: Batch, is_counted: Callable[[str], bool], *, metrics: int, limit: int
) -> None:
    """Raise LimitExceeded, naming the first metric that is too many.

    Args:
        batch: what is to be recorded.
        is_counted: whether a metric counts already.
        metrics: how many do.
        limit: how many may.
    """
    indexes, first_points = np.unique(batch.name_indexes, return_index=True)
    room = max(0, limit - metrics)
    new: set[str] = set()
    for place in np.argsort(first_points).tolist():
        name = batch.names[indexes[place]]
        if is_counted(name):
            continue
        new.add(name)
        if len(new) > room:
            raise LimitExceeded(
                violations=[
                    Violation(
                        field=f"points[{first_points[place]}].name",
                        problem=f"must not add to the limit of {limit:,} metrics: {name}",
                    )
                ],
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )


def forms_of(label_set: LabelSet) -> Sequence[tuple[LabelSet, int]]:
    """Return as what a label set may be recorded, the best first.

    With each comes by how many label sets it may go beyond the limit.
    """
    of_tags = tuple((key, value if key in SYSTEM_LABELS else OTHER) for key, value in label_set)
    of_all = tuple((key, OTHER) for key, _ in label_set)
    return (label_set, 0), (of_tags, OTHER_LABEL_SETS), (of_all, 2 * OTHER_LABEL_SETS)


def too_many_label_sets(limit: int) -> LimitExceeded:
    """Return the error for a label set that cannot be recorded in any form."""
    return LimitExceeded(
        f"An organization has at most {limit:,} label sets",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )
