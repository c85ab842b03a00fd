"""Fuzzing that is guided by coverage: what bytes make the code do leads to the next ones.

    python -m tests.fuzz.guided [--seconds 60] [TARGET...]

It runs in build/fuzz-venv, which has atheris; `make fuzz` makes it. Each target runs in a process
of its own, and what it learned is kept in build/fuzz/TARGET/learned. Bytes that make a fault are
kept in build/fuzz/TARGET; the status is 1 if there are some.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import io
import os
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
KEPT: Final = ROOT / "build" / "fuzz"
# Of no input that is this short anything takes seconds.
LONGEST_BYTES: Final = 4_096
HANGS_AFTER_SECONDS: Final = 10
MEMORY_MB: Final = 2_048
_EXECUTED: Final = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_COVERED: Final = re.compile(r"\bcov: (\d+)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz targets one after another; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="every one, unless given")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default 60)")
    given = parser.parse_args(arguments)
    # Only build/fuzz-venv has it. What it is to see is imported once, for all processes.
    atheris: Any = importlib.import_module("atheris")
    # It names each module on stderr.
    with (
        contextlib.redirect_stderr(io.StringIO()),
        atheris.instrument_imports(include=["vumeter_server"]),
    ):
        known = importlib.import_module("tests.fuzz.targets.known")
    if unknown := [name for name in given.targets if name not in known.TARGETS]:
        parser.error(f"there is no target {unknown[0]}; there are {', '.join(known.TARGETS)}")
    found = []
    for name in given.targets or known.TARGETS:
        (KEPT / name / "learned").mkdir(parents=True, exist_ok=True)
        status = _in_a_process_of_its_own(
            KEPT / name / "log", partial(_fuzz, atheris, known, name, given.seconds)
        )
        _report(name, status)
        if status:
            found.append(name)
    if found:
        print(f"faults: {', '.join(found)}; what made them is in {KEPT}")  # noqa: T201
    return 1 if found else 0


def _in_a_process_of_its_own(log: Path, run: Callable[[], None]) -> int:
    """Run something that ends its process; return its status. What it prints is in `log`."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with log.open("wb") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    try:
        run()
    finally:
        # It did not end: nothing of what follows is this process's to do.
        os._exit(1)


def _fuzz(atheris: Any, known: Any, name: str, seconds: int) -> None:
    """Fuzz one target in this process, which that ends."""
    learned = KEPT / name / "learned"
    for seed in known.beginnings(name):
        (learned / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    target = known.TARGETS[name]

    def run(data: bytes) -> None:
        target.run(data)

    options = {
        "max_total_time": seconds,
        "max_len": LONGEST_BYTES,
        "timeout": HANGS_AFTER_SECONDS,
        "rss_limit_mb": MEMORY_MB,
        "artifact_prefix": f"{KEPT / name}/",
        "print_final_stats": 1,
    }
    atheris.Setup(
        [name, str(learned), *(f"-{option}={value}" for option, value in options.items())], run
    )
    atheris.Fuzz()


def _report(name: str, status: int) -> None:
    """Print what was done with a target, and what was found."""
    log = (KEPT / name / "log").read_text(errors="replace")
    executed, covered = _EXECUTED.findall(log), _COVERED.findall(log)
    counts = [each[-1] if each else "?" for each in (executed, covered)]
    print(f"{name}: {counts[0]} executions, {counts[1]} edges", flush=True)  # noqa: T201
    if status:
        print("\n".join(log.splitlines()[-60:]), flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
