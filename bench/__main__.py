"""`python -m bench`: run the sections, print tables of ratios, write bench/RESULTS.md.

`--sizes` and `--cluster` choose other sections, whose results are in RESULTS-sizes.md and
RESULTS-cluster.md.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.registry import all_sections
from bench.report import HEADER, Measured, Report, machine
from bench.run import LONG_POINTS, SHORT_POINTS, Run, Section
from vumeter_server.runtime.processor import avoid_slow_sorts

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Measure what the command line asks for; the exit status never depends on a time."""
    # The processes that are measured import compiled modules, as installed ones do.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # As `vumeter` does before it loads numpy.
    avoid_slow_sorts()
    sections = all_sections()
    arguments = _arguments([section.name for section in sections])
    chosen = [
        section
        for section in sections
        if section.name in arguments.sections
        or (not arguments.sections and _is_usual(section, arguments))
    ]
    points = arguments.points or _points_by_default(chosen)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 150
    scratch = HERE.parent / "build"
    scratch.mkdir(exist_ok=True)
    report = Report(title="What was measured", facts=machine())
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=scratch) as directory:
        run = Run(
            points=points,
            full=arguments.full,
            against=arguments.against,
            scale=arguments.scale,
            directory=Path(directory),
            say=lambda text: console.print(f"[dim]{text}[/dim]"),
        )
        for section in chosen:
            _run_section(section, run, report, console)
    report.facts += [
        *dict.fromkeys(run.facts),
        f"{_how_much(chosen, run)}, {time.perf_counter() - started:.0f} s",
    ]
    console.print(f"{report.summary()}; {time.perf_counter() - started:.0f} s")
    if arguments.write or not _is_special(arguments):
        output = HERE / _file_name(chosen)
        output.write_text(report.markdown())
        console.print(f"written to {output}")


def _arguments(names: Iterable[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "sections", nargs="*", metavar="SECTION", help=f"of {', '.join(names)}; default: all"
    )
    parser.add_argument(
        "--full", action="store_true", help=f"also what needs {LONG_POINTS:,} points or minutes"
    )
    parser.add_argument(
        "--points",
        type=int,
        help=f"by default {SHORT_POINTS:,}, on a cluster {LONG_POINTS:,}",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="write the file of results also for chosen sections, with --scale, and with --points"
        " on a cluster",
    )
    parser.add_argument(
        "--against",
        type=lambda text: Path(text).resolve(),
        metavar="CHECKOUT",
        help="time the mix in process in turns with another checkout, such as the last release's",
    )
    parser.add_argument(
        "--sizes",
        action="store_true",
        help="odd sizes instead, such as a million label values; writes RESULTS-sizes.md",
    )
    parser.add_argument(
        "--cluster",
        action="store_true",
        help="instead a ClickHouse cluster of three nodes, run here, beside SQLite; writes"
        " RESULTS-cluster.md",
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, help="the share of the odd sizes that is made"
    )
    arguments = parser.parse_args()
    unknown = set(arguments.sections) - set(names)
    if unknown:
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    return arguments


def _is_usual(section: Section, arguments: argparse.Namespace) -> bool:
    """Whether a section is measured when none is named."""
    if arguments.against is not None or section.needs_checkout:
        return arguments.against is not None and section.needs_checkout
    if arguments.sizes or section.of_sizes:
        return bool(arguments.sizes) and section.of_sizes
    if arguments.cluster or section.of_cluster:
        return bool(arguments.cluster) and section.of_cluster
    return bool(arguments.full) or not section.full_only


def _is_special(arguments: argparse.Namespace) -> bool:
    """Whether something else is measured than what the files of results show."""
    is_part = arguments.scale != 1 or (arguments.cluster and arguments.points is not None)
    return bool(arguments.sections or arguments.against or is_part)


def _points_by_default(chosen: Sequence[Section]) -> int:
    return LONG_POINTS if all(section.of_cluster for section in chosen) else SHORT_POINTS


def _how_much(chosen: Sequence[Section], run: Run) -> str:
    if all(section.of_sizes for section in chosen):
        return f"{run.scale:.0%} of the sizes"
    if all(section.of_cluster for section in chosen):
        return f"{run.points:,} points"
    return f"{run.points:,} points, {'full' if run.full else 'short'} mode"


def _file_name(chosen: Sequence[Section]) -> str:
    """Return the file of the results: sizes and the cluster have files of their own."""
    for name, is_of in (
        ("RESULTS-sizes.md", [section.of_sizes for section in chosen]),
        ("RESULTS-cluster.md", [section.of_cluster for section in chosen]),
    ):
        if all(is_of):
            return name
    return "RESULTS.md"


def _run_section(section: Section, run: Run, report: Report, console: Console) -> None:
    report.begin(section.title, section.note)
    console.rule(section.title, align="left")
    started = time.perf_counter()
    lines = []
    for line in section.measure(run):
        report.add(line)
        lines.append(line)
    console.print(_table(lines))
    console.print(f"[dim]{time.perf_counter() - started:.0f} s[/dim]")


def _table(lines: Iterable[Measured]) -> Table:
    table = Table(*HEADER, box=None, pad_edge=False)
    colors = {"pass": "green", "short": "red"}
    for line in lines:
        *cells, verdict = line.cells
        table.add_row(*cells, Text(verdict, style=colors.get(verdict, "")))
    return table


if __name__ == "__main__":
    main()
