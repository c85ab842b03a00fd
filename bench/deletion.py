"""Deletion of points beside a client that records: how long it takes, how long recording waits."""

from __future__ import annotations

import contextlib
import shutil
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import grpc
import numpy as np

from bench.background import in_background
from bench.dataset import METRIC_NAMES, Dataset
from bench.engines.vumeter import Vumeter
from bench.report import Measured, value_line
from bench.run import Run, Section
from bench.stack import Stack, running
from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1 import deletion_pb2, query_pb2
from vumeter.custom_metrics.v1.custom_metrics_pb2_grpc import CustomMetricsServiceStub

SESSION_AT_MOST = 0.5
TAG_AT_MOST = 10
WAIT_AT_MOST = 0.3
SESSIONS = 7
REST_SECONDS = 5
PAUSE_SECONDS = 0.005
DEADLINE_SECONDS = 600

NOTE = (
    "`DeletePoints` over gRPC on the data set, all of it flushed, while one client records a point"
    " at a time over `RecordPoints`. A deletion is answered when no query sees the points any more"
    " and all that was precomputed is made again. The sessions are deleted one after the other; the"
    " time is the median, the wait the longest of all."
)


def sections() -> list[Section]:
    """Return the sections."""
    return [Section(name="deletion", title="Deletion beside recording", note=NOTE, measure=measure)]


@dataclass(slots=True)
class Recorder:
    """Records a point at a time; knows how long the slowest answer took."""

    stack: Stack
    waits: list[float] = field(default_factory=list)

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Record for the length of the context; raises what recording raises."""
        self.waits.clear()

        def record(stop: threading.Event) -> None:
            with _stub(self.stack) as (stub, metadata):
                request = pb.RecordPointsRequest(points=[pb.Point(name=METRIC_NAMES[0], value=1)])
                while not stop.is_set():
                    started = time.perf_counter()
                    stub.RecordPoints(request, metadata=metadata, timeout=DEADLINE_SECONDS)
                    self.waits.append(time.perf_counter() - started)
                    stop.wait(PAUSE_SECONDS)

        with in_background(record):
            yield


def measure(run: Run) -> Iterator[Measured]:
    """Delete sessions, and what has a tag value; check how many points went."""
    template = run.loaded(Vumeter) / "vumeter.db"
    with run.scratch() as directory:
        shutil.copy(template, directory / "vumeter.db")
        with running(directory / "vumeter.db") as stack:
            recorder = Recorder(stack)
            run.say("recording at rest")
            with recorder.recording():
                time.sleep(REST_SECONDS)
            yield value_line("recording waits, at rest, longest", max(recorder.waits), "s")
            run.say("deletion of sessions")
            taken = []
            with recorder.recording():
                for number in _sessions(run.dataset):
                    count = int(np.count_nonzero(run.dataset.sessions == number))
                    label = run.dataset.session_ids[number]
                    taken.append(_delete(stack, "session_id", label, count))
            median = statistics.median(taken)
            yield value_line(f"a session of {run.points:,} points", median, "s", SESSION_AT_MOST)
            yield _longest(recorder, "sessions are deleted")
            company, count = _company(run.dataset)
            run.say(f"deletion of {count:,} points of {company}")
            with recorder.recording():
                seconds = _delete(stack, "company_id", company, count)
            share = count / run.points
            yield value_line(f"a tag value with {share:.1%} of them", seconds, "s", TAG_AT_MOST)
            yield _longest(recorder, "a tag value is deleted")


def _longest(recorder: Recorder, while_: str) -> Measured:
    what = f"recording waits, while {while_}, longest of {len(recorder.waits):,}"
    return value_line(what, max(recorder.waits), "s", WAIT_AT_MOST)


def _sessions(dataset: Dataset) -> list[int]:
    """Return sessions from all over the data set, each with points."""
    places = np.linspace(0, len(dataset) - 1, SESSIONS).astype(np.int64)
    return [int(each) for each in np.unique(dataset.sessions[places])]


def _company(dataset: Dataset) -> tuple[str, int]:
    """Return the company whose points are nearest to 1 % of all, and how many it has."""
    names = np.array([each.tags["company_id"] for each in dataset.label_sets])
    found, codes = np.unique(names, return_inverse=True)
    counts = np.bincount(codes[dataset.label_set_indexes], minlength=len(found))
    nearest = int(np.argmin(np.abs(counts - len(dataset) / 100)))
    return str(found[nearest]), int(counts[nearest])


def _delete(stack: Stack, label: str, value: str, expected: int) -> float:
    """Delete what has a label; return the seconds it took, if it was as much as expected."""
    query = query_pb2.LabelFilter(
        label=label, operator=query_pb2.LABEL_OPERATOR_EQUAL, values=[value]
    )
    with _stub(stack) as (stub, metadata):
        started = time.perf_counter()
        answer = stub.DeletePoints(
            deletion_pb2.DeletePointsRequest(filters=[query]),
            metadata=metadata,
            timeout=DEADLINE_SECONDS,
        )
        seconds = time.perf_counter() - started
        left = stub.DeletePoints(
            deletion_pb2.DeletePointsRequest(filters=[query], dry_run=True), metadata=metadata
        )
    if (answer.deleted, left.deleted) != (expected, 0):
        raise RuntimeError(f"{value}: {answer.deleted} of {expected} deleted, {left.deleted} left")
    return seconds


@contextlib.contextmanager
def _stub(stack: Stack) -> Iterator[tuple[CustomMetricsServiceStub, list[tuple[str, str]]]]:
    with grpc.insecure_channel(stack.grpc_target) as channel:
        yield CustomMetricsServiceStub(channel), [("authorization", f"Bearer {stack.bearer}")]
