"""The clients of the soak: each does one thing again and again, at a pace."""

from __future__ import annotations

import itertools
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import requests

from bench import messages
from bench.dataset import METRIC_NAMES, generate
from bench.stack import ADMIN_TOKEN, PYTHON, Stack
from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1.custom_metrics_pb2_grpc import CustomMetricsServiceStub
from vumeter.live_metrics.v1 import live_metrics_pb2 as live_pb
from vumeter.live_metrics.v1.live_metrics_pb2_grpc import LiveMetricsServiceStub
from vumeter.simulation.v1 import simulation_pb2 as simulation_pb
from vumeter.simulation.v1.simulation_pb2_grpc import SimulationServiceStub

BATCHES = 50
CALLS_AT_ONCE = 40
TIMEOUT_SECONDS = 60
COUNTED = "soak_counted"
OVERLOADED_STATUSES = (503, 504)
OVERLOADED_CODES = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
EXECUTION = "5819e158-0000-4000-8000-{:012}"


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
        self._counted = 0
        self._stack, self._path = stack, path
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._local = threading.local()
        self._channel = grpc.insecure_channel(stack.grpc_target)
        self._key = [("authorization", f"Bearer {stack.bearer}")]
        self._admin = [("x-admin-token", ADMIN_TOKEN)]
        dataset = messages.first_points(
            generate(BATCHES * messages.BATCH, first_day=20_000), BATCHES
        )
        self._columns = [
            pb.StreamColumnsRequest.FromString(messages.of_columns(dataset, part)).columns
            for part in messages.parts(dataset, BATCHES)
        ]
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
        body = {
            "startDate": "2025-01-01",
            "endDate": "2034-01-01",
            "metrics": [{"as": "n", "metric": COUNTED, "function": "sum"}],
        }
        answer = self._http("POST", "/v1/custom-metrics/query", body).json()
        found = answer["data"]["rows"][0]["values"]["n"]
        if found == self._counted:
            return []
        return [f"{self._counted} counted points were acknowledged, and {found} are there"]

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
            headers={**self._stack.headers, "X-Admin-Token": ADMIN_TOKEN},
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
        request = pb.RecordColumnsRequest(columns=columns)
        answer = stub.RecordColumns(request, metadata=self._key, timeout=TIMEOUT_SECONDS)
        with self._lock:
            self.points += answer.recorded

    def _record_over_rest(self, number: int) -> None:
        points = [
            {"name": COUNTED, "sessionId": f"soak-{number}", "tags": {"topic": f"t{number % 50}"}}
            for _ in range(10)
        ]
        body = {"points": points, "idempotencyKey": f"soak-{number}"}
        while True:
            try:
                self._http("POST", "/v1/custom-metrics", body)
                break
            except _Overloaded:
                with self._lock:
                    self.overloaded += 1
        with self._lock:
            self._counted += len(points)
            self.points += len(points)

    def _export(self, number: int) -> None:
        now = time.time_ns()
        attributes = [{"key": "topic", "value": {"stringValue": f"t{number % 50}"}}]
        point = {
            "asInt": str(number),
            "attributes": attributes,
            "startTimeUnixNano": "1743508800000000000",
            "timeUnixNano": str(now),
        }
        summed = {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [point]}
        scope = {"metrics": [{"name": "soak.exported", "sum": summed}]}
        self._http("POST", "/v1/metrics", {"resourceMetrics": [{"scopeMetrics": [scope]}]})

    def _report_events(self, number: int) -> None:
        request = live_pb.RecordEventsRequest()
        # As many calls end as start.
        started, ended = live_pb.EVENT_TYPE_STARTED, live_pb.EVENT_TYPE_ENDED
        for turn, kind in ((number, started), (number - 20, ended)):
            for call in range(CALLS_AT_ONCE if turn >= 0 else 0):
                name = f"soak-{turn}-{call}"
                event = request.events.add(
                    event_id=f"{name}-{kind}", call_id=name, type=kind, tenant_id=f"t{call % 10}"
                )
                event.occur_time.GetCurrentTime()
                if kind == ended:
                    event.outcome = live_pb.CALL_OUTCOME_COMPLETED
        stub: Any = LiveMetricsServiceStub(self._channel)
        stub.RecordEvents(request, metadata=self._admin, timeout=TIMEOUT_SECONDS)

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
        execution = EXECUTION.format(number % 500)
        metadata = [
            ("x-api-key", self._stack.bearer.partition(".")[0]),
            ("x-secret-key", self._stack.bearer.partition(".")[2]),
        ]
        started = simulation_pb.Execution(execution_id=execution, run_test_name="Soak")
        request = simulation_pb.RecordExecutionRequest(execution=started)
        stub.RecordExecution(request, metadata=metadata, timeout=TIMEOUT_SECONDS)
        calls = [
            simulation_pb.Call(
                call_execution_id=f"5af9e484-0000-4000-8000-{number % 500 * 100 + call:012}",
                execution_id=execution,
                duration_seconds=call,
            )
            for call in range(30)
        ]
        reported = simulation_pb.RecordCallsRequest(calls=calls)
        stub.RecordCalls(reported, metadata=metadata, timeout=TIMEOUT_SECONDS)

    def _delete(self, number: int) -> None:
        filters = [{"label": "company_id", "op": "=", "value": f"company_{number % 100:03}"}]
        self._http("POST", "/v1/custom-metrics/delete", {"filters": filters})

    def _back_up(self, _: int) -> None:
        target = self._path.with_name("backup.db")
        command = [PYTHON, "-m", "vumeter_server.cli", "backup", "--replace", str(target)]
        subprocess.run([*command, "--db", str(self._path)], check=True, stdout=subprocess.DEVNULL)
