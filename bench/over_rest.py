"""The query mix over REST: requests a second against an empty RPC through the same Envoy."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import requests

from bench import naive, served
from bench.dataset import Dataset
from bench.measured import Measured
from bench.mix import MIX, Query
from bench.product import Product

PATHS = "/v1/custom-metrics"
PARAMETERS = 200
# With 8 clients: the share of the empty RPC's requests a second.
SHARES = {"Q1": 60, "Q2": 60, "Q4": 40, "Q5": 60, "Q7": 60, "Q8": 60}
# What is asked of FastAPI on naive SQLite too.
NAIVE = ("Q2", "Q4", "Q5", "Q8")
# With one client: how many times the empty RPC's time.
TIMES = {"Q3": 6, "Q6": 6, "Q9": 30}

_SCRIPT = """
local paths = {%s}
local next = 0
request = function()
  next = next %% #paths + 1
  return wrk.format("GET", paths[next])
end
"""


def is_possible() -> bool:
    """Whether the load generator is installed (Debian: wrk)."""
    return shutil.which("wrk") is not None


async def measure(
    product: Product, dataset: Dataset, directory: Path, seconds: int
) -> list[Measured]:
    """Return each query's rate or time against that of the empty RPC, asked just before."""
    return await asyncio.to_thread(lambda: list(_measure(product, dataset, directory, seconds)))


def against_naive(
    product: Product, dataset: Dataset, directory: Path, seconds: int
) -> Iterator[Measured]:
    """Yield how many times the requests a second of FastAPI on naive SQLite there are."""
    db = directory / "naive.db"
    naive.load(db, dataset)
    with naive_server(db) as url:
        for query in MIX:
            if query.name in NAIVE:
                paths = [PATHS + ask.path() for ask in query.asks(dataset, PARAMETERS)]
                script = _script(directory, query, paths)
                ours = _wrk(product.rest_url, product.bearer, script, 8, seconds)
                theirs = _wrk(url, "", script, 8, seconds)
                yield Measured(
                    what=f"{query.name}, 8 clients: {ours:.0f} requests/s, FastAPI on naive SQLite"
                    f" {theirs:.0f}",
                    value=ours / theirs,
                    unit="times as many",
                )


@contextlib.contextmanager
def naive_server(db: Path) -> Iterator[str]:
    """Run FastAPI on naive SQLite with two workers; give its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "bench.naive:app", "--workers", "2"]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--log-level", "error", "--no-access-log"],
        env={**os.environ, "NAIVE_DB": str(db)},
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with contextlib.suppress(requests.RequestException):
                requests.get(f"{url}/v1/custom-metrics/sessions/none", timeout=5)
                break
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


def _measure(
    product: Product, dataset: Dataset, directory: Path, seconds: int
) -> Iterator[Measured]:
    for query in MIX:
        clients = 8 if query.name in SHARES else 1
        paths = [PATHS + ask.path() for ask in query.asks(dataset, PARAMETERS)]
        script = _script(directory, query, paths)
        empty_script = _script(directory, None, [served.PATH])
        _wrk(product.rest_url, product.bearer, script, clients, 1)
        empty = _wrk(product.rest_url, product.bearer, empty_script, clients, seconds)
        rate = _wrk(product.rest_url, product.bearer, script, clients, seconds)
        if query.name in SHARES:
            yield Measured(
                what=f"{query.name}, 8 clients: {rate:.0f} requests/s, empty RPC {empty:.0f}",
                value=100 * rate / empty,
                unit="% of the empty RPC's",
                limit=SHARES[query.name],
                higher_is_better=True,
            )
        else:
            yield Measured(
                what=f"{query.name}, 1 client: {1000 / rate:.2f} ms, empty RPC {1000 / empty:.2f}",
                value=empty / rate,
                unit="times the empty RPC's",
                limit=TIMES[query.name],
            )


def _script(directory: Path, query: Query | None, paths: Sequence[str]) -> Path:
    script = directory / f"{query.name if query else 'empty'}.lua"
    script.write_text(_SCRIPT % ", ".join(f"[=[{path}]=]" for path in paths))
    return script


def _wrk(url: str, bearer: str, script: Path, clients: int, seconds: int) -> float:
    """Return requests a second; raises RuntimeError if any was not answered with 200."""
    done = subprocess.run(
        [
            *("wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "-s", str(script)),
            *("-H", f"Authorization: Bearer {bearer}", url),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(done.stdout)
    found = re.search(r"Requests/sec: +([0-9.]+)", done.stdout)
    if found is None:
        raise RuntimeError(done.stdout)
    return float(found[1])
