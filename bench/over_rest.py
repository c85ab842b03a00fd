"""The query mix over REST: requests a second against an empty RPC through the same Envoy."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import served
from bench.dataset import Dataset
from bench.measured import Measured
from bench.mix import MIX, Query
from bench.product import Product

PATHS = "/v1/custom-metrics"
PARAMETERS = 200
# With 8 clients: the share of the empty RPC's requests a second.
SHARES = {"Q1": 60, "Q2": 60, "Q4": 40, "Q5": 60, "Q7": 60, "Q8": 60}
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


def _measure(
    product: Product, dataset: Dataset, directory: Path, seconds: int
) -> Iterator[Measured]:
    for query in MIX:
        clients = 8 if query.name in SHARES else 1
        paths = [PATHS + ask.path() for ask in query.asks(dataset, PARAMETERS)]
        script = _script(directory, query, paths)
        _wrk(product, script, clients, 1)
        empty = _wrk(product, _script(directory, None, [served.PATH]), clients, seconds)
        rate = _wrk(product, script, clients, seconds)
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


def _wrk(product: Product, script: Path, clients: int, seconds: int) -> float:
    """Return requests a second; raises RuntimeError if any was not answered with 200."""
    done = subprocess.run(
        [
            *("wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "-s", str(script)),
            *("-H", f"Authorization: Bearer {product.bearer}", product.rest_url),
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
