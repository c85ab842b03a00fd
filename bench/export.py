"""Export to a file as its users do it: the command against a running product."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.dataset import generate
from bench.engines.processes import EngineProcess
from bench.engines.vumeter import Vumeter
from bench.report import Measured, rate, times_as_long, value_line
from bench.run import LONG_POINTS, Run, Section
from bench.stack import PYTHON, Stack, running, watched_memory

PARQUET_AT_LEAST = 500_000
EXPORTS = 3
# What ten times the points may take of the memory of one time; it is meant to be the same.
GROWTH_AT_MOST = 1.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """One export: how long it took, the memory of command and product in MB, the file."""

    seconds: float
    command_mb: float
    server_mb: float
    bytes: int


def sections() -> list[Section]:
    """Return the sections."""
    return [
        Section(
            name="export",
            title="Export",
            note=(
                "`vumeter export custom-metrics FILE` from beginning to end, the start of the"
                " command among it, against a running product: the median of three. Memory is the"
                " most that was resident, of the product without pages of files."
            ),
            measure=measure,
        )
    ]


def measure(run: Run) -> Iterator[Measured]:
    """Export the data set in each format; in the long mode ten times as much, too."""
    with running(run.loaded(Vumeter) / "vumeter.db") as stack:
        for suffix, at_least in (("parquet", PARQUET_AT_LEAST), ("csv", None), ("ndjson", None)):
            run.say(f"exporting to {suffix}")
            found = sorted(
                (_export(run, stack, suffix) for _ in range(EXPORTS)), key=lambda each: each.seconds
            )[EXPORTS // 2]
            points = len(run.dataset)
            yield rate(f"to {suffix}", points / found.seconds, "points/s", at_least)
            yield value_line(f"to {suffix}: bytes a point", found.bytes / points, "bytes")
            yield value_line(f"to {suffix}: memory of the command", found.command_mb, "MB")
            yield value_line(f"to {suffix}: memory of the product", found.server_mb, "MB")
            if suffix == "parquet":
                parquet = found
    if run.full:
        yield from _measure_growth(run, parquet)


def _measure_growth(run: Run, short: Exported) -> Iterator[Measured]:
    with run.scratch() as directory:
        process = EngineProcess(Vumeter, directory)
        try:
            run.say(f"loading {LONG_POINTS:,} points")
            dataset = generate(LONG_POINTS, first_day=run.first_day)
            process.load(dataset)
        finally:
            process.close()
        with running(directory / "vumeter.db") as stack:
            run.say(f"exporting {LONG_POINTS:,} points")
            long = _export(run, stack, "parquet")
    yield rate(
        f"{LONG_POINTS:,} points to parquet",
        LONG_POINTS / long.seconds,
        "points/s",
        PARQUET_AT_LEAST,
    )
    for what, few, many in (
        ("command", short.command_mb, long.command_mb),
        ("product", short.server_mb, long.server_mb),
    ):
        yield times_as_long(
            f"memory of the {what}, {LONG_POINTS:,} points",
            many,
            few,
            "MB",
            f"{len(run.dataset):,}",
            GROWTH_AT_MOST,
        )


def _export(run: Run, stack: Stack, suffix: str) -> Exported:
    key_id, _, secret = stack.bearer.partition(".")
    with run.scratch() as directory, watched_memory(stack) as memory:
        file = directory / f"points.{suffix}"
        command = [
            *(PYTHON, "-m", "vumeter_server.cli", "export", "custom-metrics", str(file)),
            *("--target", stack.grpc_target),
        ]
        environment = {"VUMETER_API_KEY": key_id, "VUMETER_SECRET_KEY": secret}
        started = time.perf_counter()
        process = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL)
        most_mb = 0.0
        while process.poll() is None:
            most_mb = max(most_mb, _most_mb(process.pid))
            time.sleep(0.02)
        seconds = time.perf_counter() - started
        if process.returncode:
            raise RuntimeError(f"the export to {suffix} failed")
        size = Path(file).stat().st_size
    return Exported(
        seconds=seconds,
        command_mb=most_mb,
        server_mb=memory.anonymous,
        bytes=size,
    )


def _most_mb(pid: int) -> float:
    """Return what a process had resident when it was most, 0 if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return int(lines.get("VmHWM", "0").split()[0]) / 1_000
