"""The data set as callers send it: messages of the streams, and bodies of the REST path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import orjson

from bench.dataset import METRIC_NAMES, METRICS, Dataset
from bench.engines.rows import TYPE_NAMES
from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb

BATCH = 1_000


def parts(dataset: Dataset, batches: int) -> Iterator[slice]:
    """Return the slices of the first so many batches of 1,000 points."""
    end = min(batches * BATCH, len(dataset))
    return (slice(start, min(start + BATCH, end)) for start in range(0, end, BATCH))


def first_points(dataset: Dataset, batches: int) -> Dataset:
    """Return the data set of the first so many batches."""
    part = slice(0, batches * BATCH)
    return replace(
        dataset,
        times_us=dataset.times_us[part],
        metrics=dataset.metrics[part],
        label_set_indexes=dataset.label_set_indexes[part],
        sessions=dataset.sessions[part],
        values=dataset.values[part],
    )


def as_of_now(dataset: Dataset, now_us: int) -> Dataset:
    """Return the same points as if all were of the minute before `now_us`."""
    times_us = np.linspace(now_us - 60_000_000, now_us, len(dataset)).astype(np.int64)
    return replace(dataset, times_us=times_us)


def of_points(dataset: Dataset, part: slice) -> bytes:
    """Return a StreamPointsRequest, as it goes over the wire."""
    request = pb.StreamPointsRequest()
    for metric, label_set, session, time_us, value in _rows(dataset, part):
        labels = dataset.label_sets[label_set]
        point = request.points.add(
            name=METRIC_NAMES[metric],
            type=pb.MetricType.Name(int(METRICS[metric].type)),
            value=value,
            agent_id=labels.agent_id,
            environment_id=labels.environment_id,
            session_id=dataset.session_ids[session],
            tags=labels.tags,
        )
        point.occur_time.seconds, microseconds = divmod(time_us, 1_000_000)
        point.occur_time.nanos = microseconds * 1_000
    return request.SerializeToString()


def of_columns(dataset: Dataset, part: slice) -> bytes:
    """Return a StreamColumnsRequest, as it goes over the wire."""
    names, name_indexes = np.unique(dataset.metrics[part], return_inverse=True)
    used, label_set_indexes = np.unique(dataset.label_set_indexes[part], return_inverse=True)
    sessions, session_indexes = np.unique(dataset.sessions[part], return_inverse=True)
    columns = pb.PointColumns(
        names=[METRIC_NAMES[code] for code in names.tolist()],
        types=[pb.MetricType.Name(int(METRICS[code].type)) for code in names.tolist()],
        name_indexes=name_indexes.tolist(),
        values=dataset.values[part].tolist(),
        times_us=dataset.times_us[part].tolist(),
        label_sets=[
            pb.LabelSet(
                agent_id=dataset.label_sets[index].agent_id,
                environment_id=dataset.label_sets[index].environment_id,
                tags=dataset.label_sets[index].tags,
            )
            for index in used.tolist()
        ],
        label_set_indexes=label_set_indexes.tolist(),
        sessions=[dataset.session_ids[number] for number in sessions.tolist()],
        # 0 is no session.
        session_indexes=(session_indexes + 1).tolist(),
    )
    return pb.StreamColumnsRequest(columns=columns).SerializeToString()


def of_body(dataset: Dataset, part: slice) -> bytes:
    """Return the body of a recording over REST."""
    texts = np.datetime_as_string(dataset.times_us[part].astype("datetime64[us]"), timezone="UTC")
    points = []
    for (metric, label_set, session, _, value), text in zip(
        _rows(dataset, part), texts.tolist(), strict=True
    ):
        labels = dataset.label_sets[label_set]
        points.append(
            {
                "name": METRIC_NAMES[metric],
                "type": TYPE_NAMES[METRICS[metric].type],
                "value": value,
                "timestamp": text,
                "agentId": labels.agent_id,
                "environmentId": labels.environment_id,
                "sessionId": dataset.session_ids[session],
                "tags": labels.tags,
            }
        )
    return orjson.dumps({"points": points})


def _rows(dataset: Dataset, part: slice) -> Iterator[tuple[int, int, int, int, float]]:
    return zip(
        dataset.metrics[part].tolist(),
        dataset.label_set_indexes[part].tolist(),
        dataset.sessions[part].tolist(),
        dataset.times_us[part].tolist(),
        dataset.values[part].tolist(),
        strict=True,
    )
