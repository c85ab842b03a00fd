"""The peer over REST: FastAPI on naive SQLite, with the documented paths and answers."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastapi
import uvicorn

from bench.asks import ZONE_OFFSETS_US, Ask, Kind
from bench.dataset import DAY_US
from bench.engines.sqlite import ask_rows, connect
from bench.stack import get

WORKERS = 2
DATABASE = "BENCH_NAIVE_DB"
api = fastapi.FastAPI()


class _Connections:
    """A connection a thread: handlers that block run in threads."""

    def __init__(self) -> None:
        self._local = threading.local()

    def rows(self, ask: Ask) -> Any:
        if not hasattr(self._local, "connection"):
            self._local.connection = connect(Path(os.environ[DATABASE]))
        return ask_rows(self._local.connection, ask)


_connections = _Connections()


def names(agentId: str = "") -> Any:  # noqa: N803
    """List metric names."""
    rows = _connections.rows(Ask(kind=Kind.NAMES, agent_id=agentId))
    return {"data": sorted(name for (name,) in rows)}


def aggregate(
    startDate: str,  # noqa: N803
    endDate: str,  # noqa: N803
    timezone: str = "UTC",
    tags: str = "{}",
    groupBy: str = "",  # noqa: N803
    agentId: str = "",  # noqa: N803
) -> Any:
    """Sum metrics."""
    group_by = tuple(filter(None, groupBy.split(",")))
    ask = Ask(
        kind=Kind.AGGREGATE,
        start_us=_instant_us(startDate, timezone),
        end_us=_instant_us(endDate, timezone),
        filters=tuple(json.loads(tags).items()),
        group_by=group_by,
        agent_id=agentId,
    )
    groups: dict[tuple[str, ...], dict[str, float]] = {}
    for *group, name, value in _connections.rows(ask):
        groups.setdefault(tuple(text or "" for text in group), {})[name] = value
    if not group_by:
        return {"data": groups.get((), {})}
    return {
        "data": [
            {**dict(zip(group_by, group, strict=True)), "metrics": metrics}
            for group, metrics in groups.items()
        ]
    }


def daily(
    startDate: str,  # noqa: N803
    endDate: str,  # noqa: N803
    metricNames: str = "",  # noqa: N803
    timezone: str = "UTC",
) -> Any:
    """Sum metrics by day."""
    ask = Ask(
        kind=Kind.DAILY,
        start_us=_instant_us(startDate, timezone),
        end_us=_instant_us(endDate, timezone),
        zone=timezone,
        metric_names=tuple(filter(None, metricNames.split(","))),
    )
    days: dict[int, dict[str, float]] = {}
    for day, name, value in _connections.rows(ask):
        days.setdefault(day, {})[name] = value
    return {
        "data": [
            {
                "date": datetime.fromtimestamp(day * DAY_US // 1_000_000, UTC).date().isoformat(),
                "metrics": metrics,
            }
            for day, metrics in days.items()
        ]
    }


def timeseries(
    metricName: str,  # noqa: N803
    startDate: str,  # noqa: N803
    endDate: str,  # noqa: N803
    step: str,
) -> Any:
    """Read one metric over time."""
    ask = Ask(
        kind=Kind.TIMESERIES,
        start_us=_instant_us(startDate, "UTC"),
        end_us=_instant_us(endDate, "UTC"),
        metric_name=metricName,
        step_us=int(step.removesuffix("s")) * 1_000_000,
    )
    values = [
        [(ask.start_us + bucket * ask.step_us) // 1_000_000, f"{value:.12g}"]
        for bucket, value in _connections.rows(ask)
    ]
    metric = {"metric_name": metricName}
    return {"data": {"resultType": "matrix", "result": [{"metric": metric, "values": values}]}}


def session(session_id: str) -> Any:
    """Read one session."""
    entries = _connections.rows(Ask(kind=Kind.SESSION, session_id=session_id))
    return {
        "data": {
            "resultType": "vector",
            "result": [
                {
                    "metric": {"metric_name": name, **dict(labels)},
                    "value": [time_us / 1_000_000, f"{value:.12g}"],
                }
                for (name, labels), (time_us, value) in entries.items()
            ],
        }
    }


def _instant_us(text: str, zone: str) -> int:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is not None:
        return round(instant.timestamp() * 1_000_000)
    return round(instant.replace(tzinfo=UTC).timestamp() * 1_000_000) - ZONE_OFFSETS_US[zone]


for _path, _answer in {
    "/names": names,
    "/aggregate": aggregate,
    "/daily": daily,
    "/timeseries": timeseries,
    "/sessions/{session_id}": session,
}.items():
    api.add_api_route(_path, _answer)


@contextlib.contextmanager
def running(db: Path) -> Iterator[str]:
    """Run the API on a naive database; give its URL."""
    port = _free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "bench.naive_api", str(port)],
        env={**os.environ, DATABASE: str(db)},
        stderr=subprocess.DEVNULL,
    ) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_until_ready(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=30)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            get(f"{url}/names", {})
            return
        time.sleep(0.05)
    raise RuntimeError("FastAPI did not start")


if __name__ == "__main__":
    uvicorn.run(
        "bench.naive_api:api",
        port=int(sys.argv[1]),
        workers=WORKERS,
        access_log=False,
        log_level="error",
    )
