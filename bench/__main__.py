"""Measure the product, as ratios within one run.

The short mode takes 1,000,000 points and under two minutes; `--full` adds what takes long: how
queries grow to 10,000,000 points, memory, and the other families.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import in_process, over_rest, product, recording
from bench.dataset import DAYS, Dataset, generate
from bench.measured import Measured

POINTS = 1_000_000
GROWN = 10_000_000
GROWTH = {"Q6": 3.0, "Q9": 3.0}
AT_MOST = 1.3
RESULTS = Path(__file__).parent / "RESULTS.md"


class Report:
    """Sections of measured lines, shown as they come and written at the end."""

    def __init__(self) -> None:
        self._sections: list[tuple[str, list[Measured]]] = []
        self._console = Console()

    def add(self, title: str, lines: Iterable[Measured]) -> None:
        """Measure and show a section."""
        started = time.perf_counter()
        found = list(lines)
        self._sections.append((title, found))
        table = Table("what", "value", "unit", "asked for", "", title=title, title_justify="left")
        for line in found:
            table.add_row(line.what, f"{line.value:,.2f}", line.unit, line.bound, line.verdict)
        self._console.print(table)
        self._console.print(f"({time.perf_counter() - started:.0f} s)")

    def write(self, mode: str) -> None:
        """Write the results file."""
        lines = [
            "# Results",
            "",
            f"`make bench{' ARGS=--full' if mode == 'full' else ''}`, {datetime.now(UTC):%Y-%m-%d},"
            f" {os.cpu_count()} cores, Python {platform.python_version()}. One run; ratios are of"
            " figures taken side by side in it, times are medians.",
        ]
        for title, found in self._sections:
            lines += ["", f"## {title}", "", "| what | value | unit | asked for | |"]
            lines += ["| --- | ---: | --- | --- | --- |"]
            lines += [
                f"| {line.what} | {line.value:,.2f} | {line.unit} | {line.bound} | {line.verdict} |"
                for line in found
            ]
        RESULTS.write_text("\n".join(lines) + "\n")


def first_day() -> int:
    """Return a first day for which all 90 days are over, and none is older than days are kept."""
    return int(time.time()) // 86_400 - DAYS - 2


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="measure what takes long, too")
    full = parser.parse_args().full
    report = Report()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        dataset = generate(POINTS, first_day=first_day())
        report.add(
            f"Queries in process, {POINTS:,} points", in_process.compare(dataset, directory, 30)
        )
        report.add("Disk and start", _disk(directory / "vumeter.db", dataset))
        asyncio.run(_over_network(report, dataset, directory, full))
        if full:
            _grown(report, dataset, directory)
    if full:
        for module in ("simulation", "live_metrics"):
            subprocess.run([sys.executable, "-m", f"bench.{module}"], check=False)
    report.write("full" if full else "short")


def _disk(db: Path, dataset: Dataset) -> list[Measured]:
    size = sum(file.stat().st_size for file in db.parent.glob(f"{db.name}*"))
    return [
        Measured(
            what="disk a point, everything included, sealed",
            value=size / len(dataset),
            unit="bytes",
            limit=60,
        ),
        Measured(
            what=f"start to ready, {len(dataset):,} points",
            value=product.seconds_to_ready(db),
            unit="s",
            limit=2,
        ),
    ]


async def _over_network(report: Report, dataset: Dataset, directory: Path, full: bool) -> None:
    db = directory / "vumeter.db"
    async with product.running(db, directory) as served:
        if over_rest.is_possible():
            report.add(
                "Queries over REST, parameters varied from request to request",
                await over_rest.measure(served, dataset, directory, 5 if full else 2),
            )
        else:
            print("no queries over REST: wrk is not installed", file=sys.stderr)
        report.add(
            "Quick beside heavy",
            [await recording.names_beside_heavy_queries(served, dataset)],
        )
    async with product.running(directory / "recorded.db", directory) as served:
        lines = await recording.measure(served, dataset, 400 if full else 150)
        fsync = recording.fsync_milliseconds(directory)
        lines.append(Measured(what="fdatasync of this disk", value=fsync, unit="ms"))
        report.add("Durable recording", lines)
        half = lines[1].value / 2
        report.add("Querying while recording", await recording.latencies(served, dataset, half))
        report.add(
            "Memory",
            [
                Measured(
                    what="server, after recording the above",
                    value=served.server_megabytes(),
                    unit="MB",
                    limit=300,
                )
            ],
        )


def _grown(report: Report, dataset: Dataset, directory: Path) -> None:
    small = directory / "small"
    large = directory / "large"
    for each in (small, large):
        each.mkdir()
    before = in_process.medians(dataset, small, 30)
    grown = generate(GROWN, first_day=dataset.first_day)
    after = in_process.medians(grown, large, 30)
    report.add(
        f"{GROWN:,} points against {POINTS:,}, same label sets",
        [
            Measured(
                what=f"{name}: {after[name] * 1e3:.2f} ms, before {before[name] * 1e3:.2f}",
                value=after[name] / before[name],
                unit="times as long",
                limit=GROWTH.get(name, AT_MOST),
            )
            for name in before
        ],
    )
    report.add("Disk and start, grown", _disk(large / "vumeter.db", grown))
    asyncio.run(_memory(report, grown, large))


async def _memory(report: Report, dataset: Dataset, directory: Path) -> None:
    async with product.running(directory / "vumeter.db", directory) as served:
        if over_rest.is_possible():
            await over_rest.measure(served, dataset, directory, 1)
        report.add(
            "Memory, grown",
            [
                Measured(
                    what=f"server, all queries asked of {len(dataset):,} points",
                    value=served.server_megabytes(),
                    unit="MB",
                    limit=500,
                )
            ],
        )


if __name__ == "__main__":
    main()
