"""Odd sizes: what the product takes with them, and what a neighbour notices while they grow.

The neighbour is an organization with 10,000 points of its own, which asks a simple query again and
again. Half of the processors belong to the client that makes the size.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests

from bench import messages, streams
from bench.dataset import generate
from bench.report import Measured, times_as_long, value_line
from bench.run import Run, Section
from bench.stack import ADMIN_TOKEN, Stack, resident, running
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.limits import SqliteLimitAdministration
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.sqlite import open_database

NEIGHBOUR = "neighbour"
SLOWER_AT_MOST = 3.0
ASKED_AT_REST = 200
PAUSE_SECONDS = 0.01
ORGANIZATIONS = 20_000
KEYS = 100_000
LIMITS = {"label_values": 10_000_000, "label_sets": 10_000_000}


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """A size that one client makes, and what is asked of it afterwards, with times."""

    load: str
    count: int
    what: str
    asks: tuple[tuple[str, str, Any], ...]


def query(**more: Any) -> dict[str, Any]:
    """Return a body of `POST /v1/custom-metrics/query` over the last two days."""
    days = [time.strftime("%Y-%m-%d", time.gmtime(time.time() + at)) for at in (-86_400, 86_400)]
    counted = {"as": "n", "metric": "odd", "function": "sum"}
    return {"startDate": days[0], "endDate": days[1], "metrics": [counted], **more}


METRICS = "/v1/custom-metrics"
SIZES = (
    Size(
        load="values",
        count=1_000_000,
        what="values of one label",
        asks=(
            ("sum", f"{METRICS}/query", query()),
            ("first ten by the label", f"{METRICS}/query", query(groupBy=["odd"], limit=10)),
            (
                "one value",
                f"{METRICS}/query",
                query(filters=[{"label": "odd", "op": "=", "value": "value-000000077"}]),
            ),
            ("usage", f"{METRICS}/usage", None),
        ),
    ),
    Size(
        load="sessions",
        count=1_000_000,
        what="sessions a day",
        asks=(
            ("sum", f"{METRICS}/query", query()),
            (
                "distinct sessions",
                f"{METRICS}/query",
                query(metrics=[{"as": "n", "metric": "odd", "function": "sessions"}]),
            ),
            ("one session", f"{METRICS}/sessions/session-000000077", None),
        ),
    ),
    Size(
        load="one-point",
        count=100_000,
        what="batches of one point",
        asks=(("sum", f"{METRICS}/query", query()),),
    ),
    Size(
        load="tenants",
        count=50_000,
        what="tenants",
        asks=(
            ("counters of all", "/api/v1/metrics/live", None),
            ("counters of one", "/api/v1/metrics/live/odd-000077", None),
            ("a page of tenants", "/api/v1/metrics/tenants", None),
        ),
    ),
    Size(
        load="active-calls",
        count=200_000,
        what="active calls",
        asks=(
            ("counters of all", "/api/v1/metrics/live", None),
            ("counters of one", "/api/v1/metrics/live/tenant_7", None),
        ),
    ),
    Size(
        load="calls",
        count=300_000,
        what="calls in an execution",
        asks=(("metrics", "/sdk/api/v1/simulation/metrics?run_test_name=odd", None),),
    ),
)


def sections() -> list[Section]:
    """Return the sections, which `--sizes` chooses."""
    return [
        Section(
            name="size-of-organizations",
            title="Odd sizes: organizations and keys",
            note="Written to the database before the start.",
            measure=measure_organizations,
            of_sizes=True,
        ),
        Section(
            name="size-of-data",
            title="Odd sizes: what is recorded",
            note=(
                "One client makes the size at full speed in a process of its own. Meanwhile the"
                " neighbour asks `aggregate` one request at a time; its median is set against the"
                " one at rest. Memory is what is resident afterwards, without pages of files."
            ),
            measure=measure_data,
            of_sizes=True,
        ),
    ]


def measure_organizations(run: Run) -> Iterator[Measured]:
    """Measure a product with many organizations and keys."""
    organizations, keys = int(ORGANIZATIONS * run.scale), int(KEYS * run.scale)
    with run.scratch() as directory:
        path = directory / "vumeter.db"
        run.say(f"{organizations:,} organizations, {keys:,} keys")
        _write_keys(path, organizations, keys)
        with running(path) as stack:
            yield value_line(
                f"start with {organizations:,} organizations, {keys:,} keys",
                stack.ready_after_seconds,
                "s",
            )
            times = []
            for number in range(0, keys, max(1, keys // 300)):
                asked = replace(stack, bearer=f"{_key_id(number)}.{_secret(number)}")
                times.append(_ask(asked, f"{METRICS}/names", None))
            yield value_line("names, each with another key, median", _ms(times), "ms")
            memory = resident(stack.pids())
            yield value_line("memory of the server", memory.anonymous, "MB")


def measure_data(run: Run) -> Iterator[Measured]:
    """Measure a product of each size, and its neighbour."""
    for size in SIZES:
        count = int(size.count * run.scale)
        run.say(f"{count:,} {size.what}")
        with run.scratch() as directory, running(directory / "vumeter.db") as stack:
            neighbour = _neighbour(stack, directory / "vumeter.db")
            before = resident(stack.pids()).anonymous
            rest = [_ask_neighbour(neighbour) for _ in range(ASKED_AT_REST)]
            seconds, recorded, meanwhile = _make(stack, neighbour, size.load, count)
            if recorded != count:
                raise RuntimeError(f"{recorded} of {count} {size.what} were recorded")
            yield value_line(f"{count:,} {size.what}: recorded in", seconds, "s")
            yield times_as_long(
                f"{size.what}: neighbour's query meanwhile",
                _ms(meanwhile),
                _ms(rest),
                "ms",
                "at rest",
                SLOWER_AT_MOST,
            )
            after = resident(stack.pids()).anonymous
            yield value_line(f"{size.what}: memory beyond the start's", after - before, "MB")
            files = sum(file.stat().st_size for file in directory.glob("vumeter.db*"))
            yield value_line(f"{size.what}: all files", files / 1e6, "MB")
            for name, path, body in size.asks:
                taken = [_ask(stack, path, body) for _ in range(5)]
                yield value_line(f"{size.what}: {name}, median", _ms(taken), "ms")


def _neighbour(stack: Stack, path: Path) -> Stack:
    database = open_database(path)
    key = SqliteKeyAdministration(database).create_key(NEIGHBOUR, Role.OWNER, None)
    SqliteLimitAdministration(database).change_limits("bench", LIMITS)
    neighbour = replace(stack, bearer=key.bearer)
    first_day = int(time.time()) // 86_400 - 90
    dataset = generate(10_000, first_day=first_day)
    parts = [messages.of_columns(dataset, part) for part in messages.parts(dataset, 10)]
    streams.record(neighbour, "StreamColumns", parts)
    return neighbour


def _ask_neighbour(stack: Stack) -> float:
    days = [time.strftime("%Y-%m-%d", time.gmtime(time.time() + at)) for at in (-1_209_600, 0)]
    return _ask(stack, f"{METRICS}/aggregate?startDate={days[0]}&endDate={days[1]}", None)


def _make(stack: Stack, neighbour: Stack, load: str, count: int) -> tuple[float, int, list[float]]:
    """Make a size; return its seconds, how much was recorded, and the neighbour's seconds."""
    command = [sys.executable, "-m", "bench.sizes_loads", load, str(count)]
    times = []
    with subprocess.Popen(
        [*command, stack.grpc_target, stack.bearer], stdout=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None:
            times.append(_ask_neighbour(neighbour))
            time.sleep(PAUSE_SECONDS)
        assert process.stdout is not None
        answer = json.loads(process.stdout.read())
    return answer["seconds"], answer["recorded"], times


_session = requests.Session()


def _ask(stack: Stack, path: str, body: Any) -> float:
    key_id, _, secret = stack.bearer.partition(".")
    headers = {"X-Admin-Token": ADMIN_TOKEN, "X-Api-Key": key_id, "X-Secret-Key": secret}
    started = time.perf_counter()
    answer = _session.request(
        "GET" if body is None else "POST",
        stack.rest_url + path,
        json=body,
        headers={**stack.headers, **headers},
        timeout=120,
    )
    seconds = time.perf_counter() - started
    if not answer.ok:
        raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:200]}")
    return seconds


def _ms(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1_000


def _key_id(number: int) -> str:
    digits = "abcdefghijklmnopqrstuvwxyz234567"
    return "vmk_" + "".join(digits[number >> 5 * place & 31] for place in range(20))


def _secret(number: int) -> str:
    return f"secret-{number}"


def _write_keys(path: Path, organizations: int, keys: int) -> None:
    now_us = time.time_ns() // 1_000

    def job(connection: Any) -> None:
        connection.executemany(
            "INSERT INTO organizations (organization_id, name, created_us) VALUES (?, ?, ?)",
            ((number + 100, f"odd-{number}", now_us) for number in range(organizations)),
        )
        connection.executemany(
            "INSERT INTO api_keys (key_id, organization_id, role, secret_sha256, created_us)"
            " VALUES (?, ?, 'owner', ?, ?)",
            (
                (
                    _key_id(number),
                    number % organizations + 100,
                    hashlib.sha256(_secret(number).encode()).digest(),
                    now_us,
                )
                for number in range(keys)
            ),
        )

    open_database(path).write(job)
