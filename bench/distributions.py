"""Latencies as callers with histograms of their own send them: distributions, not single values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from bench.dataset import METRIC_NAMES, Dataset
from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb

# The buckets that OpenTelemetry's SDKs make by default.
BOUNDS = (0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000)
VALUES_A_POINT = 20
NAME = "response_latency_ms"


def latencies(points: int) -> npt.NDArray[np.float64]:
    """Return the values that each point sums up: float64[points, VALUES_A_POINT]."""
    random = np.random.default_rng(points)
    return np.round(random.lognormal(6.46, 0.5, size=(points, VALUES_A_POINT)))


def of_latencies(dataset: Dataset) -> tuple[Dataset, npt.NDArray[np.float64]]:
    """Return the data set with a distribution of latencies at each point: their sums, and them."""
    values = latencies(len(dataset))
    metrics = np.full(len(dataset), METRIC_NAMES.index(NAME), np.uint8)
    return replace(dataset, metrics=metrics, values=values.sum(axis=1)), values


def of_distributions(dataset: Dataset, values: npt.NDArray[np.float64], part: slice) -> bytes:
    """Return a StreamPointsRequest, as it goes over the wire."""
    request = pb.StreamPointsRequest()
    buckets = np.searchsorted(np.array(BOUNDS), values[part])
    for row, index in enumerate(range(*part.indices(len(dataset)))):
        labels = dataset.label_sets[dataset.label_set_indexes[index]]
        point = request.points.add(
            name=NAME,
            type=pb.METRIC_TYPE_HISTOGRAM,
            agent_id=labels.agent_id,
            environment_id=labels.environment_id,
            session_id=dataset.session_ids[dataset.sessions[index]],
            tags=labels.tags,
            distribution=pb.Distribution(
                count=VALUES_A_POINT,
                sum=dataset.values[index],
                min=values[index].min(),
                max=values[index].max(),
                bounds=BOUNDS,
                bucket_counts=np.bincount(buckets[row], minlength=len(BOUNDS) + 1).tolist(),
            ),
        )
        seconds, microseconds = divmod(int(dataset.times_us[index]), 1_000_000)
        point.occur_time.seconds, point.occur_time.nanos = seconds, microseconds * 1_000
    return request.SerializeToString()
