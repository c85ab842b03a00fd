"""Export from the oracle: a sorted list, cut into pieces."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import numpy as np
from tests.conformance.custom_metrics.memory_data import Organization, Point

from vumeter_server.custom_metrics.distributions import joined
from vumeter_server.custom_metrics.model import Batch
from vumeter_server.custom_metrics.questions import ExportedPoints
from vumeter_server.custom_metrics.validation import MAX_POINTS


async def export(
    organization: Organization, points: Sequence[Point], skip: int
) -> AsyncGenerator[ExportedPoints, None]:
    """Yield points, which are in the order of recording."""
    ordered = sorted(points, key=lambda point: (point.time_us, point.name))[skip:]
    types = dict(organization.types)
    for start in range(0, len(ordered), MAX_POINTS):
        chosen = ordered[start : start + MAX_POINTS]
        yield ExportedPoints(
            batch=_batch(chosen, [types[point.name] for point in chosen]),
            progress=(start + len(chosen)) / len(ordered),
        )


def _batch(points: Sequence[Point], types: Sequence[int]) -> Batch:
    count = len(points)
    sessions = [point.label("session_id") for point in points]
    with_session = [each for each in sessions if each]
    places = iter(range(len(with_session)))
    return Batch(
        names=[point.name for point in points],
        name_indexes=np.arange(count, dtype=np.int32),
        types=np.array(types, np.uint8),
        values=np.array([float(point.value) for point in points]),
        times_us=np.array([point.time_us for point in points], np.int64),
        label_sets=[
            tuple(sorted(each for each in point.labels.items() if each[0] != "session_id"))
            for point in points
        ],
        label_set_indexes=np.arange(count, dtype=np.int32),
        sessions=with_session,
        session_indexes=np.array([next(places) if each else -1 for each in sessions], np.int32),
        distributions=joined([(point.distribution, 1) for point in points]),
    )
