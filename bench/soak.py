"""A soak: everything at once for as long as is asked, with a verdict on what must not grow.

    python -m bench.soak --minutes 60

Clients record points (columns over gRPC, REST, OpenTelemetry), call events and simulated calls, ask
queries, watch, delete and back up. Memory, descriptors, threads and SQLite's write-ahead log are
sampled. The exit status is 1 if one of them grew, memory was too much at any moment, a request
failed, or the product has something else than what was acknowledged in any family.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from bench.report import machine
from bench.soak_clients import Clients
from bench.stack import PYTHON, Stack, running

PRODUCT = "vumeter_server.cli"
SAMPLES = 120
LEAST_SECONDS = 2.0
# The log is cut back to 64 MiB; it is longer only while somebody reads for long.
LOG_AT_MOST_MB = 192.0
# docs/scale.md: recording as fast as it goes takes 0.66 GB of a server, and a deletion from a large
# day 0.29; here both go on at a time.
PEAK_AT_MOST_MB = 950.0
# Caches take a quarter of an hour until they have what they hold. Of 60 minutes a server had 275 MB
# in the second quarter and 300 in the last, with six million points more. 15 % leaves room for
# that, and for a compaction beside more samples of the last.
MINUTES_TO_GROW = 60.0
GROWTH_AT_MOST = 1.15
# So much is noise however little there was: Envoy has 17 MB all the time.
GROWTH_OF_SERVER_MB = 16.0
GROWTH_OF_ENVOY_MB = 4.0
GROWTH_OF_DESCRIPTORS = 16
# The machine may have other work.
OVERLOADED_AT_MOST = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What the processes take at one moment."""

    seconds: float
    server_mb: float
    peak_mb: float
    """The most that one of the servers ever had resident, pages of files among it."""
    envoy_mb: float
    descriptors: int
    threads: int
    log_mb: float
    file_mb: float


def main() -> None:
    """Run the soak; print samples and the verdict."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    arguments = parser.parse_args()
    console = Console(highlight=False)
    for fact in machine():
        console.print(fact)
    scratch = Path(__file__).resolve().parent.parent / "build"
    scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="soak-", dir=scratch) as directory:
        faults = _soak(Path(directory) / "vumeter.db", arguments.minutes * 60, console.print)
    for fault in faults:
        console.print(f"[red]{fault}")
    grows = "nothing grows" if arguments.minutes >= MINUTES_TO_GROW else "too short to see growth"
    console.print("verdict: " + (f"{grows}, nothing is lost" if not faults else "short"))
    sys.exit(1 if faults else 0)


def _soak(path: Path, seconds: float, say: Callable[[str], None]) -> list[str]:
    samples: list[Sample] = []
    with running(path, module=PRODUCT) as stack:
        clients = Clients(stack, path)
        clients.start()
        started = time.monotonic()
        pause = max(seconds / SAMPLES, LEAST_SECONDS)
        while (passed := time.monotonic() - started) < seconds and not clients.failed:
            samples.append(_sample(stack, path, passed))
            if len(samples) % 5 == 1:
                say(_line(samples[-1], clients))
            time.sleep(pause)
        clients.stop()
        samples.append(_sample(stack, path, time.monotonic() - started))
        say(_line(samples[-1], clients))
        say(f"acknowledged: {clients.acknowledged}")
        faults = [*(clients.failed or clients.missing())]
        if clients.overloaded > clients.requests * OVERLOADED_AT_MOST:
            faults.append(f"{clients.overloaded} requests were answered with 503 or 504")
    faults += _judge(samples, may_grow=seconds < MINUTES_TO_GROW * 60)
    done = subprocess.run(
        [PYTHON, "-m", PRODUCT, "db", "check", "--db", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        faults.append(f"vumeter db check: {done.stdout}")
    return faults


def _sample(stack: Stack, path: Path, seconds: float) -> Sample:
    server_mb = peak_mb = envoy_mb = 0.0
    descriptors = threads = 0
    for pid in stack.pids():
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        )
        megabytes = int(status["RssAnon"].split()[0]) / 1_000
        if status["Name"].strip() == "envoy":
            envoy_mb += megabytes
        else:
            server_mb += megabytes
            peak_mb = max(peak_mb, int(status["VmHWM"].split()[0]) / 1_000)
        descriptors += len(list(Path(f"/proc/{pid}/fd").iterdir()))
        threads += int(status["Threads"])
    log = Path(f"{path}-wal")
    return Sample(
        seconds=seconds,
        server_mb=server_mb,
        peak_mb=peak_mb,
        envoy_mb=envoy_mb,
        descriptors=descriptors,
        threads=threads,
        log_mb=log.stat().st_size / 1e6 if log.exists() else 0.0,
        file_mb=path.stat().st_size / 1e6,
    )


def _line(sample: Sample, clients: Clients) -> str:
    return (
        f"{sample.seconds:6.0f} s: server {sample.server_mb:.0f} MB, peak {sample.peak_mb:.0f} MB,"
        f" Envoy {sample.envoy_mb:.0f} MB, {sample.descriptors} descriptors,"
        f" {sample.threads} threads,"
        f" log {sample.log_mb:.0f} MB,"
        f" file {sample.file_mb:.0f} MB; {clients.points:,} points, {clients.requests:,} requests,"
        f" {clients.overloaded} of them 503 or 504"
    )


def _judge(samples: Sequence[Sample], *, may_grow: bool) -> list[str]:
    """Return what was too much at one moment, and what grew."""
    faults = [] if may_grow else _growth(samples)
    peak = max(each.peak_mb for each in samples)
    if peak > PEAK_AT_MOST_MB:
        faults.append(f"a server had {peak:.0f} MB at one moment")
    longest = max(each.log_mb for each in samples)
    if longest > LOG_AT_MOST_MB:
        faults.append(f"the write-ahead log had {longest:.0f} MB")
    return faults


def _growth(samples: Sequence[Sample]) -> list[str]:
    """Return what grew: the last quarter is set against the second one."""
    quarter = len(samples) // 4
    earlier, later = samples[quarter : 2 * quarter], samples[-quarter:]
    faults = []
    for name, more in (
        ("server_mb", GROWTH_OF_SERVER_MB),
        ("envoy_mb", GROWTH_OF_ENVOY_MB),
        ("descriptors", GROWTH_OF_DESCRIPTORS),
        ("threads", GROWTH_OF_DESCRIPTORS),
    ):
        before, after = (
            statistics.median(getattr(each, name) for each in part) for part in (earlier, later)
        )
        if after > max(before * GROWTH_AT_MOST, before + more):
            faults.append(f"{name} grew from {before:.0f} to {after:.0f}")
    return faults


if __name__ == "__main__":
    main()
