"""What own metrics and TLS cost, and how long a scrape takes."""

from __future__ import annotations

import contextlib
import json
import statistics
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import requests

from bench import messages, streams
from bench.background import in_background
from bench.load import Target
from bench.product import EMPTY_PATH
from bench.report import Measured, bounded, share
from bench.run import Run, Section
from bench.stack import ADMIN_TOKEN, Stack, running

TENANTS = 1_000
SCRAPES = 60
SCRAPE_MS = 20.0
BATCHES, TURNS = 30, 8
COUNTED_AT_LEAST = 0.97
ROUNDS, SECONDS, CLIENTS = 4, 3, 8
TLS_AT_LEAST = 0.7
SCRAPED_EVERY_SECONDS = 1.0


def sections() -> list[Section]:
    """Return the section."""
    return [
        Section(
            name="operating",
            title="Own metrics and TLS",
            note=(
                f"A scrape of {TENANTS:,} tenants, of each of which calls are active, ended in"
                f" every way and rejected for every reason. Recording: {TURNS} turns of {BATCHES}"
                f" batches of {messages.BATCH:,} points each, into a server whose own metrics are"
                " scraped each second, and into one that has none. TLS: the empty RPC from"
                f" {CLIENTS} clients on connections that stay open, in turns with one without TLS."
            ),
            measure=measure,
        )
    ]


def measure(run: Run) -> Iterator[Measured]:
    """Measure all three."""
    yield from _scrapes(run)
    yield from _counting(run)
    yield from _tls(run)


def _scrapes(run: Run) -> Iterator[Measured]:
    run.say(f"scraping {TENANTS:,} tenants")
    with run.scratch() as directory, running(directory / "vumeter.db") as stack:
        events = [each for number in range(TENANTS) for each in _events(f"tenant_{number:05}")]
        headers = {"X-Admin-Token": ADMIN_TOKEN, "Content-Type": "application/json"}
        for start in range(0, len(events), 1_000):
            body = json.dumps({"events": events[start : start + 1_000]})
            url = f"{stack.rest_url}/api/v1/metrics/events"
            requests.post(url, body, headers=headers, timeout=60).raise_for_status()
        times = []
        for _ in range(SCRAPES):
            began = time.perf_counter()
            answer = requests.get(stack.metrics_url, timeout=60)
            times.append((time.perf_counter() - began) * 1_000)
        series = sum(not line.startswith("#") for line in answer.text.splitlines())
    what = f"a scrape of {TENANTS:,} tenants, {series:,} series, median"
    yield bounded(what, statistics.median(times), "ms", SCRAPE_MS)


def _events(tenant_id: str) -> list[dict[str, str | float]]:
    """Return what makes every live metric of a tenant other than 0."""
    outcomes = ("completed", "hung_up", "failed", "no_answer", "busy", "canceled", "voicemail")
    reasons = ("capacity", "tenant_not_configured", "instructions_missing")
    # What occurred long before the server started is in no total.
    now = datetime.now(UTC).isoformat()
    made: list[dict[str, str | float]] = []

    def add(kind: str, call: str = "", **more: str | float) -> None:
        of_call = {"call_id": f"{tenant_id}-{call}"} if call else {}
        event = {"event_id": f"{tenant_id}-{len(made)}", "type": kind, "tenant_id": tenant_id}
        made.append({**event, **of_call, "occurred_at": now, **more})

    add("accepted", "active")
    add("started", "active")
    add("referred", "active")
    add("instructions_db_error")
    add("fallback_instructions_used")
    for outcome in outcomes:
        add("ended", outcome, outcome=outcome, minutes=1.5)
    for reason in reasons:
        add("rejected", reason, reason=reason)
    return made


def _counting(run: Run) -> Iterator[Measured]:
    run.say("recording with and without own metrics, in turns")
    parts = list(messages.parts(run.dataset, BATCHES * (TURNS + 1)))
    encoded = [messages.of_points(run.dataset, part) for part in parts]
    with (
        run.scratch() as directory,
        running(directory / "with.db") as counted,
        running(directory / "without.db", own_metrics=False) as plain,
        _scraped(counted),
    ):
        servers = {"with": counted, "without": plain}
        rates: dict[str, list[float]] = {name: [] for name in servers}
        for turn in range(TURNS + 1):
            batches = encoded[turn * BATCHES : (turn + 1) * BATCHES]
            # Who is first changes from turn to turn; the first turn is not counted.
            for name in sorted(servers, reverse=turn % 2 == 1):
                recorded = streams.record(servers[name], "StreamPoints", batches)
                if turn:
                    rates[name].append(recorded.rate)
    yield share(
        "recording over gRPC, own metrics scraped each second",
        statistics.median(rates["with"]),
        statistics.median(rates["without"]),
        "points/s",
        "own metrics off",
        COUNTED_AT_LEAST,
    )


@contextlib.contextmanager
def _scraped(stack: Stack) -> Iterator[None]:
    def scrape(stop: threading.Event) -> None:
        while not stop.wait(SCRAPED_EVERY_SECONDS):
            requests.get(stack.metrics_url, timeout=60).raise_for_status()

    with in_background(scrape):
        yield


def _tls(run: Run) -> Iterator[Measured]:
    run.say("the empty RPC with and without TLS, in turns")
    with run.scratch() as directory:
        options = _certificate(directory)
        with (
            running(directory / "plain.db") as plain,
            running(directory / "tls.db", *options) as encrypted,
        ):
            found: dict[str, list[float]] = {"plain": [], "tls": []}
            for _ in range(ROUNDS):
                for name, stack in (("plain", plain), ("tls", encrypted)):
                    target = Target(
                        base_url=stack.rest_url, headers=stack.headers, paths=[EMPTY_PATH]
                    )
                    sent = target.send(directory, clients=CLIENTS, seconds=SECONDS)
                    found[name].append(sent.rate)
    yield share(
        f"the empty RPC over REST with TLS, {CLIENTS} clients",
        statistics.median(found["tls"]),
        statistics.median(found["plain"]),
        "requests/s",
        "without TLS",
        TLS_AT_LEAST,
    )


def _certificate(directory: Path) -> list[str]:
    import trustme  # noqa: PLC0415 - only this section has a use for it

    issued = trustme.CA().issue_cert("127.0.0.1")
    certificate, key = directory / "cert.pem", directory / "key.pem"
    certificate.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(key)
    return [f"--tls-cert={certificate}", f"--tls-key={key}"]
