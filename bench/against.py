"""The mix in process against another checkout of the product, in turns within one run.

A machine that others use too changes its speed from minute to minute, so that two runs of a
benchmark say little about two versions of the code. Here both run at the same time and take turns.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from multiprocessing.connection import Listener
from pathlib import Path

from bench.engines.processes import EngineFailed, EngineProcess
from bench.engines.vumeter import Vumeter
from bench.in_process import ASKS, CHECKED_ASKS, check_answers, medians_ms
from bench.mix import MIX, VARIANTS
from bench.report import Measured, times_as_fast
from bench.run import Run, Section

# Below this a row is slower than noise explains.
AT_LEAST = 0.85
LOADS = 3
# Many short turns: two processes of the same code differ by a third over three turns.
TURNS = 15

# Runs in the other checkout, with its own engine: names and signatures may differ from ours.
_ENGINE = """
import sys
from multiprocessing.connection import Client
from pathlib import Path
from bench.engines.processes import _serve
from bench.engines.vumeter import Vumeter
_serve(Client(sys.argv[1]), Vumeter, Path(sys.argv[2]))
"""


def sections() -> list[Section]:
    """Return the section."""
    return [
        Section(
            name="against",
            title="Queries in process against another checkout",
            note=(
                "Median ms over varied parameters, the store called in process on flushed data."
                " Each checkout has a process and a database of its own, and they take turns."
            ),
            measure=measure,
            needs_checkout=True,
        )
    ]


class CheckoutProcess(EngineProcess):
    """The product of another checkout in a process, with that checkout's engine."""

    def __init__(self, checkout: Path, directory: Path) -> None:
        self.name = "other checkout"
        with tempfile.TemporaryDirectory() as sockets:
            address = str(Path(sockets) / "engine")
            listener = Listener(address)
            self._engine = subprocess.Popen(
                [sys.executable, "-c", _ENGINE, address, str(directory)],
                cwd=checkout,
                env=os.environ
                | {
                    "PYTHONPATH": os.pathsep.join(
                        str(checkout / each) for each in ("", "server", "generated")
                    )
                },
            )
            self._connection = listener.accept()
            listener.close()

    def close(self) -> None:
        """Close the engine and end its process."""
        if self._engine.poll() is None:
            self._call("close", None)
            self._engine.wait()


def measure(run: Run) -> Iterator[Measured]:
    """Time both checkouts: loading, then each query of the mix."""
    if run.against is None:
        raise EngineFailed("give --against=CHECKOUT")
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(run.engine(Vumeter))
        with run.scratch() as directory:
            other = CheckoutProcess(run.against, directory)
            stack.callback(other.close)
            run.say("loading the other checkout")
            other.load(run.dataset)
            yield from _loading(run)
            for query in (*MIX, *VARIANTS):
                run.say(f"{query.name} in process, in turns")
                asks = query.asks(run.dataset, ASKS)
                check_answers([ours, other], asks[:CHECKED_ASKS], run.oracle)
                medians = medians_ms([ours, other], asks, TURNS)
                yield times_as_fast(
                    f"{query.name} {query.what}",
                    medians[ours.name],
                    medians[other.name],
                    other.name,
                    AT_LEAST,
                )


def _loading(run: Run) -> Iterator[Measured]:
    """Load new databases in turns."""
    taken: dict[str, list[float]] = {"ours": [], "other": []}
    assert run.against is not None
    for _ in range(LOADS):
        for name, times in taken.items():
            with run.scratch() as directory:
                engine = (
                    EngineProcess(Vumeter, directory)
                    if name == "ours"
                    else CheckoutProcess(run.against, directory)
                )
                try:
                    times.append(engine.load(run.dataset) * 1_000)
                finally:
                    engine.close()
    yield times_as_fast(
        "recording and flushing all points",
        min(taken["ours"]),
        min(taken["other"]),
        "other checkout",
        AT_LEAST,
    )
