"""What an engine has to do to be measured in process."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from bench.answers import Answer
from bench.asks import Ask
from bench.dataset import Dataset


class Engine(ABC):
    """A store that is loaded once and then asked, in the process that made it."""

    name: ClassVar[str]

    @abstractmethod
    def __init__(self, directory: Path) -> None:
        """Make an empty store in `directory`."""

    @abstractmethod
    def load(self, dataset: Dataset) -> None:
        """Store all points, and bring them into the form in which they are to be asked for."""

    @abstractmethod
    def ask(self, ask: Ask) -> Any:
        """Answer in the engine's own form, all of it as Python values."""

    @abstractmethod
    def answer_of(self, ask: Ask, raw: Any) -> Answer:
        """Return what `ask` returned as an answer that can be compared."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything."""

    def answer(self, ask: Ask) -> Answer:
        """Answer in the form that can be compared."""
        return self.answer_of(ask, self.ask(ask))

    def times(self, asks: Sequence[Ask]) -> list[float]:
        """Ask one after the other; return the seconds that each took."""
        taken = []
        for ask in asks:
            started = time.perf_counter()
            self.ask(ask)
            taken.append(time.perf_counter() - started)
        return taken

    def versions(self) -> str:
        """Return what is measured, in which version."""
        return self.name
