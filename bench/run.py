"""One run: its parameters, and what its sections share."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bench.dataset import DAY_US, DAYS, Dataset, generate
from bench.engines.engine import Engine
from bench.engines.processes import EngineProcess
from bench.oracle import Oracle
from bench.report import Measured

SHORT_POINTS = 1_000_000
LONG_POINTS = 10_000_000


@dataclass(kw_only=True, eq=False)
class Run:
    """What all sections of a run share; `say` prints what is going on."""

    points: int
    full: bool
    directory: Path
    say: Callable[[str], None]
    against: Path | None = None
    """Another checkout of the product, to be measured beside this one."""
    scale: float = 1.0
    """The share of the odd sizes that is made."""
    facts: list[str] = field(default_factory=list)
    _directories: dict[str, Path] = field(default_factory=dict)

    @property
    def first_day(self) -> int:
        """The 90 days end with yesterday."""
        return int(time.time()) * 1_000_000 // DAY_US - DAYS

    @cached_property
    def dataset(self) -> Dataset:
        """The data set."""
        self.say(f"generating {self.points:,} points")
        return generate(self.points, first_day=self.first_day)

    @cached_property
    def oracle(self) -> Oracle:
        """Right answers on it."""
        return Oracle(self.dataset)

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a directory that is gone afterwards."""
        with tempfile.TemporaryDirectory(dir=self.directory) as directory:
            yield Path(directory)

    @contextlib.contextmanager
    def engine(self, engine: type[Engine]) -> Iterator[EngineProcess]:
        """Give an engine with the data set in it, loaded by whoever asks first."""
        loaded = engine.name in self._directories
        if not loaded:
            directory = self.directory / engine.name
            directory.mkdir()
            self._directories[engine.name] = directory
        process = EngineProcess(engine, self._directories[engine.name])
        try:
            if not loaded:
                self.say(f"loading {engine.name}")
                seconds = process.load(self.dataset)
                self.say(f"{engine.name}: {len(self.dataset):,} points in {seconds:.1f} s")
            self.facts.append(process.versions())
            yield process
        finally:
            process.close()

    def loaded(self, engine: type[Engine]) -> Path:
        """Return the directory of an engine with the data set in it, which runs no more."""
        if engine.name not in self._directories:
            with self.engine(engine):
                pass
        return self._directories[engine.name]


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A table of the report.

    Attributes:
        name: how the command line calls it.
        title: the table's heading.
        note: how it was measured, in a sentence or two.
        measure: measures, and yields line after line.
        full_only: whether it is left out of the short mode.
        of_sizes: whether it is measured with `--sizes` alone.
        of_cluster: whether it is measured with `--cluster` alone.
        needs_checkout: whether it is measured with `--against` alone.
    """

    name: str
    title: str
    note: str
    measure: Callable[[Run], Iterator[Measured]]
    full_only: bool = False
    of_sizes: bool = False
    of_cluster: bool = False
    needs_checkout: bool = False
