"""The metrics of one session, from its flushed points and the head."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.aggregation import OF_SESSIONS, compute
from vumeter_server.custom_metrics.distribution_percentiles import percentile
from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.distributions import joined as join_distributions
from vumeter_server.custom_metrics.questions import SessionMetric
from vumeter_server.custom_metrics.sqlite.cache.organization import OrganizationCache
from vumeter_server.custom_metrics.sqlite.cache.view import View, with_transaction
from vumeter_server.custom_metrics.sqlite.formats.session_rows import read_session_rows
from vumeter_server.custom_metrics.sqlite.formats.sessions import (
    distributions_of_session,
    read_session,
)
from vumeter_server.custom_metrics.sqlite.ingest.session_codes import find_session
from vumeter_server.custom_metrics.sqlite.query.plan import Plan, SessionQuery
from vumeter_server.sqlite import check_cancelled
from vumeter_server.sqlite.library import sqlite3


@dataclass(slots=True, eq=False)
class StoredSession:
    """The flushed points of a session, in the order of recording.

    `code` is the session's interned id; None if there is no such session.
    """

    code: int | None
    columns: list[bytes]


def read_stored(
    connection: sqlite3.Connection, organization_id: int, session_id: str, most_bytes: int
) -> StoredSession | None:
    """Read the flushed points of a session; None if they take more than `most_bytes`."""
    code = find_session(connection, organization_id, session_id)
    if code is None:
        return StoredSession(None, [])
    columns = read_session_rows(connection, organization_id, code, most_bytes)
    return None if columns is None else StoredSession(code, columns)


def answer_session(
    query: SessionQuery, _: Plan, view: View, __: OrganizationCache
) -> list[SessionMetric]:
    """Return an entry for each metric and label set, sorted by metric name, then labels."""
    snapshot = with_transaction(view)
    stored = read_stored(
        snapshot.connection, snapshot.organization_id, query.session_id, sys.maxsize
    )
    return [] if stored is None else metrics_of(stored, snapshot)


def metrics_of(stored: StoredSession, view: View) -> list[SessionMetric]:
    """Do as `answer_session`; what is stored is of the view's version."""
    if stored.code is None:
        return []
    points = [point for columns in stored.columns for point in read_session(columns)]
    head, of_head = view.head, np.empty(0, np.int64)
    if len(head):
        of_head = np.flatnonzero(head["session"] == stored.code)
        of_session = head[of_head]
        columns = (of_session[name].tolist() for name in ("metric", "series", "time_us", "value"))
        points += zip(*columns, strict=True)
    distributions = _distributions_of(stored, view, of_head, len(points))
    # The sort is stable: it keeps the order of recording among equal times.
    if distributions is None:
        points.sort(key=itemgetter(0, 1, 2))
    else:
        order = sorted(range(len(points)), key=lambda index: points[index][:3])
        points = [points[index] for index in order]
        distributions = distributions.taken(np.array(order, np.int64), len(order))
    names, types, labels = view.metrics.names, view.metrics.types, view.labels
    # Most sessions have few label sets, each for many metrics.
    label_sets = {code: labels.of_series(code) for code in {point[1] for point in points}}
    in_order = {code: sorted(each.items()) for code, each in label_sets.items()}
    metrics = []
    end = 0
    for (metric_code, series_code), entry in itertools.groupby(points, key=itemgetter(0, 1)):
        check_cancelled()
        name = names.get(metric_code)
        _, _, times_us, values = zip(*entry, strict=True)
        end += len(values)
        if name is not None:
            metric_type = types[metric_code]
            metric = SessionMetric(
                metric_name=name,
                type=metric_type,
                labels=label_sets[series_code],
                last_time_us=times_us[-1],
                value=compute(OF_SESSIONS.of(metric_type), values),
                count=len(values),
            )
            if distributions is not None:
                of_metric = distributions.between(end - len(values), end)
                metric = metric if of_metric is None else _distributed(metric, values, of_metric)
            metrics.append((name, in_order[series_code], metric))
    metrics.sort(key=itemgetter(0, 1))
    return [metric for _, _, metric in metrics]


def _distributions_of(
    stored: StoredSession, view: View, of_head: npt.NDArray[np.int64], count: int
) -> Distributions | None:
    """Return the distributions among the `count` points of a session; None if there are none."""
    of_columns = [distributions_of_session(columns) for columns in stored.columns]
    head = view.head_distributions and view.head_distributions.taken(of_head, len(view.head))
    if head is None and not any(each is not None for each in of_columns):
        return None
    sizes = [sum(1 for _ in read_session(columns)) for columns in stored.columns]
    parts = [*zip(of_columns, sizes, strict=True), (head, count - sum(sizes))]
    return join_distributions(parts)


def _distributed(
    metric: SessionMetric, values: Sequence[float], distributions: Distributions
) -> SessionMetric:
    """Return a metric with distributions: a histogram, of which sessions ask a percentile."""
    function = OF_SESSIONS.of(metric.type)
    value, error = percentile(np.array(values), distributions, function.percent)
    count = int(distributions.value_counts(len(values)).sum())
    return replace(metric, value=value, error=error, count=count)
