"""The clients of the soak: each does one thing again and again, at a pace."""

from __future__ import annotations

import itertools
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import grpc
import requests
from google.protobuf.message import Message

from bench import messages
from bench.dataset import METRIC_NAMES, generate
from bench.soak_acknowledged import COUNTED, Acknowledged
from bench.soak_messages import CALLS_AT_ONCE, events_of, export_of, simulated_calls_of
from bench.stack import ADMIN_TOKEN, PYTHON, Stack
from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1.custom_metrics_pb2_grpc import CustomMetricsServiceStub
from vumeter.live_metrics.v1 import live_metrics_pb2 as live_pb
from vumeter.live_metrics.v1.live_metrics_pb2_grpc import LiveMetricsServiceStub
from vumeter.simulation.v1.simulation_pb2_grpc import SimulationServiceStub

T = TypeVar("T")
BATCHES = 50
TIMEOUT_SECONDS = 60
TRIED_FOR_SECONDS = 300
OVERLOADED_STATUSES = (503, 504)
OVERLOADED_CODES = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class _Overloaded(Exception):
    """The server had no time: the answer is allowed, and the request may be repeated."""


def _is_overload(error: Exception) -> bool:
    if isinstance(error, grpc.RpcError):
        return error.code() in OVERLOADED_CODES
    return isinstance(error, _Overloaded)


