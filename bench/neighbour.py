"""A neighbour: an organization of its own that asks a simple query again and again.

It has 10,000 points of the last 90 days, and asks for their sums of 14 days. What another
organization does meanwhile must not slow it down.
"""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import requests

from bench import messages, streams
from bench.background import in_background
from bench.dataset import generate
from bench.report import Measured, times_as_long
from bench.stack import ADMIN_TOKEN, PATHS, Stack
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.sqlite import open_database

ORGANIZATION = "neighbour"
SLOWER_AT_MOST = 3.0
POINTS = 10_000
AT_REST_SECONDS = 5.0
PAUSE_SECONDS = 0.01
ASKED_DAYS = 14


@dataclass(slots=True)
class Neighbour:
    """The neighbour's key, and how long its query takes where the product does nothing else."""

    stack: Stack
    at_rest: list[float]

    @classmethod
    def beside(cls, stack: Stack, path: Path) -> Neighbour:
        """Make the organization in a product's database, record its points and ask at rest."""
        key = SqliteKeyAdministration(open_database(path)).create_key(
            ORGANIZATION, Role.OWNER, None
        )
        neighbour = cls(stack=replace(stack, bearer=key.bearer), at_rest=[])
        dataset = generate(POINTS, first_day=int(time.time()) // 86_400 - 90)
        parts = messages.parts(dataset, POINTS // messages.BATCH)
        encoded = [messages.of_columns(dataset, part) for part in parts]
        streams.record(neighbour.stack, "StreamColumns", encoded)
        with neighbour.asking() as times:
            time.sleep(AT_REST_SECONDS)
        neighbour.at_rest += times
        return neighbour

    @contextlib.contextmanager
    def asking(self) -> Iterator[list[float]]:
        """Ask for the length of the context; give the seconds of each answer."""
        times: list[float] = []
        days = [
            time.strftime("%Y-%m-%d", time.gmtime(time.time() - at * 86_400))
            for at in (ASKED_DAYS, 0)
        ]
        path = f"{PATHS}/aggregate?startDate={days[0]}&endDate={days[1]}"

        def ask_again(stop: threading.Event) -> None:
            with requests.Session() as session:
                # The first one connects.
                ask(session, self.stack, path)
                while True:
                    times.append(ask(session, self.stack, path))
                    if stop.wait(PAUSE_SECONDS):
                        return

        with in_background(ask_again):
            yield times

    def lines(self, meanwhile: str, times: list[float]) -> Iterator[Measured]:
        """Set the median and the 99th percentile against those at rest; the median is bounded."""
        yield times_as_long(
            f"{meanwhile}: neighbour's query, median of {len(times):,}",
            statistics.median(times) * 1_000,
            statistics.median(self.at_rest) * 1_000,
            "ms",
            "at rest",
            SLOWER_AT_MOST,
        )
        yield times_as_long(
            f"{meanwhile}: neighbour's query, p99",
            float(np.percentile(times, 99)) * 1_000,
            float(np.percentile(self.at_rest, 99)) * 1_000,
            "ms",
            "at rest",
        )


def ask(session: requests.Session, stack: Stack, path: str, body: Any = None) -> float:
    """Ask over REST with every credential; return the seconds.

    Raises RuntimeError for any other answer than a 2xx.
    """
    key_id, _, secret = stack.bearer.partition(".")
    headers = {"X-Admin-Token": ADMIN_TOKEN, "X-Api-Key": key_id, "X-Secret-Key": secret}
    started = time.perf_counter()
    answer = session.request(
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
