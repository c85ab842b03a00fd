"""An organization with points of every scene, in every state that a store keeps them in."""

from __future__ import annotations

from tests.custom_metrics.in_process import NOW_US, InProcess
from tests.custom_metrics.oracle import Oracle
from tests.custom_metrics.strategies import SCENES, many_points

SEEDS = 5


def record_busy_week(server: InProcess, points_of_a_seed: int) -> tuple[int, Oracle]:
    """Record points of every scene anew: some flushed, some merged, some in the log.

    Returns the organization's id and an oracle of the same points.
    """
    server.new_organization()
    oracle = Oracle()
    for seed in range(SEEDS):
        for scene in SCENES:
            recorded = many_points(scene, points_of_a_seed, seed)
            server.record(recorded)
            oracle.record(recorded, NOW_US)
        if seed in (1, 3):
            server.flush()
    return server.organization_id, oracle