class Clients:
    """Threads that use a product in every way; what went wrong is in `failed`."""

    def __init__(self, stack: Stack, path: Path) -> None:
        self.failed: list[str] = []
        self.points = 0
        self.requests = 0
        self.overloaded = 0
        self.acknowledged = Acknowledged()
        self._stack, self._path = stack, path
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._local = threading.local()
        self._channel = grpc.insecure_channel(stack.grpc_target)
        self._key = [("authorization", f"Bearer {stack.bearer}")]
        self._admin = [("x-admin-token", ADMIN_TOKEN)]
        key_id, _, secret = stack.bearer.partition(".")
        self._pair = [("x-api-key", key_id), ("x-secret-key", secret)]
        self._headers = {**stack.headers, **dict(self._admin), **dict(self._pair)}
        dataset = messages.first_points(
            generate(BATCHES * messages.BATCH, first_day=20_000), BATCHES
        )
        self._columns = [
            pb.StreamColumnsRequest.FromString(messages.of_columns(dataset, part)).columns
            for part in messages.parts(dataset, BATCHES)
        ]
        self._companies = [
            Counter(
                columns.label_sets[index].tags["company_id"] for index in columns.label_set_indexes
            )
            for columns in self._columns
        ]
        # Series that started lately count in full.
        self._started_ns = time.time_ns()
        # Work, and how many times a second.
        self._threads = [
            threading.Thread(target=self._repeat, args=(work, pace), name=work.__name__)
            for work, pace in (
                (self._record_columns, 3.0),
                (self._record_over_rest, 10.0),
                (self._export, 2.0),
                (self._report_events, 5.0),
                (self._watch, 1.0),
                (self._ask, 10.0),
                (self._record_calls, 1.0),
                (self._delete, 0.1),
                (self._back_up, 1 / 60),
            )
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, and wait for what is under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def missing(self) -> list[str]:
        """Return what is not as it was acknowledged."""

        def ask(verb: str, path: str, body: Any = None, **query: str) -> Any:
            return self._until_acknowledged(lambda: self._http(verb, path, body, **query)).json()

        return list(self.acknowledged.differences(ask))

    def _until_acknowledged(self, send: Callable[[], T]) -> T:
        """Send what may be repeated until it is answered; raise what else it raises."""
        until = time.monotonic() + TRIED_FOR_SECONDS
        while True:
            try:
                return send()
            except Exception as error:
                if not _is_overload(error):
                    raise
                if time.monotonic() > until:
                    raise RuntimeError(f"no answer for {TRIED_FOR_SECONDS} s") from error
                with self._lock:
                    self.overloaded += 1

    def _call(
        self, method: Callable[..., T], request: Message, metadata: list[tuple[str, str]]
    ) -> T:
        return self._until_acknowledged(
            lambda: method(request, metadata=metadata, timeout=TIMEOUT_SECONDS)
        )

    def _repeat(self, work: Callable[[int], None], a_second: float) -> None:
        for number in itertools.count():
            started = time.monotonic()
            try:
                work(number)
            except Exception as error:  # whatever else it is, the soak is over
                if _is_overload(error):
                    with self._lock:
                        self.overloaded += 1
                else:
                    self.failed.append(f"{work.__name__}: {type(error).__name__}: {error}")
                    self._stop.set()
            with self._lock:
                self.requests += 1
            if self._stop.wait(max(0.0, started + 1 / a_second - time.monotonic())):
                return

    def _http(self, verb: str, path: str, body: Any = None, **query: str) -> requests.Response:
        session = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
        answer: requests.Response = session.request(
            verb,
            self._stack.rest_url + path,
            json=body,
            params=query,
            headers=self._headers,
            timeout=TIMEOUT_SECONDS,
        )
        if answer.status_code in OVERLOADED_STATUSES:
            raise _Overloaded
        if not answer.ok:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:200]}")
        return answer

    def _record_columns(self, number: int) -> None:
        columns = self._columns[number % BATCHES]
        now_us = time.time_ns() // 1_000
        del columns.times_us[:]
        columns.times_us.extend(now_us - place for place in range(len(columns.values)))
        stub: Any = CustomMetricsServiceStub(self._channel)
        request = pb.RecordColumnsRequest(columns=columns, idempotency_key=f"columns-{number}")
        answer: pb.RecordColumnsResponse = self._call(stub.RecordColumns, request, self._key)
        self.acknowledged.columns.update(self._companies[number % BATCHES])
        with self._lock:
            self.points += answer.recorded

    def _record_over_rest(self, number: int) -> None:
        points = [
            {"name": COUNTED, "sessionId": f"soak-{number}", "tags": {"topic": f"t{number % 50}"}}
            for _ in range(10)
        ]
        body = {"points": points, "idempotencyKey": f"soak-{number}"}
        self._until_acknowledged(lambda: self._http("POST", "/v1/custom-metrics", body))
        self.acknowledged.over_rest += len(points)
        with self._lock:
            self.points += len(points)

    def _export(self, number: int) -> None:
        topic, body = export_of(number, self._started_ns)
        answer = self._until_acknowledged(lambda: self._http("POST", "/v1/metrics", body)).json()
        if answer.get("partialSuccess"):
            raise RuntimeError(f"rejected: {answer}")
        self.acknowledged.exported[topic] = number

    def _report_events(self, number: int) -> None:
        request = events_of(number)
        stub: Any = LiveMetricsServiceStub(self._channel)
        self._call(stub.RecordEvents, request, self._admin)
        self.acknowledged.events += len(request.events)
        self.acknowledged.started += CALLS_AT_ONCE
        self.acknowledged.ended += len(request.events) - CALLS_AT_ONCE

    def _watch(self, number: int) -> None:
        stub: Any = LiveMetricsServiceStub(self._channel)
        request = live_pb.WatchLiveMetricsRequest(tenant_id=f"t{number % 10}")
        watching = stub.WatchLiveMetrics(request, metadata=self._admin, timeout=TIMEOUT_SECONDS)
        for _ in itertools.islice(watching, 2):
            pass
        watching.cancel()

    def _ask(self, number: int) -> None:
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
        days = {"startDate": time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400))}
        name = METRIC_NAMES[number % len(METRIC_NAMES)]
        function = (
            {"function": "percentile", "percentile": 95} if number % 3 else {"function": "sum"}
        )
        path, query, body = (
            ("aggregate", {**days, "endDate": end, "groupBy": "company_id"}, None),
            ("daily", {**days, "endDate": end}, None),
            ("tags", {}, None),
            ("usage", {}, None),
            (f"sessions/soak-{number}", {}, None),
            (
                "query",
                {},
                {
                    **days,
                    "endDate": end,
                    "metrics": [{"as": "x", "metric": name, **function}],
                    "groupBy": ["topic"],
                    "step": "1h",
                },
            ),
        )[number % 6]
        self._http("POST" if body else "GET", f"/v1/custom-metrics/{path}", body, **query)

    def _record_calls(self, number: int) -> None:
        stub: Any = SimulationServiceStub(self._channel)
        execution, request, reported = simulated_calls_of(number)
        self._call(stub.RecordExecution, request, self._pair)
        self._call(stub.RecordCalls, reported, self._pair)
        self.acknowledged.executions.add(execution)

    def _delete(self, number: int) -> None:
        company = f"company_{number % 100:03}"
        filters = [{"label": "company_id", "op": "=", "value": company}]
        try:
            answer = self._http("POST", "/v1/custom-metrics/delete", {"filters": filters})
        except _Overloaded:
            self.acknowledged.unsure.add(company)
            raise
        self.acknowledged.deleted[company] += answer.json()["data"]["deleted"]

    def _back_up(self, _: int) -> None:
        target = self._path.with_name("backup.db")
        command = [PYTHON, "-m", "vumeter_server.cli", "backup", "--replace", str(target)]
        subprocess.run([*command, "--db", str(self._path)], check=True, stdout=subprocess.DEVNULL)
